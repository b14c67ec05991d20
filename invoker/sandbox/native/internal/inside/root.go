package inside

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// staging is where the new root is mounted until it becomes the root. Every host has it; what it hides is opened before.
const staging = "/tmp"

// buildRoot makes a new root out of the plan's steps and moves into it.
func buildRoot(p *Plan) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	trees, err := openTrees(p.Steps)
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", staging, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=1m,mode=0755"); err != nil {
		return fmt.Errorf("mount the new root: %w", err)
	}
	if err := unix.Chdir(staging); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	unix.Umask(0)
	for i, s := range p.Steps {
		if err := step(s, trees[i]); err != nil {
			return fmt.Errorf("%s %s: %w", s.Op, s.Target, err)
		}
	}
	unix.Umask(0o022)
	return pivot()
}

// openTrees takes a detached copy of every mount the steps show, while their paths still lead there. The result is
// indexed like the steps; -1 where there is nothing to open.
func openTrees(steps []Step) ([]int, error) {
	trees := make([]int, len(steps))
	for i, s := range steps {
		trees[i] = -1
		if s.Op != OpBind && s.Op != OpMask {
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
	fd, err := unix.OpenTree(unix.AT_FDCWD, path,
		unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil || attr == 0 {
		return fd, err
	}
	err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attr})
	return fd, err
}

func step(s Step, tree int) error {
	switch s.Op {
	case OpDir:
		return mkdirAll(s.Target, s.Mode)
	case OpFile:
		return writeFile(s)
	case OpLink:
		return unix.Symlink(s.Source, s.Target)
	case OpBind:
		if err := makeTarget(s.Target, tree); err != nil {
			return err
		}
		return attach(tree, s.Target)
	case OpMask:
		return ifPresent(attach(tree, s.Target))
	case OpRebind:
		fd, err := detached(s.Target, s.Attr)
		if err != nil {
			return ifPresent(err)
		}
		return attach(fd, s.Target)
	case OpTmpfs:
		err := unix.Mount("tmpfs", s.Target, "tmpfs", mountFlags(s.Attr), s.Data)
		if s.Optional {
			return ifPresent(err)
		}
		return err
	case OpProc:
		return unix.Mount("proc", s.Target, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	default:
		return fmt.Errorf("unknown step %q", s.Op)
	}
}

func attach(tree int, target string) error {
	defer unix.Close(tree)
	return unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// ifPresent forgives the absence of what a step is about.
func ifPresent(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return err
}

func mkdirAll(path string, mode uint32) error {
	err := unix.Mkdir(path, mode)
	if err == unix.ENOENT {
		if err := mkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		err = unix.Mkdir(path, mode)
	}
	if err == unix.EEXIST {
		return nil
	}
	return err
}

func writeFile(s Step) error {
	return os.WriteFile(s.Target, []byte(s.Data), os.FileMode(s.Mode))
}

// makeTarget makes what the tree is mounted on: a directory for a directory, else an empty file.
func makeTarget(target string, tree int) error {
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return mkdirAll(target, 0o755)
	}
	if err := mkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	fd, err := unix.Open(target, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o444)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// mountFlags turns mount attributes into the flags of the older mount call.
func mountFlags(attr uint64) uintptr {
	var flags uintptr
	for a, f := range map[uint64]uintptr{
		unix.MOUNT_ATTR_RDONLY: unix.MS_RDONLY, unix.MOUNT_ATTR_NOSUID: unix.MS_NOSUID,
		unix.MOUNT_ATTR_NODEV: unix.MS_NODEV, unix.MOUNT_ATTR_NOEXEC: unix.MS_NOEXEC,
	} {
		if attr&a != 0 {
			flags |= f
		}
	}
	return flags
}

// pivot makes the working directory the root, forgets the old one and seals the new one.
func pivot() error {
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("detach the old root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter /: %w", err)
	}
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, attr); err != nil {
		return fmt.Errorf("make / read-only: %w", err)
	}
	return nil
}

// loopbackUp sets lo up, the only interface of a new network namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// struct ifreq: 16 bytes of name, then a union of 24 bytes that begins with the flags.
	var req struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(req.name[:], "lo")
	req.flags = unix.IFF_UP
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return errno
	}
	return nil
}
