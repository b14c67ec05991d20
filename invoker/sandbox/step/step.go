// Package step has the words for building the root of an instance. Package layout writes the steps down; the drivers carry
// them out, native inside the new instance, so this package imports nothing.
package step

// Op is what a Step does.
type Op string

const (
	Dir    Op = "dir"    // make directory Target (and its parents) with Mode
	File   Op = "file"   // write file Target with Data and Mode
	Link   Op = "link"   // make symbolic link Target holding Source
	Bind   Op = "bind"   // show Source of the host at Target, with Attr; the target is made
	Rebind Op = "rebind" // bind Target of the new root onto itself, with Attr; skipped when absent
	Mask   Op = "mask"   // put the host's Source over Target; skipped when Target is absent
	Tmpfs  Op = "tmpfs"  // mount a tmpfs at Target with Attr and the options Data; skipped when Optional and absent
	Proc   Op = "proc"   // mount the proc of the new pid namespace at Target
)

// Step is one step of building the root. Target is relative to the new root.
type Step struct {
	Op       Op     `json:"op"`
	Target   string `json:"target"`
	Source   string `json:"source,omitempty"`
	Data     string `json:"data,omitempty"`
	Mode     uint32 `json:"mode,omitempty"`
	Attr     uint64 `json:"attr,omitempty"` // MOUNT_ATTR_*
	Optional bool   `json:"optional,omitempty"`
}
