package sqlite

import "os"

// Unflushed is o without the flush before the answers.
func Unflushed(o Options) Options {
	o.flush = func(*os.File) error { return nil }
	return o
}
