package runtimes

import (
	"maps"
	"slices"
	"strings"
)

// A generic instance is an interpreter with its bootstrap that was started before its function was known. HELLO sets the
// function's variables in the running process, so it can become an instance of every function whose variables are not
// read at the start alone.

// fixed are variables that the loader, the C library or any interpreter reads once, at its start. A name that ends in *
// is a prefix.
var fixed = []string{"LD_*", "MALLOC_*", "GLIBC_TUNABLES", "LANG", "LANGUAGE", "LC_*", "HOME"}

// FixedAtStart names a variable of the function that only counts for an interpreter that is started with it, "" if there
// is none. The function needs an instance of its own then, from the start.
func (r *Runtime) FixedAtStart(b Binding) string {
	start, env := r.startEnv(), r.functionEnv(b)
	for _, key := range slices.Sorted(maps.Keys(env)) {
		if value, same := start[key]; same && value == env[key] {
			continue
		}
		if r.row.family.fixes(key) {
			return key
		}
	}
	return ""
}

// Spare is how many generic instances of the runtime are worth having where its functions are used; 0 = there can be
// none, since the function brings its own program.
func (r *Runtime) Spare() int { return r.row.family.spare }

// StartMB is the memory that a generic instance, started with HeapMB's answer, needs until it is claimed, in MB.
func (r *Runtime) StartMB(heapMB int) int {
	if r.row.family.flags != nil {
		return heapMB // the heap is set aside at the start
	}
	return smallestMB
}

// smallestMB is the memory size of the smallest function. Every interpreter starts in it.
const smallestMB = 128

func (f *family) fixes(key string) bool {
	if slices.Contains(f.settable, key) {
		return false
	}
	match := func(name string) bool {
		prefix, many := strings.CutSuffix(name, "*")
		return key == name || many && strings.HasPrefix(key, prefix)
	}
	return slices.ContainsFunc(fixed, match) || slices.ContainsFunc(f.fixed, match)
}
