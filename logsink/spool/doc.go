// Package spool keeps log lines on disk until someone has taken them over: one queue per (project, logstore), each a
// directory of segment files and a cursor.
//
//	<dir>/id                                  16 hex digits, made once: the spool's own name in pack ids
//	<dir>/<project>,<logstore>/<first>.seg    frames in order; <first> is the sequence of the first one, 20 digits
//	<dir>/<project>,<logstore>/cursor         sequence of the first record not yet taken over
//	<dir>/<project>,<logstore>/window         end of the batch that is being sent
//	<dir>/rejected/<n>.jsonl                  records that the log service will never take
//
//	frame = len u32 | crc32c(len, record) u32 | record            little endian, len 1..MaxRecordBytes
//
// A record is bytes to this package. Records are numbered in each queue, for ever, from the nanosecond at which the queue was
// made (so that no number comes twice even if its folder is deleted). The cursor is such a number, so
// a cursor that lies outside the files is never a guess. Everything below it is done; if the files end before it (a power
// cut took lines that were already delivered) numbering goes on at the cursor.
//
//	sp, _ := spool.Open(spool.Options{Dir: dir})
//	q, _ := sp.Queue("project", "logstore")
//	_ = q.Append(false, record)                             // write(2) before it returns
//	recs, end, _ := q.Read(q.Cursor(), 4096, 1<<20)
//	_ = q.Commit(end)                                       // durable, then whole segments below end are deleted
//
// Promises. After Append a kill of the process loses nothing; a power cut loses at most the last SyncDelay (10 ms),
// and nothing that Sync has returned for. Order within a queue is the order of Append. A torn frame at the end of a queue
// is cut when the spool is opened; one in the middle (bit rot) costs the rest of its segment, and Lost counts it.
// Nothing here sends, batches or retries: that is package logsink.
package spool
