// Package sls is a Log Service that lives in this process: the wire protocol of the real one, from a folder on disk, so
// that functions' logs can be shipped, searched and consumed with the real clients and no cloud account.
//
//	srv, err := sls.New(sls.Options{Dir: dir, Keys: directory, Policy: directory, Region: "cn-shanghai", AccountID: "123"})
//	http.Serve(listener, srv)
//	err = srv.EnsureLogstore(ctx, "my-project", "my-logstore")
//	err = srv.Close()
//
// It serves projects, logstores, index settings (kept and echoed; queries need none), writing, GetLogs in its old and new
// form, histograms, shards with their splitting and merging, cursors, PullLogs and consumer groups. Requests are signed (V1
// or V4) by keys that Options.Keys knows, and allowed or refused by Options.Policy on
// acs:log:<region>:<account>:project/<p>/logstore/<l>.
// A request's project is the first label of its Host, as every client sends it: see projectOf.
//
// On disk:
//
//	<dir>/meta.db                                  SQLite: projects, logstores, indexes, consumer groups, checkpoints
//	<dir>/<project>/<logstore>/<shard>/<first>.seg log groups; <first> is the first sequence, 20 digits
//
//	frame  = len u32 | crc32c u32 | sequence u64 | received ns u64 | min, max log time u32 | LogGroup (len bytes)
//	footer = JSON segment facts | its len u32 | its crc32c u32 | "fcdsegF1"      (closed segments only)
//
// A write is answered after its frame was flushed (writers at the same time share a flush), and is visible to queries and
// pulls from that moment. A sequence is max(previous + 1, time of receipt in ns); cursors are base64 of its decimal text.
// Frames torn by a crash are cut at the next start. A write whose __pack_id__ tag was seen before is answered 200 and
// dropped, which makes a resent batch harmless.
//
// A shard that is split or merged becomes readonly: it keeps its groups, which can be read until they are too old, and takes
// no more; what it was replaced by is written to from the moment of the answer. The new layout is one document in meta.db,
// so a crash leaves the old one or the new one.
//
// It has no SQL (the part of a query after "|" is refused by name), no automatic splitting, no alerts and no dashboards.
// One process per folder.
package sls
