package native

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/layout"
	"fcd/invoker/sandbox/native/internal/inside"
	"fcd/invoker/sandbox/thread"
)

const megabyte = 1 << 20

// weakSlackMB is what a program may have beside its heap where RLIMIT_DATA is the only bound.
const weakSlackMB = 64

// start brings the instance to life. What it has acquired when it fails, Kill gives back.
func (i *Instance) start(ctx context.Context, spec sandbox.Spec) error {
	d := i.driver
	var err error
	i.uid = nestedUID
	if !d.nested {
		if i.uid, err = d.uids.Take(); err != nil {
			return err
		}
		i.ownUID = true
	}
	if d.cgroups.Usable() {
		if i.cgroup, err = d.cgroups.Make(spec.ID, spec.Limits); err != nil {
			return err
		}
	}
	plan, err := d.plan(spec, i.uid)
	if err != nil {
		return err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	err = i.spawn(spec, theirs)
	theirs.Close()
	if err != nil {
		return err
	}
	connected := i.connect(spec)
	err = i.handshake(ctx, ours, plan)
	return errors.Join(err, <-connected)
}

// plan writes down what the init does.
func (d *Driver) plan(spec sandbox.Spec, uid int) (*inside.Plan, error) {
	steps, err := layout.New(spec, uid)
	if err != nil {
		return nil, err
	}
	if spec.Network == sandbox.NetNAT {
		steps.File("etc/resolv.conf", d.router.ResolvConf())
	} else if spec.Network == sandbox.NetHost {
		steps.Bind("etc/resolv.conf", "/etc/resolv.conf", layout.System)
	}
	return &inside.Plan{
		Path: spec.Path, Args: spec.Args, Env: spec.Env, Hostname: "fc",
		Steps: steps, Rlimits: d.rlimits(), LastRlimits: d.lastRlimits(spec.Limits), UID: uid, GID: uid,
		SharesNetwork: spec.Network == sandbox.NetHost, KeepGroups: d.nested, DieWithParent: d.starter != nil, Seccomp: d.seccomp,
	}, nil
}

// rlimits are the limits of each process.
func (d *Driver) rlimits() []inside.Rlimit {
	return []inside.Rlimit{
		{Resource: unix.RLIMIT_NOFILE, Value: uint64(d.opts.OpenFiles)},
		{Resource: unix.RLIMIT_CORE, Value: 0},
		{Resource: unix.RLIMIT_FSIZE, Value: maxFileMB * megabyte},
	}
}

// lastRlimits carry, without cgroups, the instance's limits as well as they can.
func (d *Driver) lastRlimits(l sandbox.Limits) []inside.Rlimit {
	if d.cgroups.Usable() {
		return nil
	}
	r := []inside.Rlimit{{Resource: unix.RLIMIT_NPROC, Value: uint64(l.Pids)}}
	if l.MemoryMB > 0 {
		r = append(r, inside.Rlimit{Resource: unix.RLIMIT_DATA, Value: uint64(l.MemoryMB+weakSlackMB) * megabyte})
	}
	return r
}

// socketPair makes the socket between daemon and init; theirs goes to the child.
func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[0]), "init"), os.NewFile(uintptr(fds[1]), "daemon"), nil
}

// spawn clones the init into its namespaces and cgroup.
func (i *Instance) spawn(spec sandbox.Spec, socket *os.File) error {
	null, err := devNull()
	if err != nil {
		return err
	}
	defer null.Close()
	files := []*os.File{null, spec.Stdout, spec.Stderr, spec.FrameIn, spec.FrameOut, socket}
	for n, f := range files {
		if f == nil {
			files[n] = null
			continue
		}
		if err := i.own(f); err != nil {
			return err
		}
	}
	attr := &os.ProcAttr{
		Dir: "/", Files: files, Sys: i.sysProcAttr(),
		// Of the Go runtime's own: no collector and one thread's worth of work for a process that lives milliseconds.
		Env: []string{"GOMAXPROCS=1", "GOGC=off"},
	}
	argv := []string{inside.ProgramName}
	if i.driver.starter != nil {
		err = i.driver.starter.do(func() error { return i.fork(argv, attr) })
	} else {
		err = thread.Run(func() error {
			if err := i.cgroup.Join(); err != nil {
				return err
			}
			return i.fork(argv, attr)
		})
	}
	if err != nil {
		return i.driver.explain(err)
	}
	return nil
}

// own gives a pipe to the instance's user, so that /dev/stdout and /proc/self/fd/3 can be opened inside.
func (i *Instance) own(f *os.File) error {
	if i.driver.nested {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("pipe %s: %w", f.Name(), err)
	}
	if info.Mode()&os.ModeNamedPipe == 0 {
		return nil
	}
	if err := f.Chown(i.uid, i.uid); err != nil {
		return fmt.Errorf("pipe %s: %w", f.Name(), err)
	}
	return nil
}

func (i *Instance) sysProcAttr() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET,
		Setsid:     true,
		PidFD:      &i.pidfd,
	}
	if i.onHost {
		a.Cloneflags &^= unix.CLONE_NEWNET
	}
	if i.cgroup != nil {
		a.CgroupFD, a.UseCgroupFD = i.cgroup.Birth()
	}
	if i.driver.starter != nil {
		a.Pdeathsig = syscall.SIGKILL
	}
	if i.driver.nested {
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: nestedUID, HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: nestedUID, HostID: os.Getegid(), Size: 1}}
		// execve takes the capabilities of a user other than root; ambient ones stay. The init drops them.
		a.AmbientCaps = []uintptr{unix.CAP_DAC_OVERRIDE, unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_SETPCAP,
			unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN}
	}
	return a
}

// fork starts the init, keeps hold of its namespaces and begins to wait for its end.
func (i *Instance) fork(argv []string, attr *os.ProcAttr) error {
	p, err := os.StartProcess(i.driver.opts.InitPath, argv, attr)
	if err != nil {
		return err
	}
	// The number is ours until the process is waited for, so these paths cannot lead to another one.
	mnt, err1 := os.Open(procPath(p.Pid, "ns/mnt"))
	net, err2 := os.Open(procPath(p.Pid, "ns/net"))
	i.hold(p, mnt, net)
	i.awaitEnd()
	return errors.Join(err1, err2)
}

func procPath(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

// handshake sends the plan and waits until the program runs.
func (i *Instance) handshake(ctx context.Context, socket *os.File, plan *inside.Plan) error {
	body, err := json.Marshal(plan)
	if err != nil {
		return fmt.Errorf("encode the plan: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { socket.SetDeadline(time.Unix(1, 0)) }) // an open socket takes a deadline
	defer stop()
	if _, err := socket.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil {
		return i.startError(ctx, fmt.Errorf("send the plan: %w", err), "")
	}
	answer, err := io.ReadAll(io.LimitReader(socket, 4<<10))
	switch {
	case err != nil:
		return i.startError(ctx, fmt.Errorf("wait for the program: %w", err), "")
	case len(answer) == 1 && answer[0] == inside.Ready:
		return i.watchMemory(plan)
	case len(answer) > 0 && answer[0] == inside.Ready:
		answer = answer[1:]
	}
	return i.startError(ctx, nil, string(answer))
}

// startError puts together why a start failed: the caller's patience, the init's own words, or how the init ended.
func (i *Instance) startError(ctx context.Context, err error, words string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if reason, ok := strings.CutPrefix(words, inside.ExecFailed); ok {
		return &sandbox.ProgramError{Reason: reason}
	}
	if words != "" {
		return i.driver.explain(errors.New(words))
	}
	i.signalKill()
	exit, _ := i.Wait() // has no error
	return errors.Join(fmt.Errorf("the init ended before the program ran (%s)", describe(exit)), err)
}

func describe(e sandbox.Exit) string {
	switch {
	case e.OOM:
		return "out of memory: the limit is too small for a start"
	case e.Signal != 0:
		return "signal " + e.Signal.String()
	default:
		return "exit code " + strconv.Itoa(e.Code)
	}
}

// starter is one thread that starts every instance of a driver without cgroups. An instance is told to die when the
// thread that started it ends; this one ends with the daemon, however that ends.
type starter struct {
	work chan func()
	quit chan struct{}
	done chan struct{}
}

func newStarter() *starter {
	s := &starter{work: make(chan func()), quit: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *starter) run() {
	defer close(s.done)
	runtime.LockOSThread()
	for {
		select {
		case f := <-s.work:
			f()
		case <-s.quit:
			return
		}
	}
}

// do runs f on the thread.
func (s *starter) do(f func() error) error {
	result := make(chan error, 1)
	s.work <- func() { result <- f() }
	return <-result
}

// close ends the thread; no do may be under way.
func (s *starter) close() {
	close(s.quit)
	<-s.done
}
