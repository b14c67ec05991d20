package sqlite

// Synchronous is o with other flushes than the store's own, "" for those.
func Synchronous(o Options, mode string) Options {
	o.synchronous = mode
	return o
}
