package invoker

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/invoker/runtimes"
	"fcd/invoker/sandbox"
)

// launch makes an instance for a pool: of a generic process if there is one, else from the start. Errors are *fc.Error.
func (v *Invoker) launch(p *pool) (*instance, error) {
	inst, err := v.makeInstance(context.Background(), p)
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

func (v *Invoker) makeInstance(ctx context.Context, p *pool) (*instance, error) {
	t := p.target
	rt, err := v.opt.Runtimes.Get(t.Function.Runtime)
	if err != nil {
		return nil, err
	}
	if err := rt.Ready(); err != nil {
		return nil, err
	}
	dir, err := v.opt.Code.Dir(ctx, t.Function.CodeSHA256)
	if err != nil {
		return nil, err
	}
	if k, ok := v.stock.kind(t, rt); !ok {
		v.metrics.fresh(freshNeeds)
	} else if proc := v.stock.take(k); proc == nil {
		v.metrics.fresh(freshEmpty)
	} else if inst, err := v.claim(ctx, p, rt, proc, dir); err == nil {
		return inst, nil
	} else {
		v.metrics.fresh(freshFailed)
		v.opt.Log.Warn("a generic instance could not be claimed", zap.String("function", p.fn.name), zap.String("instance", proc.id), zap.Error(err))
	}
	return v.startFresh(ctx, p, rt, dir)
}

// claim makes a generic process an instance of the pool, for ever. It ends the process if that fails half-way.
func (v *Invoker) claim(ctx context.Context, p *pool, rt *runtimes.Runtime, proc *process, dir string) (*instance, error) {
	begin := v.opt.Now()
	inst, err := func() (*instance, error) {
		if err := proc.sb.Claim(ctx, dir, v.limits(p.target.Function)); err != nil {
			return nil, err
		}
		if proc.exited() {
			return nil, errors.New("it ended while it waited")
		}
		return v.bind(p, proc, rt, v.binding(p.target, proc.id))
	}()
	if err != nil {
		v.metrics.claimFailures.Inc()
		v.work.Go(proc.discard)
		return nil, err
	}
	v.metrics.claims.Observe(v.opt.Now().Sub(begin).Seconds())
	return inst, nil
}

// startFresh starts a process with the code in place and makes it an instance.
func (v *Invoker) startFresh(ctx context.Context, p *pool, rt *runtimes.Runtime, dir string) (*instance, error) {
	b := v.binding(p.target, newID())
	spec, err := v.spec(rt, b, dir)
	if err != nil {
		return nil, err
	}
	proc, err := v.startProcess(ctx, spec, !rt.ServesHTTP())
	var program *sandbox.ProgramError
	if errors.As(err, &program) && rt.ServesHTTP() {
		return nil, fc.Errorf(fc.InvalidArgument, "the function cannot be started: %s", program.Reason)
	}
	if err != nil {
		return nil, err
	}
	inst, err := v.bind(p, proc, rt, b)
	if err != nil {
		proc.discard()
		return nil, err
	}
	if d := v.debug(p.target); d != nil && d.Started != nil {
		d.Started(proc.sb)
	}
	return inst, nil
}
