package invoker

import (
	"context"
	"runtime"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/invoker/sandbox"
)

// restockers are how many generic processes start at a time: the other half of the machine is for those who call.
func restockers() int { return max(1, runtime.NumCPU()/2) }

// backgroundPatience is how many times longer a start may take for which nobody waits: others have the processors first.
const backgroundPatience = 4

// restock fills the stock, until the invoker closes. It begins when a cold call has been answered, so that the call does
// not share the processor with what it made necessary, and waits, though not for long, while calls wait for instances.
func (v *Invoker) restock() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-v.quit:
			return
		case <-v.stock.wake:
		case <-timer.C:
		}
		for {
			k, ok, next := v.stock.lacking()
			if !ok {
				if !next.IsZero() {
					timer.Reset(max(next.Sub(v.opt.Now()), time.Millisecond))
				}
				break
			}
			wake(v.stock.wake) // another restocker may find more
			v.addGeneric(k)
		}
	}
}

// addGeneric starts a generic process and puts it on its shelf.
func (v *Invoker) addGeneric(k kind) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // nobody waits at the end for a start that nobody needs
		select {
		case <-v.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	p, err := v.startProcess(ctx, v.genericSpec(k), true)
	kept := v.stock.started(k, p, err)
	switch {
	case err != nil && v.closing.Load():
	case err != nil:
		v.opt.Log.Warn("no generic instance could be started, calls start their own", zap.String("runtime", k.runtime.Name), zap.Error(err))
	case !kept:
		p.discard()
	}
}

// genericSpec describes a sandbox that is started before its function is known. It starts behind those that serve calls.
func (v *Invoker) genericSpec(k kind) sandbox.Spec {
	path, args := k.runtime.Command(k.heapMB)
	limits := sandbox.Limits{Pids: v.opt.Pids, Background: v.caps.HardCPU}
	if v.caps.HardMemory { // without, what an ordinary user has lowered once he cannot raise again
		limits.MemoryMB = k.runtime.StartMB(k.heapMB)
	}
	return sandbox.Spec{
		ID: newID(), Runtime: k.runtime.Name, Root: k.runtime.Root, BootstrapDir: k.runtime.BootstrapDir(),
		HostsFile: v.opt.HostsFile, Limits: limits, TmpMB: v.opt.TmpMB, Network: k.network,
		Path: path, Args: args, Env: k.runtime.StartEnv(),
	}
}

// Expect tells that a function is about to be called for the first time, since it was just made. It starts generic
// instances in the background if the function's runtime has none. An unknown function is none.
func (v *Invoker) Expect(ref fc.FunctionRef) {
	if v.stock.off() != "" {
		return
	}
	t, err := v.opt.Functions.Target(ref)
	if err != nil {
		return
	}
	rt, err := v.opt.Runtimes.Get(t.Function.Runtime)
	if err != nil {
		return
	}
	if k, ok := v.stock.kind(t, rt); ok {
		v.stock.expect(k)
	}
}
