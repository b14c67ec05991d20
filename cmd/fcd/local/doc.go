// Package local is what developing a function on one's own machine needs beside a daemon: it runs a function straight
// from its folder, and it watches a folder and tells what of it to deploy.
//
//	r, err := local.NewRunner(local.RunnerOptions{Config: c, Function: f, Logs: printer})
//	res, err := r.Invoke(ctx, event) // the same sandbox, interpreter, bootstrap and invoker as in a daemon
//	r.Close()
//
//	folder, watch := local.NewFolder(dir), ... // scan, check, deploy, wait, scan again
//
// The files: function.go what is run, runner.go one function without a daemon, printer.go its log on a terminal,
// debug.go the port of a debugger, folder.go and watch.go a folder as it changes, check.go whether its code can be
// loaded at all, deploy.go the way into a daemon.
//
// A Runner keeps nothing: no store, no package, no log. It has no triggers and no embedded cloud; `fcd dev` runs a daemon
// for these.
package local
