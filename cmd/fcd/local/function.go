package local

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fcd/fc"
)

// Function is a function as its folder and the command line describe it.
type Function struct {
	Service, Name  string // "" = named for the folder
	Dir            string
	Handler        string // default index.handler
	Runtime        string // "" = told by the handler's file
	Initializer    string
	PreFreeze      string // hooks, named like the handler; "": none
	PreStop        string
	MemoryMB       int
	TimeoutSeconds int // of the initializer too, and of the hooks as far as they may
	Env            map[string]string
}

// Resolve fills in what was left open and checks the whole by the rules of the API, so that a function that runs here can
// be deployed. Errors name the field and the value.
func (f *Function) Resolve(limits fc.Limits) error {
	dir, err := realDir(f.Dir)
	if err != nil {
		return err
	}
	f.Dir = dir
	if f.Handler == "" {
		f.Handler = "index.handler"
	}
	if f.Name == "" {
		f.Name = nameFor(filepath.Base(dir))
	}
	if f.Runtime == "" {
		if f.Runtime, err = f.guessRuntime(); err != nil {
			return err
		}
	}
	return f.record().Validate(limits)
}

// realDir is the folder itself, where a watch and a mount find it.
func realDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", fmt.Errorf("folder of the function: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is not a folder", dir)
	}
	return dir, nil
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// nameFor makes a function's name of a folder's.
func nameFor(base string) string {
	name := strings.Trim(notInNames.ReplaceAllString(base, "-"), "-")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "f" + name
	}
	return name[:min(len(name), fc.MaxFunctionNameLength)]
}

// guessRuntime tells by the handler which language is meant.
func (f *Function) guessRuntime() (string, error) {
	if strings.Contains(f.Handler, "::") {
		return "java8", nil
	}
	for _, l := range languages {
		for _, file := range l.files(f.Handler) {
			if _, err := os.Stat(filepath.Join(f.Dir, file)); err == nil {
				return l.runtime, nil
			}
		}
	}
	module := strings.Join([]string{languages[0].files(f.Handler)[0], languages[1].files(f.Handler)[0]}, " nor ")
	return "", fmt.Errorf("handler %s: neither %s is in %s: name the handler, and the runtime if it is another", f.Handler, module, f.Dir)
}

// language is one whose files can be told apart and checked.
type language struct {
	suffix, runtime string
	dotted          bool // dots in the module's name may be folders
}

var languages = []language{{suffix: ".js", runtime: "nodejs8"}, {suffix: ".py", runtime: "python3", dotted: true}}

// files are where the handler's module may be, below the folder.
func (l language) files(handler string) []string {
	module := handler
	if i := strings.LastIndexByte(handler, '.'); i >= 0 {
		module = handler[:i]
	}
	files := []string{module + l.suffix}
	if l.dotted && strings.Contains(module, ".") {
		files = append(files, strings.ReplaceAll(module, ".", "/")+l.suffix)
	}
	return files
}

// record is the function as the API knows it.
func (f *Function) record() *fc.Function {
	return &fc.Function{
		ServiceName: f.Service, Name: f.Name, Runtime: f.Runtime, Handler: f.Handler, Initializer: f.Initializer,
		MemorySizeMB: f.MemoryMB, TimeoutSeconds: f.TimeoutSeconds, InitializationTimeoutSeconds: f.TimeoutSeconds,
		EnvironmentVariables: f.Env, InstanceConcurrency: 1, InstanceLifecycleConfig: f.lifecycle(),
	}
}

// lifecycle is nil for a function without hooks.
func (f *Function) lifecycle() *fc.LifecycleConfig {
	if f.PreFreeze == "" && f.PreStop == "" {
		return nil
	}
	hook := func(handler string) *fc.LifecycleHook {
		if handler == "" {
			return nil
		}
		return &fc.LifecycleHook{Handler: handler, TimeoutSeconds: min(f.TimeoutSeconds, fc.MaxHookTimeoutSeconds)}
	}
	return &fc.LifecycleConfig{PreFreeze: hook(f.PreFreeze), PreStop: hook(f.PreStop)}
}

// handlers are all names by which the function's code is called.
func (f *Function) handlers() []string {
	all := []string{f.Handler, f.Initializer, f.PreFreeze, f.PreStop}
	return slices.DeleteFunc(all, func(h string) bool { return h == "" })
}

// Ref is the function's name.
func (f *Function) Ref() fc.FunctionRef { return fc.FunctionRef{Service: f.Service, Function: f.Name} }

// readable refuses a folder that the function would not be able to read, running under a user id of its own.
func (f *Function) readable() error {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return err
	}
	const files, folders = 0o004, 0o005
	for _, path := range append([]string{f.Dir}, below(f.Dir, entries)...) {
		info, err := os.Stat(path)
		if err != nil {
			continue // a link into nothing
		}
		need := os.FileMode(files)
		if info.IsDir() {
			need = folders
		}
		if info.Mode()&need != need {
			return fmt.Errorf("%s has mode %v and functions run under a user id of their own: chmod -R o+rX %s", path, info.Mode(), f.Dir)
		}
	}
	return nil
}

func below(dir string, entries []os.DirEntry) []string {
	var paths []string
	for _, e := range entries {
		if !leftOut(e.Name()) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}
