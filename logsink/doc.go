// Package logsink carries the lines that functions print to the logstore that their service names.
//
// A line becomes an fc.LogRecord in the invoker, and Shipper.Append takes it from there: it is written to the disk queue
// of its (project, logstore) (package spool), read back in batches, and sent to a Sink until the Sink has taken it. Package
// logsink/sls is the Sink that speaks to Log Service, real or embedded.
//
//	ship, err := logsink.NewShipper(logsink.Options{Spool: sp, Sink: sink})
//	go ship.Run(ctx)
//	ship.Append(record)              // returns at once; nothing is sent for a record without project or logstore
//	err = ship.Sync(ctx)             // its lines are on the disk: an asynchronous invocation may be called done
//	err = ship.Flush(ctx)            // at stop: what is not sent when ctx ends stays in the spool
//
// Lines of one logstore arrive in the order they were appended, except that one window of at most 4096 lines is sent
// topic by topic. At most one batch of a logstore is under way; four logstores are served at a time, in turn.
// A batch that fails is sent again, with the same pack id, for ever: how soon is told by the class of the Sink's error
// (see Class). A batch that is refused for its content is halved until the bad line stands alone; that line goes to
// the spool's rejected folder. When the spool is full, new lines are counted and left out, and one line
// "N log lines dropped" takes their place when there is room.
//
// Delivery is at least once. A Sink that knows pack ids makes it exactly once over kills and lost answers. A batch is on the
// disk before it is sent for the first time, so that no power cut gives its numbers, and with them its id, to other lines;
// one under way may be sent again under another id.
package logsink
