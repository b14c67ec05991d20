package native

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/layout"
	"fcd/invoker/sandbox/thread"
)

// Claim shows codeDir at /code of a generic instance, read-only, and sets its limits. An instance is claimed once; after
// an error it has to be killed, since its state is unknown. The function's working directory is still the empty one: the
// bootstrap leaves and enters /code again.
func (i *Instance) Claim(ctx context.Context, codeDir string, limits sandbox.Limits) error {
	if err := i.driver.defaults().FillLimits(i.id, &limits); err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.gone:
		return fmt.Errorf("claim instance %s: %w", i.id, errGone)
	case !i.generic:
		return fmt.Errorf("claim instance %s: it was started with code of its own", i.id)
	case i.claimed:
		return fmt.Errorf("claim instance %s: it is claimed already", i.id)
	case ctx.Err() != nil:
		return fmt.Errorf("claim instance %s: %w", i.id, ctx.Err())
	}
	i.claimed = true
	if err := i.showCode(codeDir); err != nil {
		return fmt.Errorf("claim instance %s with %s: %w", i.id, codeDir, err)
	}
	if err := i.setLimits(limits); err != nil {
		return fmt.Errorf("claim instance %s: %w", i.id, err)
	}
	return nil
}

// showCode takes a detached read-only copy of the directory's mount and puts it into the instance's mount namespace.
// No path of the host can be seen by that, and the host's own mount table does not change.
func (i *Instance) showCode(codeDir string) error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, codeDir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("open_tree: %w", err)
	}
	defer unix.Close(tree)
	attr := &unix.MountAttr{Attr_set: layout.System}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr); err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	return thread.Run(func() error {
		// A thread that shares its root and working directory with others may not enter a mount namespace.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		if err := unix.Setns(int(i.mnt.Fd()), unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("enter the mount namespace: %w", err)
		}
		err := unix.MoveMount(tree, "", unix.AT_FDCWD, "/code", unix.MOVE_MOUNT_F_EMPTY_PATH)
		if err != nil {
			return fmt.Errorf("move_mount: %w", err)
		}
		return nil
	})
}
