// Package async runs the invocations that wait in the store's queue: it claims due messages, invokes their functions
// and ends each in one Apply.
//
//	d, err := async.New(async.Options{Queue: db, Store: db, Invoker: v})
//	err = d.Run(ctx) // until ctx ends and the running attempts are over
//
// The states of an asynchronous invocation:
//
//	          claim                    no error
//	queued ----------> running --------------------------------> succeeded
//	  ^  ^                |
//	  |  |                +-- error of the function, retries left: counted, 0.5 s doubling, +-20 %
//	  |  +---- waiting <--+-- 429, 500, 503: not counted, 0.5 s doubling to 5 min
//	  |                   |
//	  +-------------------+-- cut by shutdown, node lost: not counted, due at once
//	                      |
//	                      +-- retries used up, too old, function gone -> dead (payload and cause are kept)
//
// Delivery is at least once, without order: a crash between the end of a function and the Apply repeats the attempt.
// Claims are leases: they are extended while the attempt lives and its result is thrown away once a claim is lost.
//
// Fairness: free places go round the functions with due work, those with the fewest running attempts first, then the
// one that has waited longest. A function with a hundred thousand messages delays another's single one by at most one
// running attempt.
//
// The package starts no sandbox and knows no trigger. A message that a trigger made carries the trigger's id, under
// which its attempts are noted as fates.
package async
