package invoker

import (
	"cmp"
	"context"
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/fc"
	"fcd/invoker/runtimes"
	"fcd/invoker/sandbox"
)

// Functions resolves names. It is asked once per call, so it must answer from memory.
type Functions interface {
	Target(ref fc.FunctionRef) (*fc.Target, error)
}

// Code gives the unpacked package of a checksum: a complete directory that nobody changes.
type Code interface {
	Dir(ctx context.Context, sha256 string) (string, error)
}

// Runtimes is the table of interpreters.
type Runtimes interface {
	Get(name string) (*runtimes.Runtime, error)
}

// Credentials gives the temporary keys of a service's role. The session names the function, "service/function".
type Credentials interface {
	Credentials(ctx context.Context, roleARN, session string) (fc.Credentials, error)
}

// A Service is something of the daemon's that functions reach inside their own network namespace, where the driver can
// listen there. Serve must return when the listener is closed, and may be called many times at once.
type Service struct {
	Address string // host:port, tcp
	Serve   func(net.Listener)
}

// Options configure an Invoker. Functions, Code, Driver and Runtimes are required; zero values of the others give the
// stated defaults.
type Options struct {
	Functions   Functions
	Code        Code
	Credentials Credentials // nil: functions get no keys, whatever their role
	Driver      sandbox.Driver
	Runtimes    Runtimes
	Logs        Logs // nil: lines are dropped, but for tails

	Region, AccountID string
	HostsFile         string            // /etc/hosts of the instances; "" = localhost only
	Services          []Service         // closed with each instance
	ExtraEnv          map[string]string // variables of every function; a function's own win over them
	LogStyle          string            // frame.LogPlain (default) or frame.LogBracket
	Errors            ErrorTexts
	IgnorePromises    bool   // Node: a promise that a handler returns does not settle the request
	LogAll            bool   // Logs gets the lines of services without a logstore too
	Debug             *Debug // nil: nothing is debugged

	// Network is what functions of services with internetAccess see; those of others see nothing, as do all where the
	// driver cannot do NetNAT (Caps). Default NetNone.
	Network sandbox.NetMode

	FunctionConcurrency int           // instances of one function at a time; 100
	MaxInstances        int           // instances of all functions; 300
	MaxMemoryMB         int           // sum of the memory sizes of all instances; 7/8 of the machine's memory
	MaxWaiting          int           // calls of one function that wait for a busy instance; 256
	MaxWait             time.Duration // how long they wait; 10 s
	Patience            time.Duration // how long a call hopes for a busy instance before another is started; 2 ms

	// PoolSizes are how many generic instances, interpreters that wait for a function, there are of each runtime in use, by
	// its name. Default: what the runtime says, 2 of Node and Python, 1 of Java for each memory size in use. 0: none.
	PoolSizes map[string]int
	// PoolMax is how many there may be of one kind where many functions are called for the first time; 8. Below 0: there are
	// none at all.
	PoolMax int

	// LowMemoryMB is how much memory of the machine idle instances leave available: below, those used the longest time ago
	// are retired. Default 1/32 of all.
	LowMemoryMB int
	AvailableMB func() int // what is available; MemAvailable of /proc/meminfo

	IdleTimeout  time.Duration // an instance idle for so long is retired; 5 min
	StartTimeout time.Duration // from the start of an interpreter to its readiness; 30 s
	// CustomStartTimeout is the time that a program of the runtime custom has until it listens; 120 s.
	CustomStartTimeout time.Duration
	// FreezeAfter is how long an instance has been idle when its PreFreeze hook runs; 1 s.
	FreezeAfter time.Duration
	KillGrace   time.Duration // between SIGTERM and SIGKILL after a timeout; 300 ms
	StopGrace   time.Duration // for the end of an instance whose input was closed; 500 ms

	CPUShare       bool // bound the processor share of an instance by its memory size, a core at 1024 MB
	Pids           int  // processes and threads of an instance; 0 = the driver's default
	TmpMB          int  // size of /tmp; 512
	MaxRecordBytes int  // a longer line becomes several records; 32 KiB
	Limits         fc.Limits

	Now        func() time.Time // time.Now
	Log        *zap.Logger
	Registerer prometheus.Registerer
}

// ErrorTexts choose between the guide's error bodies and those of the real service.
type ErrorTexts struct {
	// Uncaught is frame.UncaughtDetail (default) or frame.UncaughtExited, for uncaught errors of Node.
	Uncaught string
	// ExitSuffix appends duration and memory to the text of an exited process.
	ExitSuffix bool
	// OOMMessage replaces the exit text when memory ran out; "" keeps it.
	OOMMessage string
}

func (o *Options) setDefaults() error {
	switch {
	case o.Functions == nil:
		return errors.New("invoker: Options.Functions is missing")
	case o.Code == nil:
		return errors.New("invoker: Options.Code is missing")
	case o.Driver == nil:
		return errors.New("invoker: Options.Driver is missing")
	case o.Runtimes == nil:
		return errors.New("invoker: Options.Runtimes is missing")
	}
	o.Network = cmp.Or(o.Network, sandbox.NetNone)
	o.FunctionConcurrency = cmp.Or(o.FunctionConcurrency, 100)
	o.MaxInstances = cmp.Or(o.MaxInstances, 300)
	o.MaxMemoryMB = cmp.Or(o.MaxMemoryMB, machineMemoryMB()*7/8)
	o.MaxWaiting = cmp.Or(o.MaxWaiting, 256)
	o.MaxWait = cmp.Or(o.MaxWait, 10*time.Second)
	o.Patience = cmp.Or(o.Patience, 2*time.Millisecond)
	o.PoolMax = cmp.Or(o.PoolMax, 8)
	o.LowMemoryMB = cmp.Or(o.LowMemoryMB, machineMemoryMB()/32)
	if o.AvailableMB == nil {
		o.AvailableMB = availableMB
	}
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 5*time.Minute)
	o.StartTimeout = cmp.Or(o.StartTimeout, 30*time.Second)
	o.FreezeAfter = cmp.Or(o.FreezeAfter, time.Second)
	o.CustomStartTimeout = cmp.Or(o.CustomStartTimeout, 120*time.Second)
	o.KillGrace = cmp.Or(o.KillGrace, 300*time.Millisecond)
	o.StopGrace = cmp.Or(o.StopGrace, 500*time.Millisecond)
	o.TmpMB = cmp.Or(o.TmpMB, 512)
	o.MaxRecordBytes = cmp.Or(o.MaxRecordBytes, 32<<10)
	if o.Limits == (fc.Limits{}) {
		o.Limits = fc.DefaultLimits()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return nil
}
