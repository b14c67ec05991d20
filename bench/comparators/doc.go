// Package comparators holds what fcd is measured against: the least that could do the same work on the same machine, a
// few lines each. They have no isolation, no signatures, no logs and no limits, so fcd is expected to be slower than most
// of them; by how much is the question.
//
//   - server.js: the handler in a bare Node HTTP server.
//   - Hop: a bare Go HTTP server that hands the event over a framed pipe to the handler in Python (worker.py).
//   - Log: a plain file that many producers append to, flushed in groups.
//
// The handlers are the files that are deployed to fcd as well.
package comparators

import "embed"

// Files are the programs and handlers, by name.
//
//go:embed *.js *.py
var Files embed.FS
