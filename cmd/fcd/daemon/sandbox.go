package daemon

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/config"
	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/native"
	"fcd/invoker/sandbox/oci"
	"fcd/invoker/sandbox/process"
)

// SandboxOptions are what the configuration does not say of a sandbox driver.
type SandboxOptions struct {
	ID         string // of the daemon on this host; "": a random one, where the driver allows that
	Record     string // see native.Options
	Init       string // see Options.SandboxInit
	Log        *zap.Logger
	Registerer prometheus.Registerer
	// Trial opens the driver to look at what it can do: what it lacks is no error, and nothing of the host is changed.
	Trial bool
}

// NewSandbox opens the driver that the configuration names.
func NewSandbox(c *config.Config, o SandboxOptions) (sandbox.Driver, error) {
	switch c.Sandbox.Driver {
	case "native":
		return newNative(c, o)
	case "oci":
		return newOCI(c, o)
	case "process":
		p := c.ProcessOptions()
		p.Log = o.Log
		if o.Trial {
			p.Dir = ""
		}
		return process.New(p)
	}
	return nil, fmt.Errorf("sandbox.driver %q is not known", c.Sandbox.Driver)
}

func newNative(c *config.Config, o SandboxOptions) (sandbox.Driver, error) {
	n := c.SandboxOptions()
	n.ID, n.Record, n.InitPath, n.Log, n.Registerer = o.ID, o.Record, o.Init, o.Log, o.Registerer
	if o.Trial {
		n.NATRequired = false
		if n.NAT != nil {
			n.NAT.EnableForwarding = false
		}
	}
	return native.New(n)
}

func newOCI(c *config.Config, o SandboxOptions) (sandbox.Driver, error) {
	n := c.OCIOptions()
	n.ID, n.Record, n.Log = o.ID, o.Record, o.Log
	if o.Trial {
		n.NATRequired = false
		if n.NAT != nil {
			n.NAT.EnableForwarding = false
		}
	}
	return oci.New(n)
}
