package daemon

import (
	"context"

	"fcd/fc"
	"fcd/invoker"
)

// Develop is what somebody who works on a function wants of the daemon beside its service. The zero value is nothing.
type Develop struct {
	Lines invoker.Logs   // gets every line of every function at once, besides the logstores
	Debug *invoker.Debug // one function is debugged; calls of each function then go to one instance, one after the other
}

func (v Develop) apply(o *invoker.Options) {
	if v.Lines != nil {
		o.Logs, o.LogAll = bothLogs{o.Logs, v.Lines}, true
	}
	if v.Debug != nil {
		o.Debug, o.FunctionConcurrency = v.Debug, 1
	}
}

// bothLogs gives lines to the pipeline, as far as they have a logstore, and to whoever watches.
type bothLogs struct{ pipeline, watcher invoker.Logs }

func (b bothLogs) Append(rs ...fc.LogRecord) {
	b.pipeline.Append(rs...)
	b.watcher.Append(rs...)
}

// Warm makes sure that the function has an instance, so that its next call need not wait for the start of one.
func (d *Daemon) Warm(ctx context.Context, ref fc.FunctionRef) error { return d.invoker.Warm(ctx, ref) }
