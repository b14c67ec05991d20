package inside

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
)

// init is Main, before anything else happens: the packages of the whole daemon are initialised in the order of their
// import paths as soon as what they import is, and this one imports the standard library alone. So a new sandbox waits
// for a millisecond of that instead of all of it, and its memory is not charged for it.
func init() { Main() }

// Main becomes the sandbox's init if this process was started as one, and returns at once otherwise.
func Main() {
	if len(os.Args) == 0 || os.Args[0] != ProgramName {
		return
	}
	// Everything below is about one thread: credentials, capabilities and the filter are set for it alone, and execve
	// ends the others.
	runtime.LockOSThread()
	err := run()
	// execve succeeded or we are here. The daemon reads the reason and reaps us.
	writeAll([]byte(err.Error()))
	syscall.Exit(125)
}

func run() error {
	plan, err := readPlan()
	if err != nil {
		return err
	}
	for _, stage := range []struct {
		name string
		do   func(*Plan) error
	}{
		{"unshare the cgroup namespace", func(*Plan) error { return syscall.Unshare(cloneNewCgroup) }},
		{"build the root", buildRoot},
		{"bring up lo", loopbackUp},
		{"set the host name", func(p *Plan) error { return syscall.Sethostname([]byte(p.Hostname)) }},
		{"drop privileges", drop},
	} {
		if err := stage.do(plan); err != nil {
			return fmt.Errorf("%s: %w", stage.name, err)
		}
	}
	return become(plan)
}

// readPlan reads the length and the plan.
func readPlan() (*Plan, error) {
	syscall.CloseOnExec(SocketFD)
	var head [4]byte
	if err := readFull(head[:]); err != nil {
		return nil, fmt.Errorf("read the plan's length: %w", err)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	if err := readFull(body); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	plan := new(Plan)
	if err := json.Unmarshal(body, plan); err != nil {
		return nil, fmt.Errorf("decode the plan: %w", err)
	}
	return plan, nil
}

func readFull(b []byte) error {
	for len(b) > 0 {
		n, err := syscall.Read(SocketFD, b)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		default:
			b = b[n:]
		}
	}
	return nil
}

func writeAll(b []byte) {
	for len(b) > 0 {
		n, err := syscall.Write(SocketFD, b)
		if err != nil && err != syscall.EINTR {
			return // the daemon is gone, and with it whoever wanted to know
		}
		b = b[max(n, 0):]
	}
}
