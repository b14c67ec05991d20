package sqlite

import "os"

// Folding is o with every message folded that may be, from the first one on.
func Folding(o Options) Options {
	o.foldFrom = -1
	return o
}

// Unflushed is o without the flush before the answers.
func Unflushed(o Options) Options {
	o.flush = func(*os.File) error { return nil }
	return o
}
