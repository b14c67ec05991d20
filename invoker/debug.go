package invoker

import (
	"context"
	"time"

	"fcd/fc"
	"fcd/invoker/sandbox"
)

// Debug lets somebody debug one function: the interpreter of its instances starts with its debugger listening on a port
// of the instance's own loopback, and neither its calls nor its initializer have a deadline. Whoever wants all calls
// on one instance, so that breakpoints stay where they are, sets Options.FunctionConcurrency to 1 as well.
type Debug struct {
	Function fc.FunctionRef // the qualifier does not matter
	Port     int            // 1024-65535
	// Started is told of each new instance of the function once its debugger listens; sandbox.Dialer reaches it. It must
	// not block.
	Started func(sandbox.Instance)
}

// debugTimeout stands in for all time limits of a function that is debugged.
const debugTimeout = 30 * 24 * time.Hour

// debug is Options.Debug if it is about the target, else nil.
func (v *Invoker) debug(t *fc.Target) *Debug {
	d := v.opt.Debug
	if d == nil || d.Function.Service != t.Function.ServiceName || d.Function.Function != t.Function.Name {
		return nil
	}
	return d
}

// timeout bounds one run on the instance.
func (i *instance) timeout(seconds int) time.Duration {
	if i.v.debug(i.pool.target) != nil {
		return debugTimeout
	}
	return time.Duration(seconds) * time.Second
}

// Warm makes sure that the function has an instance, so that the next call finds its interpreter started. The instance
// gets no request: it has loaded none of the function's code. Errors are those of Invoke.
func (v *Invoker) Warm(ctx context.Context, ref fc.FunctionRef) error {
	t, err := v.opt.Functions.Target(ref)
	if err != nil {
		return err
	}
	inst, err := v.acquire(ctx, t, want{warm: true, alone: true})
	if err != nil {
		return err
	}
	inst.pool.warmed(inst)
	return nil
}
