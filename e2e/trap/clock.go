package trap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tell writes the test's time where the program wants to read it.
func (t *Trap) tell(n *notice) reply {
	if t.o.Clock == nil {
		return kernel
	}
	now := t.o.Clock()
	var spec [16]byte // struct timespec
	binary.NativeEndian.PutUint64(spec[:], uint64(now.Unix()))
	binary.NativeEndian.PutUint64(spec[8:], uint64(now.Nanosecond()))
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", n.tid), os.O_WRONLY, 0)
	if err != nil {
		return kernel
	}
	defer f.Close()
	if _, err := f.WriteAt(spec[:], int64(n.args[1])); err != nil {
		return kernel
	}
	return reply{}
}

// withoutVDSO hides the vDSO from a program that has stopped at its first instruction, and lets it run. The kernel tells
// where it is by an entry of the auxiliary vector, which lies on the stack behind arguments and environment (getauxval(3)).
func withoutVDSO(pid int) (err error) {
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil || !status.Stopped() {
		return errors.Join(fmt.Errorf("it did not stop at its start: %v", status), err)
	}
	defer func() { err = errors.Join(err, unix.PtraceDetach(pid)) }()
	at, err := startOfStack(pid)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	word := func() (w uint64, err error) {
		var b [8]byte
		_, err = f.ReadAt(b[:], at)
		at += 8
		return binary.NativeEndian.Uint64(b[:]), err
	}
	at += 8                      // argc
	for zeros := 0; zeros < 2; { // argv and envp end with a zero each
		w, err := word()
		if err != nil {
			return err
		}
		if w == 0 {
			zeros++
		}
	}
	const null, ignore, vdso = 0, 1, 33 // AT_NULL, AT_IGNORE, AT_SYSINFO_EHDR
	for {
		key, err := word()
		if err != nil || key == null {
			return err
		}
		if key == vdso {
			_, err := f.WriteAt(binary.NativeEndian.AppendUint64(nil, ignore), at-8)
			return err
		}
		at += 8
	}
}

// startOfStack is where the stack pointer of a program was at its start (proc_pid_stat(5), startstack).
func startOfStack(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	const startstack = 28 - 3 // the third field is the first behind the name
	if len(f) <= startstack {
		return 0, fmt.Errorf("%q has no start of the stack", b)
	}
	return strconv.ParseInt(f[startstack], 10, 64)
}
