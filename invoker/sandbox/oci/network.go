package oci

import (
	"fmt"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/netns"
)

// connect makes the instance's network before anything of it runs: a namespace with lo, and with the internet where the
// spec says so. The runtime is told to use it.
func (i *Instance) connect(spec sandbox.Spec) (err error) {
	if i.net, err = netns.New(); err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	if spec.Network == sandbox.NetNAT {
		i.link, err = i.driver.router.Connect(i.net)
	}
	return err
}
