package runtimes

import (
	"maps"
	"slices"
	"strconv"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// CodeDir is where a sandbox shows the function's code.
const CodeDir = "/code"

// overridable are the variables of the runtime that a function may set to something else.
var overridable = []string{"PATH", "LD_LIBRARY_PATH", "NODE_PATH", "PYTHONPATH", "PYTHONUSERBASE", "LANG", "HOME", "TZ"}

// Binding is what an instance is bound to by its HELLO.
type Binding struct {
	Target            *fc.Target
	Region, AccountID string
	InstanceID        string
	Token             frame.Token
	Credentials       fc.Credentials    // zero when the service has no role
	Extra             map[string]string // the daemon's own variables; a function's win over them
	LogStyle          string            // frame.LogPlain or frame.LogBracket
	Errors            frame.Errors
	// IgnorePromises keeps a promise that a Node handler returns from settling the request.
	IgnorePromises bool
}

// StartEnv is the environment to start the interpreter with, KEY=value, sorted. It is the same for all functions of the
// runtime, so that an instance can be started before its function is known.
func (r *Runtime) StartEnv() []string { return environ(r.startEnv()) }

// Environment is the whole environment of a function's instance, KEY=value, sorted, but for the keys of its role, which
// the bootstrap sets. What a function says of LD_LIBRARY_PATH only counts for the interpreter itself if it is started
// with this.
func (r *Runtime) Environment(b Binding) []string {
	env := r.startEnv()
	maps.Copy(env, r.functionEnv(b))
	return environ(env)
}

// Hello is the frame header that binds an instance of the runtime.
func (r *Runtime) Hello(b Binding) frame.Hello {
	f, s := b.Target.Function, b.Target.Service
	hook := func(h *fc.LifecycleHook) string {
		if h == nil {
			return ""
		}
		return h.Handler
	}
	return frame.Hello{
		V: frame.Version, Runtime: r.Name, Token: b.Token.Hex(), CodeDir: CodeDir,
		Handler: f.Handler, Initializer: f.Initializer, PreStop: hook(f.PreStop()), PreFreeze: hook(f.PreFreeze()), Env: r.functionEnv(b),
		Function: frame.Function{
			Name: f.Name, Handler: f.Handler, MemoryMB: f.MemorySizeMB, TimeoutSeconds: f.TimeoutSeconds,
			Initializer: f.Initializer, InitializationTimeout: f.InitializationTimeoutSeconds,
		},
		Service: frame.Service{
			Name: s.Name, LogProject: s.LogConfig.Project, LogStore: s.LogConfig.Logstore,
			Qualifier: Qualifier(b.Target), VersionID: b.Target.VersionID,
		},
		Region: b.Region, AccountID: b.AccountID, InstanceID: b.InstanceID,
		Credentials: Credentials(b.Credentials), LogStyle: b.LogStyle, Errors: b.Errors, IgnorePromises: b.IgnorePromises,
		Concurrency: r.Concurrency(f),
	}
}

// Credentials are keys as frames carry them.
func Credentials(c fc.Credentials) frame.Credentials {
	return frame.Credentials{AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret, SecurityToken: c.SecurityToken}
}

// Qualifier is the qualifier that a target was asked for by, LATEST if none.
func Qualifier(t *fc.Target) string {
	if t.Ref.Qualifier == "" {
		return fc.Latest
	}
	return t.Ref.Qualifier
}

func (r *Runtime) startEnv() map[string]string {
	env := map[string]string{
		"HOME":            "/tmp",
		"LANG":            "C.UTF-8",
		"PATH":            "/usr/local/bin:/usr/bin:/bin",
		"LD_LIBRARY_PATH": r.row.family.libraries,
	}
	maps.Copy(env, r.row.family.env)
	maps.Copy(env, r.settings.Env)
	return env
}

// functionEnv is what a function adds to StartEnv: its facts, the daemon's extras and its own variables, as far as
// those do not replace what the runtime promises.
func (r *Runtime) functionEnv(b Binding) map[string]string {
	f := b.Target.Function
	env := map[string]string{
		"FC_FUNC_CODE_PATH":       CodeDir + "/",
		"FC_FUNCTION_NAME":        f.Name,
		"FC_FUNCTION_HANDLER":     f.Handler,
		"FC_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.MemorySizeMB),
		"FC_SERVICE_NAME":         b.Target.Service.Name,
		"FC_QUALIFIER":            Qualifier(b.Target),
		"FC_VER_ID":               b.Target.VersionID,
		"FC_REGION":               b.Region,
		"FC_ACCOUNT_ID":           b.AccountID,
		"FC_INSTANCE_ID":          b.InstanceID,
		"FC_RUNTIME_VERSION":      r.status.Version,
	}
	if r.ServesHTTP() {
		env["FC_SERVER_PORT"] = strconv.Itoa(f.ListenPort())
		env["FC_RUNTIME_API"] = RuntimeAPI
	}
	fixed := r.startEnv()
	maps.Copy(fixed, env)
	for _, more := range []map[string]string{b.Extra, f.EnvironmentVariables} {
		for key, value := range more {
			if _, taken := fixed[key]; !taken || slices.Contains(overridable, key) {
				env[key] = value
			}
		}
	}
	return env
}

func environ(env map[string]string) []string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(env)) {
		list = append(list, key+"="+env[key])
	}
	return list
}
