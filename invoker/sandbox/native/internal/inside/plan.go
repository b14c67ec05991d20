// Package inside is what runs in a new sandbox before the function's interpreter does: the init. The daemon starts its
// own binary again as pid 1 of new namespaces, under the name ProgramName, with a socket as file descriptor 5. Main
// reads a Plan from there, builds the file system, drops every privilege, loads the seccomp filter and becomes the
// interpreter by execve, so that nothing of it stays.
//
// All decisions are taken by the daemon (package native) and written down in the Plan; this package only carries out
// its steps in order. It imports little, since its start is on the path of every cold start.
//
// The conversation on the socket: daemon to init a 4-byte big-endian length and the Plan as JSON; init to daemon the
// byte Ready just before execve, or, instead of it or after it, the text of what went wrong. The end of the stream
// after Ready alone means that the interpreter runs.
package inside

import "fcd/invoker/sandbox/step"

// ProgramName is argv[0] of an init.
const ProgramName = "fcd-init"

// SocketFD is where an init finds its socket; 0 to 4 are the function's own.
const SocketFD = 5

// Ready is what the init writes when all is done but execve.
const Ready = 0x01

// ExecFailed begins what the init says when all was in place but the program could not be executed.
const ExecFailed = "execute "

// Rlimit is one resource limit, soft and hard alike.
type Rlimit struct {
	Resource int    `json:"resource"`
	Value    uint64 `json:"value"`
}

// Plan is all that an init needs to know.
type Plan struct {
	Path     string      `json:"path"`
	Args     []string    `json:"args"`
	Env      []string    `json:"env"`
	Hostname string      `json:"hostname"`
	Steps    []step.Step `json:"steps"`
	Rlimits  []Rlimit    `json:"rlimits"`
	// LastRlimits are set just before execve: they would bind the init too, which as a Go program ends where it gets no
	// memory or thread.
	LastRlimits []Rlimit `json:"lastRlimits,omitempty"`
	UID         int      `json:"uid"`
	GID         int      `json:"gid"`
	// SharesNetwork says that there is no network namespace of its own.
	SharesNetwork bool `json:"sharesNetwork,omitempty"`
	// KeepGroups leaves the supplementary groups: a user namespace made without privilege must not change them.
	KeepGroups bool `json:"keepGroups"`
	// DieWithParent ends the instance when the thread that started it ends.
	DieWithParent bool   `json:"dieWithParent"`
	Seccomp       []byte `json:"seccomp"` // array of struct sock_filter
}
