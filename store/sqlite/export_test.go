package sqlite

import "os"

// Folding is o with every message folded that may be, from the first one on, and a burst log that begins again as soon as it can.
func Folding(o Options) Options {
	o.foldFrom, o.passBytes = -1, -1
	return o
}

// Unflushed is o without the flush before the answers.
func Unflushed(o Options) Options {
	o.flush = func(*os.File) error { return nil }
	return o
}
