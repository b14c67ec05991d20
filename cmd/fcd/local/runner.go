package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"fcd/config"
	"fcd/fc"
	"fcd/invoker"
	"fcd/invoker/runtimes"
	"fcd/invoker/sandbox/native"
)

// RunnerOptions configure a Runner. Config and Function are required.
type RunnerOptions struct {
	Config   *config.Config // what it says of sandboxes, interpreters and limits counts here too
	Function *Function      // resolved
	Logs     invoker.Logs   // nil: the function's lines are dropped
	// Credentials are what the function finds in its context; the zero value gives it none.
	Credentials fc.Credentials
	DebugPort   *DebugPort // nil: the function is not debugged
	// SandboxInit is the binary to start as the sandbox's init; "": the running one, whose main must call native.Main.
	SandboxInit string
	Log         *zap.Logger // nil: none
}

// Runner runs one function from its folder, which is shown to it read-only and as it is at that moment. Its methods may
// be called concurrently.
type Runner struct {
	opt     RunnerOptions
	dir     string // temporary
	driver  *native.Driver
	invoker *invoker.Invoker
}

// NewRunner opens what running needs; no process is started before the first call. Close gives everything back. The
// process must be root or have called native.EnterRootless.
func NewRunner(o RunnerOptions) (_ *Runner, err error) {
	r := &Runner{opt: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.dir, err = os.MkdirTemp("", "fcd-local-"); err != nil {
		return nil, err
	}
	table := make(chan error, 1) // asking the interpreter for its version takes as long as all the rest
	var all *runtimes.Table
	go func() {
		var err error
		all, err = o.runtimes(r.dir)
		table <- err
	}()
	r.driver, err = o.openSandbox()
	if err := errors.Join(err, <-table); err != nil {
		return nil, err
	}
	r.invoker, err = invoker.New(r.options(all))
	return r, err
}

// openSandbox opens a driver that the function's folder is open to. It may give a driver and an error.
func (o *RunnerOptions) openSandbox() (*native.Driver, error) {
	so := o.Config.SandboxOptions()
	so.InitPath, so.Log = o.SandboxInit, o.Log
	driver, err := native.New(so)
	if err != nil {
		return nil, err
	}
	if !driver.SameUser() {
		err = o.Function.readable()
	}
	return driver, err
}

// runtimes is the table with the function's runtime alone.
func (o *RunnerOptions) runtimes(dir string) (*runtimes.Table, error) {
	ro := o.Config.RuntimesOptions()
	ro.BootstrapDir, ro.Only, ro.Log = dir, []string{o.Function.Runtime}, o.Log
	table, err := runtimes.New(ro)
	if err != nil {
		return nil, err
	}
	rt, err := table.Get(o.Function.Runtime)
	if err != nil {
		return nil, err
	}
	if status := rt.Probe(); !status.Ready {
		return nil, errors.New(status.Reason)
	}
	if o.DebugPort != nil {
		return table, o.Function.debuggable(rt)
	}
	return table, nil
}

func (r *Runner) options(table *runtimes.Table) invoker.Options {
	o := r.opt.Config.InvokerOptions()
	o.PoolMax = -1 // there is one function: nothing is to wait for others
	o.Functions, o.Code, o.Credentials = r, r, r
	o.Driver, o.Runtimes, o.Log = r.driver, table, r.opt.Log
	o.Logs, o.LogAll = r.opt.Logs, true
	o.AccountID = r.opt.Config.Account.ID
	if p := r.opt.DebugPort; p != nil {
		o.Debug = p.Debug(r.opt.Function.Ref())
		o.FunctionConcurrency, o.MaxWait = 1, forever
	}
	return o
}

// forever is longer than anybody debugs.
const forever = 30 * 24 * time.Hour

// Target resolves the function, whatever it is asked for by name; it is for the invoker.
func (r *Runner) Target(ref fc.FunctionRef) (*fc.Target, error) {
	f := r.opt.Function.record()
	f.CodeSHA256 = "folder"
	service := &fc.Service{Name: f.ServiceName}
	if r.opt.Credentials != (fc.Credentials{}) {
		service.Role = "acs:ram::0:role/local"
	}
	return &fc.Target{Ref: ref, VersionID: fc.Latest, Service: service, Function: f, Generation: "1"}, nil
}

// Dir is the function's folder; it is for the invoker.
func (r *Runner) Dir(context.Context, string) (string, error) { return r.opt.Function.Dir, nil }

// Credentials are the keys of the options; it is for the invoker.
func (r *Runner) Credentials(context.Context, string, string) (fc.Credentials, error) {
	return r.opt.Credentials, nil
}

// errInterrupted is a call that ctx cut.
var errInterrupted = errors.New("interrupted")

// Invoke calls the function. A function error is a Result with an ErrorType. When ctx ends, so do the call and the
// Runner's use.
func (r *Runner) Invoke(ctx context.Context, event []byte) (fc.Result, error) {
	ref := r.opt.Function.Ref()
	stop := context.AfterFunc(ctx, func() { r.invoker.Close(ctx) })
	defer stop()
	res, err := r.invoker.Invoke(ctx, fc.Call{RequestID: fc.NewRequestID(), Ref: ref, Payload: event, Tail: true})
	if err != nil && ctx.Err() != nil {
		err = errInterrupted
	}
	return res, err
}

// Warm makes sure that the next call finds an instance.
func (r *Runner) Warm(ctx context.Context) error { return r.invoker.Warm(ctx, r.opt.Function.Ref()) }

// InvokeDebugged starts an instance, waits until a debugger has attached through the debug port, and calls the function.
func (r *Runner) InvokeDebugged(ctx context.Context, event []byte) (fc.Result, error) {
	if err := r.Warm(ctx); err != nil {
		return fc.Result{}, err
	}
	if err := r.opt.DebugPort.Attached(ctx); err != nil {
		return fc.Result{}, fmt.Errorf("no debugger came: %w", errInterrupted)
	}
	return r.Invoke(ctx, event)
}

// Retire has the function's hooks run, as they do when an instance turns idle and when it is retired. When ctx ends, so do
// they. Nothing can be called afterwards.
func (r *Runner) Retire(ctx context.Context) error {
	if r.opt.Function.lifecycle() == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { r.invoker.Close(ctx) })
	defer stop()
	if err := r.invoker.Rest(r.opt.Function.Ref()); err != nil {
		return err
	}
	return r.invoker.Close(ctx)
}

// Close ends the instance and gives back what the Runner holds.
func (r *Runner) Close() error {
	var errs []error
	if r.invoker != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		errs = append(errs, r.invoker.Close(ctx))
	}
	if r.driver != nil {
		errs = append(errs, r.driver.Close())
	}
	if r.dir != "" {
		errs = append(errs, os.RemoveAll(r.dir))
	}
	return errors.Join(errs...)
}
