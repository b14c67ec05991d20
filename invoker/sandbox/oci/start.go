package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	runc "github.com/containerd/go-runc"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/layout"
	"fcd/invoker/sandbox/roster"
)

// Start starts a container. When it returns, the runtime has been told to run the program.
func (d *Driver) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	if err := d.check(&spec); err != nil {
		return nil, err
	}
	i := &Instance{driver: d, id: spec.ID, bundle: d.bundle(spec.ID), life: roster.NewLife()}
	if err := d.roster.Start(ctx, spec, i, i.start); err != nil {
		return nil, err
	}
	return i, nil
}

// start makes everything; what it has acquired when it fails, Kill gives back.
func (i *Instance) start(ctx context.Context, spec sandbox.Spec) (err error) {
	d := i.driver
	if err := ctx.Err(); err != nil {
		return err
	}
	if i.uid, err = d.uids.Take(); err != nil {
		return err
	}
	if i.group, err = d.cgroups.Make(spec.ID, spec.Limits); err != nil {
		return err
	}
	steps, err := layout.New(spec, i.uid)
	if err != nil {
		return err
	}
	if spec.Network == sandbox.NetNAT {
		steps.File("etc/resolv.conf", d.router.ResolvConf())
	}
	if err := i.connect(spec); err != nil {
		return err
	}
	if err := i.bundle.write(steps, d.configuration(spec, i.uid, i.net)); err != nil {
		return err
	}
	if err := i.create(ctx, spec); err != nil {
		return i.explain(err)
	}
	if err := i.adopt(); err != nil {
		return err
	}
	if d.gvisor() {
		return nil
	}
	if err := d.runtime.Start(ctx, spec.ID); err != nil {
		return i.explain(err)
	}
	return nil
}

// create lets the runtime make the container up to the point before the program.
func (i *Instance) create(ctx context.Context, spec sandbox.Spec) error {
	null, err := roster.OpenNull()
	if err != nil {
		return err
	}
	defer null.Close()
	files := roster.Files(spec, null)
	for _, f := range files {
		if err := roster.Give(f, i.uid); err != nil {
			return err
		}
	}
	r := *i.driver.runtime
	r.Log, r.LogFormat = i.bundle.log(), runc.JSON
	i.created = true
	if i.driver.gvisor() {
		return i.run(ctx, &r, files)
	}
	return r.Create(ctx, spec.ID, string(i.bundle), &runc.CreateOpts{
		PidFile: i.bundle.pid(), NoNewKeyring: true, ExtraFiles: files[3:], IO: pipes{files[0], files[1], files[2]},
	})
}

// pipes are the runtime's, and so the program's, first three descriptors.
type pipes struct{ in, out, err *os.File }

func (p pipes) Set(c *exec.Cmd)     { c.Stdin, c.Stdout, c.Stderr = p.in, p.out, p.err }
func (pipes) Close() error          { return nil }
func (pipes) Stdin() io.WriteCloser { return nil }
func (pipes) Stdout() io.ReadCloser { return nil }
func (pipes) Stderr() io.ReadCloser { return nil }

// adopt takes hold of the init, which waits for the runtime's start (gVisor's does not).
func (i *Instance) adopt() error {
	data, err := os.ReadFile(i.bundle.pid())
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("the runtime's pid file: %w", err)
	}
	// The number is ours until the process is waited for.
	i.pid = pid
	if i.proc, err = os.FindProcess(pid); err != nil {
		return err
	}
	if d := i.driver; d.gvisor() {
		i.helper = d.gofer(i.id)
	}
	go i.reap()
	i.reaping = true
	if err := i.group.Add(pid); err != nil && !errors.Is(err, syscall.ESRCH) { // it may have ended already
		return err
	}
	events, err := i.group.OOMEvents()
	if err != nil || events == nil {
		return err
	}
	i.events = events
	go i.followOOM(events)
	return nil
}

// reap waits for the end of the init.
func (i *Instance) reap() {
	exit, err := roster.Reap(i.proc)
	if err != nil {
		exit.Signal = syscall.SIGKILL
	}
	if i.helper != nil {
		_ = i.helper.Kill() // it may have ended; it serves nobody now
		i.helper.Wait()
	}
	n, err := i.group.OOMKills()
	exit.OOM = i.oom.Load() || (err == nil && n > 0)
	i.life.End(exit)
}

// followOOM ends the instance at the first event, as the driver native does on cgroups of version 1.
func (i *Instance) followOOM(events *os.File) {
	var count [8]byte
	if _, err := events.Read(count[:]); err != nil {
		return
	}
	if !i.life.HasEnded() {
		i.oom.Store(true)
		i.signalKill()
	}
}

// explain adds what the runtime wrote into its log: its last error. A program that cannot be executed is told apart.
func (i *Instance) explain(err error) error {
	data, _ := os.ReadFile(i.bundle.log())
	for line := range bytes.Lines(data) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Level == "error" {
			err = fmt.Errorf("%w: %s", err, entry.Msg)
			if _, reason, ok := strings.Cut(entry.Msg, "exec: \""); ok {
				path, reason, _ := strings.Cut(reason, "\": ")
				return &sandbox.ProgramError{Reason: path + ": " + reason}
			}
		}
	}
	return err
}
