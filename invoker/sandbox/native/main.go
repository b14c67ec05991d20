package native

import "fcd/invoker/sandbox/native/internal/inside"

// Main becomes the init of a sandbox if this process was started as one; then it does not return. Otherwise it does
// nothing. Call it before anything else in main and in TestMain: it says there that the program may be an init. (The
// package that does the work has looked already, before most other packages were initialised, to make starts fast.)
// Functions cannot make use of it: the binary is not visible to them, and an init has no right that its starter lacks.
func Main() { inside.Main() }
