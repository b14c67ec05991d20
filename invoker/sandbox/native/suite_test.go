package native

import (
	"fmt"
	"path/filepath"
	"testing"

	"go.uber.org/zap/zaptest"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/cgroup"
	"fcd/invoker/sandbox/sandboxtest"
)

// open makes a driver for a test.
func open(t *testing.T, opts Options) *Driver {
	t.Helper()
	opts.Log = zaptest.NewLogger(t)
	d, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// leftovers names what a driver holds of instances.
func leftovers(sd sandbox.Driver) []string {
	d := sd.(*Driver)
	var left []string
	for _, parent := range d.cgroups.Dirs() {
		dirs, _ := filepath.Glob(filepath.Join(parent, cgroup.Prefix+"*")) // the pattern is well-formed
		left = append(left, dirs...)
	}
	if d.uids != nil && d.uids.InUse() > 0 {
		left = append(left, fmt.Sprint(d.uids.InUse(), " user ids"))
	}
	if d.router != nil {
		left = append(left, d.router.Leftovers()...)
	}
	return append(left, d.roster.IDs()...)
}

func TestEscapes(t *testing.T) {
	sandboxtest.Run(t, func(t *testing.T) sandbox.Driver { return open(t, Options{}) }, leftovers)
}

func TestEscapesWithoutCgroups(t *testing.T) {
	sandboxtest.Run(t, func(t *testing.T) sandbox.Driver { return open(t, Options{NoCgroups: true}) }, leftovers)
}
