// Package sqlite is the embedded store: one SQLite database in the data directory, written by one goroutine.
//
// Apply hands its Batch to that writer and waits. The writer takes what has gathered, checks each Batch in order of
// arrival against what the database holds and what the group has decided so far, leaves out the ones that conflict and
// writes the others in one transaction. The flusher puts the write-ahead log on disk, once for all of them, and only then
// answers; meanwhile the writer works on the next group, which grows until the flusher is free:
//
//	Apply ─┐
//	Apply ─┼─> jobs ─> writer: [check, check, check] BEGIN … COMMIT ─> flusher: flush ─> replies, change feed, Wake
//	Apply ─┘                                                  └─> checkpointer: log to database, beside the others
//
// A read may see what has been committed and is not on disk yet. What somebody acts upon is: messages cannot be claimed
// before, nor are they in the change feed. A Batch that builds on such a state is flushed after it.
//
// While many messages wait, those that come are written many to a row, a burst, in the same transaction. They move into
// the queue when somebody needs them there, or once no more come.
//
// So a conflict hurts no neighbour and sixty-four callers share one flush. Claims and the expiry of leases live in
// memory, since there is one process per data directory: a claim writes nothing, and a restart frees them all. Lease
// tokens, revisions and message ids are durable and never used twice.
//
//	s, err := sqlite.Open(ctx, sqlite.Options{Dir: "/var/lib/fcd"})
//	applied, err := s.Apply(ctx, store.Batch{Puts: []store.Put{{Key: "svc/demo", Value: v, If: store.IfAbsent}}})
//
// Disk errors are final. A flush that failed cannot be tried again, so any I/O error or sign of corruption closes
// Store.Failed and makes every later call store.ErrFatal; the daemon must exit and open the store anew.
package sqlite
