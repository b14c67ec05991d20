// Package api is the REST storey of fcd: the 17 operations of the Function Compute API, version 2016-08-15, as an
// http.Handler. It checks the signature and the caller's policies, decodes and validates, reads and writes the store,
// and renders answers and errors the way the existing clients expect them.
//
//	h, err := api.New(api.Options{Store: s, Catalog: c, Packages: p, Invoker: v, Keys: keys, Policy: dir, ...})
//	err = http.Serve(listener, h)
//
// A request passes these steps, and an answer leaves by one writer (answer.go):
//
//	request id -> signature -> operation (route.go) -> policy -> body size -> JSON -> required fields -> field rules
//	  -> parents exist -> name free -> If-Match -> code -> one store.Apply -> view caught up -> answer
//
// Bodies are read tolerantly: keys in any case, unknown keys ignored, null meaning absent at any depth. Answers are
// always canonical lowerCamel. An update changes only the fields that were sent.
//
// Writes are decided inside store.Apply by conditions on the revisions that were read. A lost race makes the handler read
// again: with If-Match the caller then gets PreconditionFailed, without it the change is tried on the new state.
//
// The package keeps no state of its own but counters. It does not start sources, instances or interpreters: those follow
// the store's change feed. Time limits for slow clients belong to the http.Server around it.
package api
