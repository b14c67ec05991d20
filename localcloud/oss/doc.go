// Package oss is an object storage of one's own that speaks the wire protocol of Object Storage Service, so that the
// real SDKs and tools work with no cloud account: buckets, objects, ranges, conditions, copies, appends, multipart
// uploads, listings, signed URLs and temporary keys. Its main type is Server, an http.Handler.
//
//	srv, err := oss.New(oss.Options{Dir: dir, Region: "cn-shanghai", AccountID: "1234", Keys: directory, Policy: directory})
//	defer srv.Close()
//	err = http.Serve(loopback, srv)
//
// A request is taken apart in the order of the files: address.go finds bucket and key, route.go the operation, auth.go
// proves who asks and whether the policies allow it, and one function per operation does it. What is stored lies in
// package disk below. Each change of an object is recorded with its event in one transaction; Options.Events gets the
// events, in order per bucket, and keeps getting one until it returned nil.
//
// A client is answered only when object and event are durable. Bodies stream: memory use does not depend on their size.
//
// Not served, and refused as NotImplemented by name: versioning, lifecycle, callbacks, websites, cross-origin rules,
// bucket policies, encryption, image processing and the rest of the service's sub-resources. One account owns
// everything. Package sign checks signatures; ram knows keys and policies; the caller owns the listeners.
package oss
