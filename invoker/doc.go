// Package invoker runs functions: it finds or starts a sandboxed instance for a call, hands it the event, attributes
// its log lines and brings back the result.
//
//	v, err := invoker.New(invoker.Options{Functions: catalog, Code: packages, Driver: native, Runtimes: table, ...})
//	res, err := v.Invoke(ctx, fc.Call{RequestID: id, Ref: ref, Payload: event})
//	...
//	v.Close(ctx) // lets running calls end until ctx does
//
// A call goes Target -> pool of that Target's Generation -> instance -> frames -> Result. The pool hands out the idle
// instance that was used last; without one the call waits for the first instance that comes free, while a fresh one is
// started for it; the queue of waiting calls is bounded, per function, in length and in time. An instance serves one
// request at a time and one generation for its whole life:
//
//	start -> idle <-> busy -> stop   idle too long, target changed, room needed, Close: hook, end of input, kill
//	                  busy -> kill   timeout, exit, unhandled error of a process that ends, broken protocol
//
// The files: pool.go queues and limits, process.go a started interpreter, instance.go an interpreter bound to a
// function, run.go one request on it, fence.go, journal.go and pump.go the log lines, tail.go the end of a log,
// janitor.go the retirement of idle instances.
//
// A warm call reads no store, parses no event and takes no lock that functions share. The package does not queue
// asynchronous calls (invoker/async), knows no interpreter (invoker/runtimes) and no isolation (invoker/sandbox).
package invoker
