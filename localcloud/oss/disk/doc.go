// Package disk keeps buckets, objects and multipart uploads in one directory, safe against a crash at any moment.
//
//	index.db          SQLite: buckets, objects, chunks of objects, uploads, parts, and the outbox of events
//	data/<hh>/<id>    the bytes; id is 128 random bits in hex and hh its first two digits
//
// Keys never become file names. A write goes: new file, hashed on the way -> fsync of file and directory -> one index
// transaction that holds the object's row and the event it causes -> answer -> the file it replaced is removed. So new
// bytes never stand under an old entity tag, no event is lost between an object and its outbox row, and an event exists
// only for what is committed. A file that no row names is an orphan of a crash; it is removed in the background after
// Open.
//
//	d, err := disk.Open(disk.Options{Dir: dir, Deliver: deliver})
//	s, err := d.Stage(ctx, body, disk.MaxObject)
//	o, err := d.Put(ctx, disk.Object{Bucket: "b", Key: "k"}, s, disk.Write{Event: fc.ObjectEvent{Name: "ObjectCreated:PutObject"}})
//	r, err := d.Open(ctx, "b", "k") // keeps the old bytes when the object is replaced or deleted meanwhile
//
// All index writes pass through one goroutine that commits what has gathered in one flush. Objects completed from parts
// keep the parts' files as their chunks: nothing is copied. A copy of an object is a hard link. An append writes behind
// the committed size of the object's file, which readers do not look beyond, and then commits the new size.
//
// The outbox hands its events, in order per bucket, to Options.Deliver and forgets an event once Deliver returned nil.
// An event may be delivered again after a crash; it keeps its Sequence.
//
// The package knows nothing of HTTP, signatures or permissions; that is package oss. All methods are safe for concurrent
// use. One process at a time may have a directory open.
package disk
