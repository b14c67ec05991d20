// Package sandbox is what the invoker knows of isolation: a Driver starts an Instance, one contained process tree with
// four pipes, bounded memory, processor share and process count. The drivers live below this folder (native, later oci
// and process); sandboxtest is the suite that each of them passes.
//
// A Driver's methods may be called concurrently; an Instance's too. Whoever starts an instance must call Kill in the
// end, even after it exited by itself, since Kill is what gives back its cgroup, mounts and uid.
package sandbox

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// NetMode is what of the network an instance sees.
type NetMode string

const (
	NetNone NetMode = "none" // an own network namespace with nothing but lo
	NetNAT  NetMode = "nat"  // the outside through address translation, the host itself closed
	NetHost NetMode = "host" // the host's network; rootless development only
)

// Limits bound one instance.
type Limits struct {
	MemoryMB int // 0: not bounded
	CPUMilli int // thousandths of a core; 0: not bounded
	Pids     int // processes and threads; 0: the driver's default
	// Background says that others come first where processors are scarce, until SetLimits or Claim says otherwise. A driver
	// without Caps.HardCPU may ignore it.
	Background bool
}

// Spec says what to start.
type Spec struct {
	ID           string // unique per daemon life, [a-z0-9-]; names the cgroup
	Runtime      string // for messages only
	Root         string // "" = the host's /usr, else the root directory of the runtime
	CodeDir      string // read-only at /code; "" = generic, to be claimed
	BootstrapDir string // read-only at /var/fc/bootstrap
	HostsFile    string // "" = one with localhost only; else shown (not copied) as /etc/hosts
	Limits       Limits
	TmpMB        int // size of /tmp
	Network      NetMode
	Path         string   // absolute path, inside, of the program to become pid 1
	Args         []string // argv, Args[0] included
	Env          []string // the whole environment, KEY=value
	// The child's ends of the pipes, fd 3, 4, 1, 2 inside. Start duplicates them; the caller closes its own after Start.
	FrameIn, FrameOut, Stdout, Stderr *os.File
}

// Caps is what a driver can do on this host. Shared is the opposite of an ability: instances share processes, files,
// network and user with the host, and only limits hold them. For each false one, Missing holds a reason fit for an operator's eyes,
// keyed by the field's name.
type Caps struct {
	Claim, HardMemory, HardCPU, Pids, NetNone, NetNAT, Freeze, Rootless bool
	Shared                                                              bool
	// OwnKernel says that instances talk to a kernel of their own and not to the host's: what they may ask of it is no
	// matter of the host's safety.
	OwnKernel bool
	Missing   map[string]string
}

// Usage is what an instance used so far.
type Usage struct {
	PeakMemoryBytes int64         // since the last ResetPeak, or since the start where that cannot be reset
	CPU             time.Duration // user and system, whole tree
	OOMKills        int64
}

// Exit tells how an instance ended.
type Exit struct {
	Code   int            // exit code; -1 if a signal ended it
	Signal syscall.Signal // 0 if it exited
	OOM    bool           // the memory limit killed something in it
}

// ErrNotSupported is what an optional ability answers where the host or the driver lacks it.
var ErrNotSupported = errors.New("not supported by this sandbox driver on this host")

// ProgramError says that everything was in place but Spec.Path could not be executed: it is not there, not a program, or
// not the machine's.
type ProgramError struct{ Reason string } // "/code/bootstrap: no such file or directory"

func (e *ProgramError) Error() string { return "the program cannot be executed: " + e.Reason }

// Driver starts instances.
type Driver interface {
	Name() string
	Probe() (Caps, error) // error: the driver cannot run here at all, and why
	Start(ctx context.Context, spec Spec) (Instance, error)
	Close() error // kills and gives back what is left
}

// Instance is one running sandbox.
type Instance interface {
	// Claim shows codeDir at /code of a generic instance and raises its limits. Once; ErrNotSupported where Caps.Claim is
	// false. After an error the instance must be killed.
	Claim(ctx context.Context, codeDir string, limits Limits) error
	Stats() (Usage, error)
	Peak() (bytes int64, err error)  // PeakMemoryBytes of Stats alone, which costs the least
	ResetPeak() error                // starts a new PeakMemoryBytes; ErrNotSupported where the kernel cannot
	Signal(sig syscall.Signal) error // to the whole tree; no error if it is gone
	Kill() error                     // returns when the whole tree is gone and everything is given back; idempotent
	Wait() (Exit, error)             // returns when pid 1 has ended; any number of callers
}

// Listener is an Instance that can listen inside its own network namespace: how the daemon serves the embedded cloud to
// a function that has no other network. The caller closes what it gets.
type Listener interface {
	Listen(network, address string) (net.Listener, error)
}

// Dialer is an Instance that can be connected to inside its own network namespace: how the daemon reaches a function
// that serves HTTP. network is tcp, tcp4 or tcp6 and address numeric, as for Listener.
type Dialer interface {
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// Placed is an Instance that cannot show the code at /code: CodeDir is where the function finds it.
type Placed interface {
	CodeDir() string
}

// Limiter is an Instance whose limits can be changed while it runs, for example to let it start with more of the
// processor than it may use later. Without hard limits (Caps) it does what it can.
type Limiter interface {
	SetLimits(Limits) error
}

// Ender is an Instance that tells of its end, so that nobody needs to wait for it. f gets what Wait returns; it is called
// once, on a goroutine that it may keep, at once if the instance has ended already.
type Ender interface {
	OnEnd(f func(Exit))
}

// Freezer is an Instance that can be stopped and continued whole.
type Freezer interface {
	Freeze() error
	Thaw() error
}
