package runtimes

import (
	"fmt"
	"slices"

	"fcd/fc"
)

// Debug is args, from Command, with the interpreter's debugger listening on a port of 127.0.0.1: the inspector of Node,
// debugpy of Python, JDWP of Java. None of them holds the program up until somebody attaches. Other runtimes have none:
// *fc.Error InvalidArgument.
func (r *Runtime) Debug(args []string, port int) ([]string, error) {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	switch r.row.family {
	case &node:
		return slices.Insert(slices.Clone(args), 1, "--inspect="+address), nil
	case &python: // the program that a module runs comes behind the module's name
		return slices.Insert(slices.Clone(args), len(args)-1, "-m", "debugpy", "--listen", address), nil
	case &java:
		return slices.Insert(slices.Clone(args), 1, "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address="+address), nil
	}
	return nil, fc.Errorf(fc.InvalidArgument, "runtime %s has no debugger that can be opened from outside", r.Name)
}
