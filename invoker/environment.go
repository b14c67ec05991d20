package invoker

import (
	"fcd/fc"
	"fcd/invoker/runtimes"
	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox"
)

// binding is what ties an instance to a target.
func (v *Invoker) binding(t *fc.Target, id string) runtimes.Binding {
	return runtimes.Binding{
		Target: t, Region: v.opt.Region, AccountID: v.opt.AccountID, InstanceID: id, Token: frame.NewToken(),
		Extra: v.opt.ExtraEnv, LogStyle: v.opt.LogStyle, Errors: frame.Errors{Uncaught: v.opt.Errors.Uncaught},
		IgnorePromises: v.opt.IgnorePromises,
	}
}

// spec describes a sandbox that is started for a function, with its code in place.
func (v *Invoker) spec(rt *runtimes.Runtime, b runtimes.Binding, dir string) (_ sandbox.Spec, err error) {
	f := b.Target.Function
	path, args := rt.Command(rt.HeapMB(f.MemorySizeMB, v.caps.HardMemory))
	if rt.ServesHTTP() {
		path, args = runtimes.Program(f)
	}
	if d := v.debug(b.Target); d != nil {
		if args, err = rt.Debug(args, d.Port); err != nil {
			return sandbox.Spec{}, err
		}
	}
	return sandbox.Spec{
		ID: b.InstanceID, Runtime: rt.Name, Root: rt.Root, CodeDir: dir, BootstrapDir: rt.BootstrapDir(),
		HostsFile: v.opt.HostsFile,
		Limits:    v.limits(f),
		TmpMB:     v.opt.TmpMB, Network: v.network(b.Target.Service),
		Path: path, Args: args, Env: rt.Environment(b),
	}, nil
}

// limits are what an instance of a function is held to.
func (v *Invoker) limits(f *fc.Function) sandbox.Limits {
	return sandbox.Limits{MemoryMB: f.MemorySizeMB, CPUMilli: v.cpuMilli(f), Pids: v.opt.Pids}
}

// network is what the functions of a service see of it.
func (v *Invoker) network(s *fc.Service) sandbox.NetMode {
	if s.InternetAccess {
		return v.opt.Network
	}
	return sandbox.NetNone
}

// cpuMilli is the processor share of a function: a core at 1024 MB, in proportion below and above.
func (v *Invoker) cpuMilli(f *fc.Function) int {
	if !v.opt.CPUShare {
		return 0
	}
	return f.MemorySizeMB * 1000 / 1024
}
