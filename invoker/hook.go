package invoker

import (
	"context"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/invoker/runtimes"
	"fcd/invoker/runtimes/frame"
)

// preStop runs the hook of an instance that has served a request and still could, before it is retired.
func (i *instance) preStop() {
	hook := i.pool.target.Function.PreStop()
	i.pool.fn.mu.Lock()
	ends := i.retiring // its process does, by itself
	i.pool.fn.mu.Unlock()
	if hook == nil || ends || i.served.Load() == 0 || i.exited() {
		return
	}
	_, _ = i.runHook(frame.TypePreStop, "PreStop", hook)
}

// runHook makes a request of the daemon's own. What comes of it stands in the function's log.
func (i *instance) runHook(kind frame.Type, noun string, hook *fc.LifecycleHook) (outcome, error) {
	keys, err := i.credentials(context.Background())
	if err != nil { // those that it has will have to do
		i.v.opt.Log.Warn("no keys for a hook", zap.String("function", i.pool.fn.name), zap.Error(err))
		i.mu.Lock()
		keys = runtimes.Credentials(i.keys)
		i.mu.Unlock()
	}
	return i.run(run{
		kind: kind, noun: noun, keys: keys, qualifier: i.pool.target.Ref.Qualifier,
		request: frame.Request{ID: fc.NewRequestID()}, timeoutSeconds: hook.TimeoutSeconds,
	})
}

// restSoon has the PreFreeze hook of an instance that has just become idle run, unless it is used before. Called with mu
// held.
func (p *pool) restSoon(inst *instance) {
	if p.target.Function.PreFreeze() == nil || inst.rested || inst.served.Load() == 0 {
		return
	}
	since := inst.idleSince
	time.AfterFunc(p.fn.v.opt.FreezeAfter, func() { p.rest(inst, since) })
}

// rest runs the PreFreeze hook of an instance that has been idle since then. Meanwhile no request gets it.
func (p *pool) rest(inst *instance, since time.Time) {
	fn := p.fn
	fn.mu.Lock()
	if !inst.idle || inst.idleSince != since || inst.leaving || fn.v.closing.Load() {
		fn.mu.Unlock()
		return
	}
	p.unidle(inst)
	room := inst.room
	inst.room = 1
	p.lend(inst, want{alone: true})
	inst.rested = true
	fn.mu.Unlock()

	out, err := inst.runHook(frame.TypePreFreeze, "PreFreeze", p.target.Function.PreFreeze())

	fn.mu.Lock()
	inst.room = room
	fn.mu.Unlock()
	switch {
	case err != nil:
		p.drop(inst, inst.destroy)
	case out.retire:
		p.expel(inst)
	case out.then != nil:
		p.drop(inst, out.then)
	default:
		p.put(inst)
	}
}
