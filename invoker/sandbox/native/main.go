package native

import "fcd/invoker/sandbox/native/internal/inside"

// Main becomes the init of a sandbox if this process was started as one; then it does not return. Otherwise it does
// nothing. It has to be called before anything else in main and in TestMain. Functions cannot make use of it: the
// binary is not visible to them, and an init has no right that its starter lacks.
func Main() { inside.Main() }
