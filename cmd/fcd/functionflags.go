package main

import (
	"strings"

	"github.com/spf13/pflag"

	"fcd/cmd/fcd/local"
)

// functionFlags describe a function that comes from a folder.
type functionFlags struct {
	local.Function
	env       []string
	debugPort int
}

func (f *functionFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.Handler, "handler", "", "the function's `HANDLER` (default index.handler)")
	flags.StringVar(&f.Runtime, "runtime", "", "its `RUNTIME` (default: told by the handler's file)")
	flags.StringVar(&f.Initializer, "initializer", "", "its initializer, a `HANDLER` (default: none)")
	flags.StringVar(&f.PreFreeze, "pre-freeze", "", "its hook that runs when an instance turns idle, a `HANDLER` (default: none)")
	flags.StringVar(&f.PreStop, "pre-stop", "", "its hook that runs before an instance is ended, a `HANDLER` (default: none)")
	flags.IntVar(&f.MemoryMB, "memory", 128, "its memory in `MB`")
	flags.IntVar(&f.TimeoutSeconds, "timeout", 3, "`SECONDS` that a call may take")
	flags.StringArrayVar(&f.env, "env", nil, "an environment variable, `KEY=VALUE`; may be repeated")
	flags.IntVar(&f.debugPort, "debug-port", 0, "let a debugger attach on this `PORT` of 127.0.0.1; no timeouts then")
}

// environment reads what --env was given.
func (f *functionFlags) environment() error {
	f.Env = map[string]string{}
	for _, e := range f.env {
		key, value, ok := strings.Cut(e, "=")
		if !ok {
			return usagef("--env is %q: it must be KEY=VALUE", e)
		}
		f.Env[key] = value
	}
	return nil
}
