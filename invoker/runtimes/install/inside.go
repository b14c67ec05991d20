package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"
)

// insideTimeout bounds one run of an interpreter in its new root.
const insideTimeout = 60 * time.Second

// errNoRoot says that this user may not change the root folder of a process, by namespaces or otherwise.
var errNoRoot = errors.New("this user may not run a program in another root folder (user namespaces are off)")

// runInside runs a program with dir as its root folder, in namespaces that leave it no power over the host and no
// network, and gives what it prints. Where there are no user namespaces, root does without them.
func runInside(ctx context.Context, dir, program string, args, env []string) (string, error) {
	namespaces := &syscall.SysProcAttr{
		Chroot:      dir,
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	out, started, err := run(ctx, namespaces, program, args, env)
	if started {
		return out, err
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%w: %w", errNoRoot, err)
	}
	out, _, err = run(ctx, &syscall.SysProcAttr{Chroot: dir}, program, args, env)
	return out, err
}

func run(ctx context.Context, how *syscall.SysProcAttr, program string, args, env []string) (out string, started bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, insideTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr, cmd.Dir, cmd.WaitDelay = how, "/", time.Second
	cmd.Env = append([]string{"PATH=/usr/bin", "HOME=/tmp", "LANG=C.UTF-8"}, env...)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Start(); err != nil {
		return "", !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOSPC), err
	}
	if err := cmd.Wait(); err != nil {
		return "", true, fmt.Errorf("%s: %w: %.300q", program, err, both.String())
	}
	return both.String(), true, nil
}

var versionForm = regexp.MustCompile(`\d+\.\d+[0-9A-Za-z.+_-]*`)

// settle runs the interpreter in its root: once for its version and, where that helps, once to prepare later starts.
// Without the power to do so the root is as good, and notes say what is missing.
func settle(ctx context.Context, b bundle, dir string) (version string, notes []string, err error) {
	if b.ask == "" {
		return b.version, nil, nil
	}
	out, err := runInside(ctx, dir, b.program, []string{b.ask}, b.env)
	if errors.Is(err, errNoRoot) {
		return b.version, []string{"not tried out: " + err.Error()}, nil
	}
	if err != nil {
		return "", nil, err
	}
	if version = versionForm.FindString(out); version == "" {
		return "", nil, fmt.Errorf("%s %s: no version in %.100q", b.program, b.ask, out)
	}
	if b.warm != nil {
		if _, err := runInside(ctx, dir, b.program, b.warm, b.env); err != nil {
			notes = append(notes, "starts slower than it could: "+err.Error())
		}
	}
	return version, notes, ctx.Err()
}
