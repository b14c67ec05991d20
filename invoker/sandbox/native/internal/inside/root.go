package inside

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"fcd/invoker/sandbox/step"
)

// staging is where the new root is mounted until it becomes the root. Every host has it; what it hides is opened before.
const staging = "/tmp"

// buildRoot makes a new root out of the plan's steps and moves into it.
func buildRoot(p *Plan) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	trees, err := openTrees(p.Steps)
	if err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", staging, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "size=1m,mode=0755"); err != nil {
		return fmt.Errorf("mount the new root: %w", err)
	}
	if err := syscall.Chdir(staging); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	syscall.Umask(0)
	for i, s := range p.Steps {
		if err := do(s, trees[i]); err != nil {
			return fmt.Errorf("%s %s: %w", s.Op, s.Target, err)
		}
	}
	syscall.Umask(0o022)
	return pivot()
}

// openTrees takes a detached copy of every mount the steps show, while their paths still lead there. The result is
// indexed like the steps; -1 where there is nothing to open.
func openTrees(steps []step.Step) ([]int, error) {
	trees := make([]int, len(steps))
	for i, s := range steps {
		trees[i] = -1
		if s.Op != step.Bind && s.Op != step.Mask {
			continue
		}
		fd, err := detached(s.Source, s.Attr)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", s.Source, err)
		}
		trees[i] = fd
	}
	return trees, nil
}

// detached clones the mount at path with all below it and restricts the clone.
func detached(path string, attr uint64) (int, error) {
	fd, err := openTree(path, openTreeClone|syscall.O_CLOEXEC|atRecursive)
	if err != nil || attr == 0 {
		return fd, err
	}
	err = mountSetattr(fd, "", atEmptyPath|atRecursive, attr)
	return fd, err
}

func do(s step.Step, tree int) error {
	switch s.Op {
	case step.Dir:
		return mkdirAll(s.Target, s.Mode)
	case step.File:
		return writeFile(s)
	case step.Link:
		return syscall.Symlink(s.Source, s.Target)
	case step.Bind:
		if err := makeTarget(s.Target, tree); err != nil {
			return err
		}
		return attach(tree, s.Target)
	case step.Mask:
		return ifPresent(attach(tree, s.Target))
	case step.Rebind:
		fd, err := detached(s.Target, s.Attr)
		if err != nil {
			return ifPresent(err)
		}
		return attach(fd, s.Target)
	case step.Tmpfs:
		err := syscall.Mount("tmpfs", s.Target, "tmpfs", mountFlags(s.Attr), s.Data)
		if s.Optional {
			return ifPresent(err)
		}
		return err
	case step.Proc:
		return syscall.Mount("proc", s.Target, "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "")
	default:
		return fmt.Errorf("unknown step %q", s.Op)
	}
}

func attach(tree int, target string) error {
	defer syscall.Close(tree)
	return moveMount(tree, target)
}

// ifPresent forgives the absence of what a step is about.
func ifPresent(err error) error {
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}

func mkdirAll(path string, mode uint32) error {
	err := syscall.Mkdir(path, mode)
	if err == syscall.ENOENT {
		if err := mkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		err = syscall.Mkdir(path, mode)
	}
	if err == syscall.EEXIST {
		return nil
	}
	return err
}

func writeFile(s step.Step) error {
	return os.WriteFile(s.Target, []byte(s.Data), os.FileMode(s.Mode))
}

// makeTarget makes what the tree is mounted on: a directory for a directory, else an empty file.
func makeTarget(target string, tree int) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(tree, &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return mkdirAll(target, 0o755)
	}
	if err := mkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	fd, err := syscall.Open(target, syscall.O_CREAT|syscall.O_WRONLY|syscall.O_CLOEXEC, 0o444)
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}

// mountFlags turns mount attributes into the flags of the older mount call.
func mountFlags(attr uint64) uintptr {
	var flags uintptr
	for a, f := range map[uint64]uintptr{
		mountAttrRdonly: syscall.MS_RDONLY, mountAttrNosuid: syscall.MS_NOSUID,
		mountAttrNodev: syscall.MS_NODEV, mountAttrNoexec: syscall.MS_NOEXEC,
	} {
		if attr&a != 0 {
			flags |= f
		}
	}
	return flags
}

// pivot makes the working directory the root, forgets the old one and seals the new one.
func pivot() error {
	if err := syscall.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := syscall.Unmount(".", syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("detach the old root: %w", err)
	}
	if err := syscall.Chdir("/"); err != nil {
		return fmt.Errorf("enter /: %w", err)
	}
	if err := mountSetattr(atFDCWD, "/", 0, mountAttrRdonly); err != nil {
		return fmt.Errorf("make / read-only: %w", err)
	}
	return nil
}

// loopbackUp sets lo up, the only interface of a new network namespace.
func loopbackUp(p *Plan) error {
	if p.SharesNetwork {
		return nil
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	// struct ifreq: 16 bytes of name, then a union of 24 bytes that begins with the flags.
	var req struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(req.name[:], "lo")
	req.flags = syscall.IFF_UP
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&req)))
	return asError(errno)
}
