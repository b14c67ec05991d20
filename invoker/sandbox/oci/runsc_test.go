package oci

import (
	"os"
	"testing"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/sandboxtest"
)

// runscEnv names gVisor's runtime, which takes minutes to build: `make runsc` does that and runs these tests.
const runscEnv = "FCD_TEST_RUNSC"

// runsc are the options for gVisor's runtime on a machine that need not have KVM; ok is false where it is not installed.
func runsc(t *testing.T) (o Options, ok bool) {
	path := os.Getenv(runscEnv)
	if path == "" {
		t.Logf("not tried: %s is not set; make runsc", runscEnv)
	}
	return Options{Command: path, Args: []string{"--platform=systrap"}}, path != ""
}

func TestEscapesOfGVisor(t *testing.T) {
	if o, ok := runsc(t); ok {
		sandboxtest.Run(t, func(t *testing.T) sandbox.Driver { return open(t, o) }, leftovers)
	}
}

func TestNetworkOnOfGVisor(t *testing.T) {
	o, ok := runsc(t)
	if !ok || !sandboxtest.InOwnNetwork(t) {
		return
	}
	networkOn(t, o)
}
