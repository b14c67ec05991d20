// Package express serves plain HTTP/1.1 requests over kept TCP connections for a fraction of what net/http's server
// spends on each: it reads a request that has come whole out of one buffer, keeps the strings of the one before where
// they repeat, starts no goroutine and sends the answer in one write. A warm invocation is mostly such requests.
//
// It decides nothing about HTTP. What it takes for plain is understood exactly as net/http would; anything else (chunks,
// Expect, Upgrade, large bodies, a query of the wrong form, bare newlines, ...) passes to net/http's server, the
// connection and all bytes read so far, and stays there:
//
//	accept -> conn: read, parse -> plain      -> Handler -> one write -> read the next
//	                            -> not plain  -> handoff -> http.Server, for the rest of the connection's life
//
// Server has the life of an http.Server:
//
//	s := express.New(&http.Server{Handler: h, IdleTimeout: time.Minute})
//	go s.Serve(listener)
//	...
//	s.Shutdown(ctx)
//
// The Handler must not change a request's header, nor keep request, URL or header after it has returned: the next one is
// made of the same memory. It may not hijack or flush; its context ends when it returns or when the client is found to
// have hung up, which is looked for once a request has taken hangUpAfter, or twice as long.
package express
