package oci

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"

	runc "github.com/containerd/go-runc"

	"fcd/invoker/sandbox"
)

// gvisor tells whether the runtime is gVisor's runsc, which has some ways of its own:
//
//   - it takes further descriptors with its run alone, so there is no moment between create and start;
//   - it has a kernel of its own: the filter of system calls is not for that, and its processes are not the host's, so
//     pids are bounded by its memory alone;
//   - a second process serves the files, and becomes our child as the first does;
//   - it gives memory that a program frees back to the host some milliseconds later, from a goroutine of its own
//     (pkg/sentry/pgalloc, releaserMain). The limit and the peak count it until then.
func (d *Driver) gvisor() bool { return filepath.Base(d.runtime.Command) == "runsc" }

// gvisorArgs are what the driver needs: the host's implementation of TCP in the instance's own namespace, because that is
// where the daemon listens for functions, and no namespace that instances share. An operator's arguments come later
// and win.
func gvisorArgs() []string { return []string{"--network=host", "--gofer-network-namespace=new"} }

// reportGVisor corrects what cgroups can do.
func reportGVisor(caps *sandbox.Caps) {
	caps.OwnKernel, caps.Pids, caps.Freeze = true, false, false
	caps.Missing["Pids"] = "processes of gVisor are not those of the host: memory bounds them"
	caps.Missing["Freeze"] = "gVisor's helpers cannot be stopped with their instance"
}

// run is create and start in one.
func (i *Instance) run(ctx context.Context, r *runc.Runc, files []*os.File) error {
	args := append([]string{"--root", r.Root, "--log", r.Log, "--log-format", "json"}, r.ExtraArgs...)
	args = append(args, "run", "--detach", "--bundle", string(i.bundle), "--pid-file", i.bundle.pid(),
		"--pass-fd", "3:3", "--pass-fd", "4:4", i.id)
	cmd := exec.CommandContext(ctx, r.Command, args...)
	cmd.ExtraFiles = files[3:]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[1], files[2]
	return cmd.Run()
}

// gofer is the process that serves an instance's files; nil if the runtime does not tell.
func (d *Driver) gofer(id string) *os.Process {
	found, _ := filepath.Glob(filepath.Join(d.states(), id+"_sandbox:*.state")) // ids have no special characters
	for _, path := range found {
		var state struct{ GoferPid int }
		data, err := os.ReadFile(path)
		if err == nil && json.Unmarshal(data, &state) == nil && state.GoferPid > 1 {
			if p, err := os.FindProcess(state.GoferPid); err == nil {
				return p
			}
		}
	}
	return nil
}
