package invoker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/ready"
)

// Invoker runs functions. Make one with New; its methods may be called concurrently.
type Invoker struct {
	opt     Options
	caps    sandbox.Caps
	inLine  time.Duration // how long a request may expect to stand behind others
	metrics *metrics
	budget  budget
	pump    *pump

	pools     sync.Map // Target.Generation -> *pool; what a warm call looks at
	functions sync.Map // "service/function" -> *function

	mu        sync.Mutex // guards instances
	instances map[*process]struct{}

	dying    atomic.Int64 // instances that are being ended
	waiting  atomic.Int64 // calls that wait for an instance
	closing  atomic.Bool
	janitor  janitor
	stock    *stock
	poller   *ready.Poller
	doors    []*door
	quit     chan struct{} // closed by Close
	work     sync.WaitGroup
	pumping  sync.WaitGroup
	closed   chan struct{} // closed when Close is through
	closeOne sync.Once
}

// New makes an Invoker. It starts no instance; call Close in the end.
func New(o Options) (*Invoker, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	caps, err := o.Driver.Probe()
	if err != nil {
		return nil, fmt.Errorf("invoker: sandbox driver %s: %w", o.Driver.Name(), err)
	}
	if o.Network == sandbox.NetNAT && !caps.NetNAT {
		o.Network = sandbox.NetNone // the driver has said why
	}
	v := &Invoker{
		caps:      caps,
		opt:       o,
		inLine:    inLine,
		budget:    budget{maxInstances: o.MaxInstances, maxMemoryMB: o.MaxMemoryMB},
		instances: make(map[*process]struct{}),
		janitor:   newJanitor(),
		quit:      make(chan struct{}),
		closed:    make(chan struct{}),
	}
	if v.stock, err = newStock(v); err != nil {
		return nil, fmt.Errorf("invoker: %w", err)
	}
	m, err := newMetrics(o.Registerer, v)
	if err != nil {
		return nil, fmt.Errorf("invoker: metrics: %w", err)
	}
	v.metrics = m
	if v.pump, err = newPump(); err != nil {
		return nil, fmt.Errorf("invoker: %w", err)
	}
	if v.poller, err = ready.New(); err != nil {
		v.pump.close()
		return nil, fmt.Errorf("invoker: %w", err)
	}
	for _, s := range o.Services {
		d := newDoor(s, v.poller)
		v.doors = append(v.doors, d)
		v.pumping.Go(func() { s.Serve(d) })
	}
	v.work.Go(v.sweep)
	if reason := v.stock.off(); reason == "" {
		for range restockers() {
			v.work.Go(v.restock)
		}
	} else if o.PoolMax >= 0 {
		o.Log.Warn("instances are never ready beforehand: each function's first call starts its own", zap.String("reason", reason))
	}
	v.pumping.Go(v.pump.run)
	return v, nil
}

// errStale says that an instance had ended before the request reached it.
var errStale = errors.New("the instance had ended before the request")

// Invoke makes one synchronous invocation. ctx bounds the wait for an instance; a function that runs goes on to its
// end or its timeout even if nobody waits for it any more. A function's own failure is a Result with ErrorType; errors
// are *fc.Error and mean that the invocation did not take place or was cut by Close.
func (v *Invoker) Invoke(ctx context.Context, call fc.Call) (fc.Result, error) {
	res, err := v.invoke(ctx, call)
	if err != nil {
		v.metrics.refused(err)
		return fc.Result{}, err
	}
	v.metrics.ran(res.ErrorClass, res.Duration)
	return res, nil
}

func (v *Invoker) invoke(ctx context.Context, call fc.Call) (fc.Result, error) {
	t, err := v.opt.Functions.Target(call.Ref)
	if err != nil {
		return fc.Result{}, err
	}
	if err := v.collect(&call, t); err != nil {
		return fc.Result{}, err
	}
	if limit := v.opt.Limits.MaxSyncBodyBytes; int64(len(call.Payload)) > limit {
		return fc.Result{}, fc.Errorf(fc.EntityTooLarge, "payload size exceeds maximum allowed size (%d bytes)", limit)
	}
	want := want{alone: len(call.Payload) > smallBody || call.HTTP != nil || call.Stop != nil}
	for {
		inst, err := v.acquire(ctx, t, want)
		if err != nil {
			return fc.Result{}, err
		}
		res, err := inst.serve(ctx, call, t)
		switch {
		case errors.Is(err, errStale):
		case errors.Is(err, errWithdrawn):
			want.first = true
		case errors.Is(err, errNotBehind):
			want.first, want.alone = true, true
		default:
			return res, err
		}
	}
}

func errClosing() error {
	return fc.Errorf(fc.ResourceThrottled, "the daemon is shutting down")
}

// Close refuses new calls and those that wait, lets running ones end until ctx does and kills what is left then. It
// returns when no instance is left. Further calls wait for the first.
func (v *Invoker) Close(ctx context.Context) error {
	v.closeOne.Do(func() {
		v.closing.Store(true)
		close(v.quit)
		v.stock.close()
		v.functions.Range(func(_, f any) bool {
			f.(*function).close()
			return true
		})
		idle := make(chan struct{})
		go func() { v.work.Wait(); close(idle) }()
		select {
		case <-idle:
		case <-ctx.Done():
			v.killAll()
			<-idle
		}
		v.pump.close()
		for _, d := range v.doors {
			d.Close()
		}
		v.pumping.Wait()
		v.poller.Close()
		close(v.closed)
	})
	<-v.closed
	return nil
}

// close sends the waiters away and retires the idle instances.
func (fn *function) close() {
	fn.mu.Lock()
	defer fn.mu.Unlock()
	for _, w := range fn.waiting {
		w.ready <- grant{err: errClosing()}
	}
	fn.waiting = nil
	for _, p := range fn.pools {
		p.retireAll()
	}
}

func (v *Invoker) killAll() {
	v.mu.Lock()
	all := make([]*process, 0, len(v.instances))
	for inst := range v.instances {
		all = append(all, inst)
	}
	v.mu.Unlock()
	for _, inst := range all {
		inst.cut()
	}
}

func (v *Invoker) add(inst *process) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.instances[inst] = struct{}{}
}

func (v *Invoker) remove(inst *process) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.instances, inst)
}

// Changed tells that a record was written: targets may have changed. It only wakes a look at the pools, so it may be
// called for every change there is, from any goroutine.
func (v *Invoker) Changed(string) { wake(v.janitor.changed) }

// all is a snapshot of the functions that have pools.
func (v *Invoker) all() (fns []*function) {
	v.functions.Range(func(_, f any) bool {
		fns = append(fns, f.(*function))
		return true
	})
	return slices.Clip(fns)
}
