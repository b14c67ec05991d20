// Package conformance holds the functions that say what a runtime is: one small function for each behaviour that code
// written for Function Compute may rely on, the same behaviours in every language, with the bodies, headers and log
// lines that they must give.
//
// It is data. A folder below cases is a theme and holds one code package for each language (nodejs, python, java);
// cases.yaml names the functions in it, one row for each behaviour, with handler, initializer, events and settings:
//
//   - case: errors/callbackError
//     says: an error given to the callback is a handled error
//     languages: [nodejs]
//
// The rows run on every runtime of their languages through the whole daemon: deployed and called over signed HTTP, in the
// real sandbox, with the log read back from the embedded Log Service. What must come out stands in testdata/<theme>/<name>.txt,
// an archive with one section for each group of runtimes that agree. `go test -update` rewrites the sections of the
// runtimes that are ready here. Ids, times, durations and sizes of memory are replaced by words such as <id>.
//
// The package has tests only. What the daemon does around a function (triggers, roles, queues) is tested in package e2e,
// the bootstraps by themselves in package invoker/runtimes.
package conformance
