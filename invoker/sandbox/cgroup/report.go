package cgroup

import (
	"os"
	"strings"

	"fcd/invoker/sandbox"
)

// Report fills in what the tree gives, and why it lacks what it lacks.
func (t *Tree) Report(caps *sandbox.Caps) {
	usable := t.Usable()
	set := func(field *bool, name, controller string) {
		if *field = usable && t.Missing[controller] == ""; !*field {
			caps.Missing[name] = t.why(controller)
		}
	}
	set(&caps.HardMemory, "HardMemory", "memory")
	if usable && t.noSwapAccount && swapOn() {
		caps.Missing["NoSwap"] = "the kernel does not account for swap: memory beyond the limit may be swapped out " +
			"(boot it with swapaccount=1, or without swap)"
	}
	set(&caps.HardCPU, "HardCPU", "cpu")
	set(&caps.Pids, "Pids", "pids")
	if caps.Freeze = usable && (t.Unified != "" || t.V1["freezer"] != ""); !caps.Freeze {
		caps.Missing["Freeze"] = t.why("freezer")
	}
}

// swapOn tells whether the host has any swap.
func swapOn() bool {
	data, err := os.ReadFile("/proc/swaps")
	return err == nil && strings.Count(strings.TrimSpace(string(data)), "\n") > 0 // behind the heading
}

// why finds the reason of a controller that is itself fine but useless without another.
func (t *Tree) why(controller string) string {
	for _, c := range []string{controller, "memory", "pids"} {
		if reason := t.Missing[c]; reason != "" {
			return reason
		}
	}
	return "no cgroup can be used"
}
