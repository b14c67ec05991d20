// Package sqlite is the embedded store: one SQLite database in the data directory, and a log beside it, written by one
// goroutine.
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
// While many messages wait, a Batch of nothing but messages goes into no table. Those of a group are appended to the burst
// log, a file beside the database, by one write, which the flusher puts on disk in place of the write-ahead log, or at the
// same time for a group that has Batches of either kind. They move into the queue when somebody needs them there, or once no
// more come; that transaction names the frames of the log that it has emptied, and when all are empty the log begins again.
// A message stands in the log or in the queue at any moment, also behind a kill or a power cut:
//
//	          append, flush                 BEGIN, insert, mark the frame, COMMIT
//	Apply ──────────────────> burst log ────────────────────────────────────────> queue
//	frame n is whole            it is there unless marked                           the marks are flushed before
//	and goes on from n-1        in the database                                     the frame is overwritten
//
// The file belongs to its database by an id; a copy of the store is one database again, with the log's messages in its queue.
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
