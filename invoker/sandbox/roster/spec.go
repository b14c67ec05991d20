package roster

import (
	"fmt"
	"regexp"

	"fcd/invoker/sandbox"
)

// minPids is how few processes and threads an interpreter starts with.
const minPids = 16

// minCPUMilli is the smallest share of a core that a cgroup takes.
const minCPUMilli = 10

var idPattern = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// CheckID refuses what cannot name a driver or an instance; what says which.
func CheckID(what, id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("%s id %q does not match %s", what, id, idPattern)
	}
	return nil
}

// Defaults are what a Spec may leave out.
type Defaults struct {
	Pids  int // of the limits
	TmpMB int
}

// Fill checks a Spec and sets what it leaves out.
func (d Defaults) Fill(spec *sandbox.Spec) error {
	if err := CheckID("instance", spec.ID); err != nil {
		return err
	}
	switch {
	case len(spec.Path) == 0 || spec.Path[0] != '/':
		return fmt.Errorf("instance %s: program %q is not an absolute path", spec.ID, spec.Path)
	case spec.TmpMB < 0:
		return fmt.Errorf("instance %s: size of /tmp %d MB is negative", spec.ID, spec.TmpMB)
	}
	if spec.TmpMB == 0 {
		spec.TmpMB = d.TmpMB
	}
	if len(spec.Args) == 0 {
		spec.Args = []string{spec.Path}
	}
	if spec.Network == "" {
		spec.Network = sandbox.NetNone
	}
	return d.FillLimits(spec.ID, &spec.Limits)
}

// FillLimits does the same for the limits of an instance.
func (d Defaults) FillLimits(id string, l *sandbox.Limits) error {
	if l.Pids == 0 {
		l.Pids = d.Pids
	}
	switch {
	case l.MemoryMB < 0:
		return fmt.Errorf("instance %s: memory %d MB is negative", id, l.MemoryMB)
	case l.CPUMilli < 0 || (l.CPUMilli > 0 && l.CPUMilli < minCPUMilli):
		return fmt.Errorf("instance %s: %d thousandths of a core; 0 or at least %d", id, l.CPUMilli, minCPUMilli)
	case l.Pids < minPids:
		return fmt.Errorf("instance %s: %d processes; at least %d", id, l.Pids, minPids)
	}
	return nil
}
