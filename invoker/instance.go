package invoker

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/invoker/runtimes"
	"fcd/invoker/runtimes/frame"
)

// Timings that nobody needs to change.
const (
	tailWait     = 50 * time.Millisecond  // for end fences behind an answer whose caller wants the tail
	drainWait    = 100 * time.Millisecond // for log bytes behind the end of the tree
	exitWait     = 100 * time.Millisecond // for the exit status behind the end of the answers
	keysMargin   = 10 * time.Minute       // credentials are renewed when they have less left
	measureEvery = 100 * time.Millisecond // memory of requests shorter than measureShort is looked at so often
	measureShort = time.Millisecond
	bytesPerMB   = 1 << 20
)

// An instance is a process bound to one generation of a function. It serves one request at a time: whoever took it from
// the pool owns all fields that are not the pool's, until it is put back or ended.
type instance struct {
	*process
	pool    *pool
	journal *journal

	hello       *frame.Hello // until it has been sent
	initialized bool
	served      int
	keys        fc.Credentials
	memoryMB    float64   // the last measured peak
	measured    time.Time // when
	ending      sync.Once

	// Guarded by the function's mu.
	idle      bool
	idleSince time.Time
	leaving   bool
}

// launch starts an instance for a pool. Errors are *fc.Error.
func (v *Invoker) launch(p *pool) (*instance, error) {
	inst, err := v.bindNew(context.Background(), p)
	if err != nil {
		v.metrics.failed.Inc()
		v.opt.Log.Warn("an instance could not be started", zap.String("function", p.fn.name), zap.Error(err))
		return nil, refused("invoker.launch", err)
	}
	v.metrics.cold.Inc()
	return inst, nil
}

// refused is err as callers of the API may see it.
func refused(op string, err error) error {
	var e *fc.Error
	if errors.As(err, &e) {
		return e
	}
	return fc.Internal(op, err)
}

// bindNew starts a process with the code in place and makes it an instance.
func (v *Invoker) bindNew(ctx context.Context, p *pool) (*instance, error) {
	rt, err := v.opt.Runtimes.Get(p.target.Function.Runtime)
	if err != nil {
		return nil, err
	}
	if err := rt.Ready(); err != nil {
		return nil, err
	}
	b := v.binding(p.target, newID())
	spec, err := v.spec(ctx, rt, b)
	if err != nil {
		return nil, err
	}
	proc, err := v.startProcess(ctx, spec)
	if err != nil {
		return nil, err
	}
	inst, err := v.bind(p, proc, b.Token, rt.Hello(b))
	if err != nil {
		proc.kill()
		proc.closePipes()
		return nil, err
	}
	if d := v.debug(p.target); d != nil && d.Started != nil {
		d.Started(proc.sb)
	}
	return inst, nil
}

// bind makes a process that waits for its HELLO an instance of the pool.
func (v *Invoker) bind(p *pool, proc *process, token frame.Token, hello frame.Hello) (*instance, error) {
	inst := &instance{process: proc, pool: p, hello: &hello}
	t := p.target
	inst.journal = newJournal(v.opt.Logs, fc.LogRecord{
		Project: t.Service.LogConfig.Project, Logstore: t.Service.LogConfig.Logstore,
		Service: t.Service.Name, Function: t.Function.Name, VersionID: t.VersionID, InstanceID: proc.id,
	}, token, v.opt.MaxRecordBytes, v.opt.Now, proc.logs)
	inst.journal.ship = inst.journal.ship || v.opt.LogAll && v.opt.Logs != nil
	if err := v.pump.add(inst.journal); err != nil {
		return nil, err
	}
	v.work.Add(1) // until end is through
	v.work.Go(func() {
		proc.watch()
		p.lost(inst)
	})
	return inst, nil
}

// credentials returns the keys to send with the next request, nil if the instance has them already.
func (i *instance) credentials(ctx context.Context) (*frame.Credentials, error) {
	role, source := i.pool.target.Service.Role, i.v.opt.Credentials
	if role == "" || source == nil {
		return nil, nil
	}
	if i.keys.AccessKeyID != "" && i.keys.Expiration.Sub(i.v.opt.Now()) > keysMargin {
		return nil, nil
	}
	keys, err := source.Credentials(ctx, role, i.pool.fn.name)
	if err != nil {
		return nil, refused("invoker.credentials", err)
	}
	if keys == i.keys {
		return nil, nil
	}
	i.keys = keys
	sent := runtimes.Credentials(keys)
	return &sent, nil
}

// measure looks at the peak of memory since the last look. Requests too short to use much share one look.
func (i *instance) measure(took time.Duration) {
	now := i.v.opt.Now()
	if took < measureShort && now.Sub(i.measured) < measureEvery {
		return
	}
	i.measured = now
	u, err := i.sb.Stats()
	if err != nil {
		return
	}
	i.memoryMB = float64(u.PeakMemoryBytes) / bytesPerMB
	_ = i.sb.ResetPeak() // where the kernel cannot, the peak is that of the instance's life
}

// stop ends an idle instance in good order: its input ends, and it has StopGrace to go by itself.
func (i *instance) stop() {
	i.in.Close()
	i.awaitExit(i.v.opt.StopGrace)
	i.destroy()
}

// expire ends an instance whose request ran into its deadline: SIGTERM lets it write where it hangs.
func (i *instance) expire() {
	if err := i.sb.Signal(syscall.SIGTERM); err == nil {
		i.awaitExit(i.v.opt.KillGrace)
	}
	i.destroy()
}

// destroy kills the tree, takes in the last log lines and closes everything. It may be called again.
func (i *instance) destroy() {
	i.kill()
	i.ending.Do(func() {
		i.journal.drainEnd(time.Now().Add(drainWait))
		i.v.pump.remove(i.journal)
		i.closePipes()
	})
}
