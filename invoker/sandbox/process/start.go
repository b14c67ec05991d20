package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/roster"
)

// Start starts a process. When it returns, the program has been executed.
func (d *Driver) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	if err := d.check(&spec); err != nil {
		return nil, err
	}
	i := &Instance{driver: d, id: spec.ID, life: roster.NewLife()}
	if err := d.roster.Start(ctx, spec, i, i.start); err != nil {
		return nil, err
	}
	return i, nil
}

func (i *Instance) start(ctx context.Context, spec sandbox.Spec) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	i.tmp = filepath.Join(i.driver.opts.Dir, spec.ID)
	if err := os.Mkdir(i.tmp, 0o700); err != nil {
		return err
	}
	i.places = places{code: spec.CodeDir, bootstrap: spec.BootstrapDir, root: spec.Root, tmp: i.tmp}
	ours, theirs, err := roster.SocketPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	err = i.spawn(spec, theirs)
	theirs.Close()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { ours.SetDeadline(time.Unix(1, 0)) }) // an open socket takes a deadline
	defer stop()
	body, err := json.Marshal(i.driver.plan(spec, i.places))
	if err != nil {
		return err
	}
	if _, err := ours.Write(body); err != nil {
		return fmt.Errorf("send the plan: %w", err)
	}
	words, err := io.ReadAll(io.LimitReader(ours, 4<<10))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("wait for the program: %w", err)
	case strings.HasPrefix(string(words), execFailed):
		return &sandbox.ProgramError{Reason: strings.TrimPrefix(string(words), execFailed)}
	case len(words) > 0:
		return errors.New(string(words))
	}
	if spec.Limits.MemoryMB > 0 {
		i.driver.watch.Set(tree{i}, int64(spec.Limits.MemoryMB)<<20)
	}
	return nil
}

// spawn starts the launcher in a session of its own.
func (i *Instance) spawn(spec sandbox.Spec, socket *os.File) error {
	null, err := roster.OpenNull()
	if err != nil {
		return err
	}
	defer null.Close()
	p, err := os.StartProcess("/proc/self/exe", []string{programName}, &os.ProcAttr{
		Dir: "/", Files: append(roster.Files(spec, null), socket), Env: []string{"GOMAXPROCS=2", "GOGC=off", i.driver.mark + i.id}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return err
	}
	i.proc = p
	go i.reap()
	return nil
}
