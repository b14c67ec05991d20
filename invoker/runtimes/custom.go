package runtimes

import (
	"path"
	"strings"

	"fcd/fc"
)

// defaultProgram is what is started for a function with the runtime custom that names no command.
const defaultProgram = CodeDir + "/bootstrap"

// RuntimeAPI is where, inside an instance, a function's own program may fetch its requests. FC_RUNTIME_API names it.
const RuntimeAPI = "127.100.0.3:80"

// ServesHTTP tells whether the function's own program takes requests by HTTP; otherwise a bootstrap takes them as frames.
func (r *Runtime) ServesHTTP() bool { return r.row.family.http }

// Concurrency is how many requests one instance of a function serves at a time: what the function asks for, and 1 where
// the runtime's bootstrap knows no better.
func (r *Runtime) Concurrency(f *fc.Function) int {
	if !r.row.family.concurrent {
		return 1
	}
	return max(1, f.InstanceConcurrency)
}

// Program is the program of a function with a runtime that ServesHTTP, and its arguments, args[0] included. A name
// without a slash is looked for in PATH, a relative path begins at the code.
func Program(f *fc.Function) (program string, args []string) {
	if f.CustomRuntimeConfig == nil || len(f.CustomRuntimeConfig.Command) == 0 {
		args = []string{defaultProgram}
	} else {
		args = f.CustomRuntimeConfig.Command
	}
	if f.CustomRuntimeConfig != nil {
		args = append(args[:len(args):len(args)], f.CustomRuntimeConfig.Args...)
	}
	switch program = args[0]; {
	case path.IsAbs(program):
		return program, args
	case strings.Contains(program, "/"):
		return path.Join(CodeDir, program), args
	}
	return "/usr/bin/env", append([]string{"env", "--"}, args...)
}

// StartCommand is the command line of Program as messages show it.
func StartCommand(f *fc.Function) string {
	c := f.CustomRuntimeConfig
	if c == nil || len(c.Command) == 0 {
		words := []string{"./bootstrap"}
		if c != nil {
			words = append(words, c.Args...)
		}
		return strings.Join(words, " ")
	}
	return strings.Join(append(c.Command[:len(c.Command):len(c.Command)], c.Args...), " ")
}
