package main

import "context"

// An experiment measures one or several rows of the table at once, at a size.
type experiment struct {
	rows  []row
	axis  string                                                      // what the sizes count
	sizes [3]int                                                      // of a full run
	base  int                                                         // which of them the table shows
	quick int                                                         // the size of a quick run, or fullOnly
	run   func(ctx context.Context, l *lab, size int) ([]pair, error) // a pair for each row
}

// fullOnly, as the size of a quick run, leaves an experiment out of it, for what takes long in any size.
const fullOnly = -1

// experiments are all, in the order of the table. The bounds are those of docs/performance.md.
func experiments() []experiment {
	return []experiment{
		// First, while no other daemon runs: shared pages would be counted in part.
		{rows: []row{{name: "idle-memory", what: "daemon and idle nodejs instances, PSS", against: "nuclio's processor and Node worker, 109 MiB each", unit: "MiB",
			must: 0.6, strive: 0.45, lower: true}},
			axis: "idle instances", sizes: [3]int{1, 4, 16}, base: 0, quick: 1, run: memory},
		{rows: []row{{name: "warm-nodejs", what: "warm calls, nodejs, 1 KiB event, 2 instances", against: "bare Node HTTP server, same handler",
			unit: "calls/s", must: 0.45, strive: 0.6}},
			axis: "connections", sizes: [3]int{4, 16, 64}, base: 2, quick: 64, run: warmNode},
		{rows: []row{{name: "warm-python3", what: "warm calls, python3, 1 KiB event, 2 instances", against: "bare Go HTTP hop, framed pipe, same handler",
			unit: "calls/s", must: 0.9, strive: 1.2}},
			axis: "connections", sizes: [3]int{4, 16, 64}, base: 2, quick: 64, run: warmPython},
		{rows: []row{{name: "p50-nodejs", what: "median of one connection, nodejs", against: "bare Node HTTP server, one connection",
			unit: "ms", must: 2, strive: 1.5, lower: true}},
			axis: "bytes of event", sizes: [3]int{1 << 10, 16 << 10, 256 << 10}, base: 0, quick: 1 << 10, run: single},
		{rows: []row{
			{name: "cold-python3", what: "first call of a function, python3", against: "python3 -c pass", unit: "ms", must: 0.6, strive: 0.25, lower: true},
			{name: "create-python3", what: "CreateFunction accepted to first answer, python3", against: "python3 -c pass", unit: "ms", must: 2, strive: 1, lower: true}},
			axis: "bytes of code", sizes: coldSizes, base: 0, quick: coldSizes[0], run: coldPython},
		{rows: []row{
			{name: "cold-nodejs", what: "first call of a function, nodejs", against: "node -e 0", unit: "ms", must: 0.2, strive: 0.06, lower: true},
			{name: "create-nodejs", what: "CreateFunction accepted to first answer, nodejs", against: "node -e 0", unit: "ms", must: 2, strive: 1, lower: true}},
			axis: "bytes of code", sizes: coldSizes, base: 0, quick: coldSizes[0], run: coldNode},
		{rows: []row{{name: "async-accept", what: "asynchronous calls made durable, 1 KiB", against: "appending to a plain file with group commit",
			unit: "accepts/s", must: 0.3, strive: 0.6}},
			axis: "producers", sizes: [3]int{4, 16, 64}, base: 2, quick: 64, run: accept},
		{rows: []row{{name: "async-backlog", what: "the same behind a backlog", against: "the same with an empty queue", unit: "accepts/s", must: 0.9, strive: 1}},
			axis: "queued events", sizes: [3]int{10_000, 100_000, 1_000_000}, base: 2, quick: 20_000, run: backlog},
		{rows: []row{
			{name: "timers-cpu", what: "processor of a daemon whose timers wait", against: "one core", unit: "%", must: 0.01, lower: true},
			{name: "timers-late", what: "p99 from the due second to the handler", against: "the bound of 50 ms", unit: "ms", must: 1, lower: true}},
			axis: "timers", sizes: [3]int{1_000, 10_000, 100_000}, base: 2, quick: 10_000, run: timers},
		{rows: []row{{name: "object-event", what: "object put to handler entered", against: "a put without trigger and a synchronous call", unit: "ms",
			must: 1.5, strive: 1.1, lower: true}},
			axis: "bytes of object", sizes: [3]int{1 << 10, 64 << 10, 1 << 20}, base: 0, quick: 1 << 10, run: objectEvent},
		{rows: []row{
			{name: "log-calls", what: "calls that print lines", against: "silent calls, or 100,000 lines a second", unit: "calls/s", must: 0.5},
			{name: "log-lines", what: "lines taken over by the spool", against: "the bound of 100,000 a second", unit: "lines/s", must: 1, strive: 2}},
			axis: "lines a call", sizes: [3]int{10, 100, 1000}, base: 2, quick: 1000, run: logLines},
		{rows: []row{
			{name: "functions-start", what: "start to ready with many functions", against: "the bound of 2 s", unit: "s", must: 1, lower: true},
			{name: "functions-lookup", what: "median of one connection with many functions", against: "with 100 functions", unit: "ms", must: 1.05, lower: true}},
			axis: "functions", sizes: [3]int{1_000, 10_000, 100_000}, base: 2, quick: 10_000, run: functions},
		{rows: []row{{name: "idle-many", what: "median of one connection among idle instances and 100,000 functions", against: "with 1 instance, 100 functions",
			unit: "ms", must: 1.05, lower: true}},
			axis: "idle instances", sizes: [3]int{10, 100, 1_000}, base: 2, quick: fullOnly, run: idle},
		{rows: []row{{name: "dev-redeploy", what: "save to deployed with fcd dev, nodejs, files of 4 KiB", against: "the bound of 150 ms", unit: "ms", must: 1, lower: true}},
			axis: "files", sizes: [3]int{1, 200, 2200}, base: 2, quick: 200, run: redeploy},
	}
}

// coldSizes are the sizes of code packages, in bytes.
var coldSizes = [3]int{0, 1 << 20, 8 << 20}
