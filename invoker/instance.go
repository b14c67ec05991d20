package invoker

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"fcd/fc"
	"fcd/invoker/runtimes"
	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox"
)

// Timings that nobody needs to change.
const (
	tailWait     = time.Second            // for end fences behind an answer whose caller wants the tail; they follow at once, unless the machine is very busy
	initWait     = time.Second            // for end fences behind an initializer's answer, before the invocation begins
	drainWait    = 100 * time.Millisecond // for log bytes behind the end of the tree
	exitWait     = time.Second            // for the exit status behind the end of the answers, which tells an exit from a kill; as above
	keysMargin   = 10 * time.Minute       // credentials are renewed when they have less left
	measureEvery = 100 * time.Millisecond // memory of requests quick enough to stand in line is looked at so often,
	measurePause = 10 * time.Millisecond  // that of other requests, where they follow each other, so often
	bytesPerMB   = 1 << 20
)

// An instance is a process bound to one generation of a function. It serves one request at a time, or as many as its
// function's instanceConcurrency allows.
type instance struct {
	*process
	pool    *pool
	journal *journal
	speaker speaker

	served atomic.Int64
	ending sync.Once

	// Written by the request that has the instance alone, before it is opened to others.
	initialized, opened bool

	mu       sync.Mutex // guards these
	keys     fc.Credentials
	memoryMB float64   // the last measured peak
	measured time.Time // when

	requests sync.WaitGroup // those in flight

	// Guarded by the function's mu.
	room      int // how many requests it may have in flight: 1 until it is open
	load      int // how many it has
	idle      bool
	idleSince time.Time
	proven    bool // it has served a request well
	rested    bool // its PreFreeze hook has run, or is running, since it last served a request
	retiring  bool // it takes no further request
	leaving   bool // it is being ended
}

// bind makes a process that waits for its HELLO, or that is to listen, an instance of the pool.
func (v *Invoker) bind(p *pool, proc *process, rt *runtimes.Runtime, b runtimes.Binding) (*instance, error) {
	inst := &instance{process: proc, pool: p, room: 1}
	t := p.target
	reader, err := inst.speak(rt, b)
	if err != nil {
		return nil, err
	}
	var attribution *mixed
	if p.concurrency > 1 || rt.ServesHTTP() {
		attribution = &mixed{}
	}
	inst.journal = newJournal(v.opt.Logs, fc.LogRecord{
		Project: t.Service.LogConfig.Project, Logstore: t.Service.LogConfig.Logstore,
		Service: t.Service.Name, Function: t.Function.Name, VersionID: t.VersionID, InstanceID: proc.id,
	}, b.Token, v.opt.MaxRecordBytes, v.opt.Now, proc.logs, attribution)
	inst.journal.ship = inst.journal.ship || v.opt.LogAll && v.opt.Logs != nil
	if err := v.pump.add(inst.journal); err != nil {
		return nil, err
	}
	v.work.Add(1) // until end is through
	proc.onEnd(func() { p.lost(inst) })
	if reader != nil {
		v.work.Go(reader)
	}
	return inst, nil
}

// speak gives the instance its speaker. read, if not nil, is to be run for as long as the instance lives.
func (i *instance) speak(rt *runtimes.Runtime, b runtimes.Binding) (read func(), err error) {
	if rt.ServesHTTP() {
		i.speaker, err = newWeb(i.process, b.Target, &i.v.opt)
		return nil, err
	}
	hello := rt.Hello(b)
	if p, ok := i.process.sb.(sandbox.Placed); ok {
		hello.CodeDir = p.CodeDir()
		hello.Env["FC_FUNC_CODE_PATH"] = p.CodeDir() + "/"
	}
	if i.pool.concurrency == 1 {
		i.speaker = &lane{process: i.process, hello: &hello, drain: func() int { return i.journal.drain() }}
		return nil, nil
	}
	m, err := newMux(i.process, &hello)
	if err != nil {
		return nil, err
	}
	i.speaker = m
	return m.read, nil
}

// credentials returns the keys of the service's role.
func (i *instance) credentials(ctx context.Context) (frame.Credentials, error) {
	role, source := i.pool.target.Service.Role, i.v.opt.Credentials
	if role == "" || source == nil {
		return frame.Credentials{}, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.keys.AccessKeyID == "" || i.keys.Expiration.Sub(i.v.opt.Now()) <= keysMargin {
		keys, err := source.Credentials(ctx, role, i.pool.fn.name)
		if err != nil {
			return frame.Credentials{}, refused("invoker.credentials", err)
		}
		i.keys = keys
	}
	return runtimes.Credentials(i.keys), nil
}

// memory is the peak that was measured last, in MB.
func (i *instance) memory() float64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.memoryMB
}

// measure looks at the peak of memory since the last look. Requests too short to use much share one look. Requests that
// share an instance share its memory: the peak is that of the instance's life then.
func (i *instance) measure(took time.Duration) {
	now := i.v.opt.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if since := now.Sub(i.measured); took < inLine && since < measureEvery || took < measurePause && since < measurePause {
		return
	}
	i.measured = now
	peak, err := i.sb.Peak()
	if err != nil {
		return
	}
	i.memoryMB = float64(peak) / bytesPerMB
	if i.pool.concurrency == 1 {
		_ = i.sb.ResetPeak() // where the kernel cannot, the peak is that of the instance's life
	}
}

// stop ends an idle instance in good order: its hook runs, its input ends, and it has StopGrace to go by itself.
func (i *instance) stop() {
	i.preStop()
	i.speaker.hangUp()
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
