// Package invoker runs functions: it finds or starts a sandboxed instance for a call, hands it the event, attributes
// its log lines and brings back the result.
//
//	v, err := invoker.New(invoker.Options{Functions: catalog, Code: packages, Driver: native, Runtimes: table, ...})
//	res, err := v.Invoke(ctx, fc.Call{RequestID: id, Ref: ref, Payload: event})
//	...
//	v.Close(ctx) // lets running calls end until ctx does
//
// A call goes Target -> pool of that Target's Generation -> instance -> speaker -> Result. The pool hands out the idle
// instance that was used last, else the least busy one that has room for another request; without one the call waits for
// the first instance that gets room, while another is made for it: of a generic process from the stock, which is claimed,
// else from the start. The queue of waiting calls is bounded, per function, in length and in time.
//
// An instance serves one generation for its whole life, and one request at a time or as many as its function's
// instanceConcurrency says. It has its first request alone until it is open: its program takes requests and is
// initialized. Of a function that is quick, further requests may stand in an instance's lane behind the one it serves;
// they begin one after the other, and are withdrawn if that one turns out to be slow.
//
//	generic -> claimed or
//	start -> idle <-> busy -> stop   idle too long, target changed, room needed, Close, unhandled error of a process that
//	                                 ends: as soon as no request is in flight, end of input, kill
//	                  busy -> kill   timeout, exit, broken protocol; fails all requests in flight
//
// A generic process is an interpreter that waits, in a sandbox without code, for its HELLO. What makes it a function's
// is a claim: limits, code and HELLO. It belongs to one generation from then on; a claim that fails half-way kills it,
// and the instance is started afresh.
//
// The files: function.go the pools of a function and its limit, queue.go the calls that wait, pool.go the instances of a
// generation, launch.go how they come to be, stock.go and restock.go the generic processes, door.go the
// daemon's services inside instances, process.go a started program,
// instance.go a program bound to a function, run.go one request on it, speaker.go the ways to speak to it: lane.go,
// mux.go and web.go; fence.go, journal.go, logpipe.go, mixed.go and pump.go the log lines, tail.go the end of a log, janitor.go the
// retirement of idle instances.
//
// A warm call reads no store, parses no event and takes no lock that functions share. The package does not queue
// asynchronous calls (invoker/async), knows no interpreter (invoker/runtimes) and no isolation (invoker/sandbox).
package invoker
