// Package runtimes knows which interpreters run functions and how. A runtime is an interpreter, found on the host or in
// a root directory of its own, and a bootstrap: the program of ours that the interpreter runs as pid 1 of a sandbox. The
// bootstraps (nodejs/bootstrap.js, python/bootstrap.py, java/bootstrap.jar) are embedded, written to a folder once and
// shown read-only in every sandbox. The jar is built from java/src by java/build.sh.
//
// A bootstrap reads requests from fd 3, runs the user's handler as the guide says and answers on fd 4, in the frames of
// package frame; what the function prints goes to fd 1 and 2, between fences that say whose it is.
//
// The package starts no process but to ask for versions, and has no part in pools, time limits or logs: those are the invoker's.
package runtimes
