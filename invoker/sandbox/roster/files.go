package roster

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
)

// Files are the descriptors 0 to 4 of an instance, null in place of those that the Spec does not give.
func Files(spec sandbox.Spec, null *os.File) []*os.File {
	files := []*os.File{null, spec.Stdout, spec.Stderr, spec.FrameIn, spec.FrameOut}
	for n, f := range files {
		if f == nil {
			files[n] = null
		}
	}
	return files
}

// OpenNull opens /dev/null.
func OpenNull() (*os.File, error) { return os.OpenFile(os.DevNull, os.O_RDWR, 0) }

// Give gives a pipe to an instance's user, so that /dev/stdout and /proc/self/fd/3 can be opened inside.
func Give(f *os.File, uid int) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("pipe %s: %w", f.Name(), err)
	}
	if info.Mode()&os.ModeNamedPipe == 0 {
		return nil
	}
	if err := f.Chown(uid, uid); err != nil {
		return fmt.Errorf("pipe %s: %w", f.Name(), err)
	}
	return nil
}

// SocketPair makes the socket between a driver and the process that becomes the program, to which theirs goes; ours takes
// deadlines.
func SocketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[0]), "child"), os.NewFile(uintptr(fds[1]), "driver"), nil
}
