package native

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// rootlessEnv marks the daemon that runs in its own user namespace. It holds the pid of its parent; EnterRootless
// removes it.
const rootlessEnv = "FCD_ROOTLESS"

// EnterRootless makes an ordinary user able to start instances. As root, with the capabilities that instances need, it
// does nothing. Otherwise it starts this program once more, as root of a user and mount namespace of its own in which
// only the user's own id exists, and becomes a messenger: it hands on signals and ends with the exit code of its
// child, so it returns only in the child, or with an error where the host forbids user namespaces. The second process
// is needed because a program with threads cannot enter a user namespace.
//
// Call it after Main and before anything that must happen once: opened files, listeners, goroutines.
func EnterRootless() error {
	if parent, ok := os.LookupEnv(rootlessEnv); ok {
		os.Unsetenv(rootlessEnv)
		adoptSockets(parent)
		return needCapabilities()
	}
	if needCapabilities() == nil {
		return nil
	}
	cmd := rootlessCommand()
	// The parent-death signal is sent when this thread ends, so it must be the one that stays until the end.
	runtime.LockOSThread()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals)
	if err := cmd.Start(); err != nil {
		signal.Stop(signals)
		runtime.UnlockOSThread()
		return fmt.Errorf("a user namespace for user %d: %w: %s", os.Geteuid(), err, advice())
	}
	go forward(signals, cmd.Process)
	os.Exit(exitCode(cmd.Wait()))
	return nil
}

// advice says what may be done where user namespaces do not work.
func advice() string {
	if hint := obstacle("/proc/sys"); hint != "" {
		return hint
	}
	return "user namespaces may be forbidden by a security module or by the container fcd runs in; run fcd as root"
}

func rootlessCommand() *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), rootlessEnv+"="+strconv.Itoa(os.Getpid()))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		Pdeathsig:   syscall.SIGTERM,
	}
	return cmd
}

// forward hands signals on. SIGCHLD and SIGURG are about this process.
func forward(signals <-chan os.Signal, p *os.Process) {
	for s := range signals {
		switch s {
		case syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE:
		default:
			_ = p.Signal(s) // it may just have ended; Wait tells
		}
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		return 1
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

// adoptSockets lets the sockets that systemd passed to the parent count as passed to this process.
func adoptSockets(parent string) {
	if os.Getenv("LISTEN_PID") == parent {
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
}

// obstacle names the kernel setting below dir (/proc/sys) that forbids user namespaces; "" if none does.
func obstacle(dir string) string {
	value := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	switch {
	case value("user/max_user_namespaces") == "0":
		return "the sysctl user.max_user_namespaces is 0; set it to 10000 or more (sysctl -w user.max_user_namespaces=10000)"
	case value("kernel/unprivileged_userns_clone") == "0":
		return "the sysctl kernel.unprivileged_userns_clone is 0; set it to 1 (sysctl -w kernel.unprivileged_userns_clone=1)"
	case value("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return "the sysctl kernel.apparmor_restrict_unprivileged_userns is 1; install an AppArmor profile for fcd that " +
			"contains the rule \"userns,\", or set the sysctl to 0"
	}
	return ""
}

// mapped tells whether the user namespace of this process has all ids of a range, so that instances can have them.
func mapped(first, last int) bool {
	for _, name := range []string{"uid_map", "gid_map"} {
		data, err := os.ReadFile("/proc/self/" + name)
		if err != nil || !covers(string(data), first, last) {
			return false
		}
	}
	return true
}

// covers looks for one line "inside outside count" of an id map that holds the whole range.
func covers(idMap string, first, last int) bool {
	for line := range strings.Lines(idMap) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		from, err1 := strconv.Atoi(f[0])
		count, err2 := strconv.Atoi(f[2])
		if err1 == nil && err2 == nil && from <= first && last < from+count {
			return true
		}
	}
	return false
}
