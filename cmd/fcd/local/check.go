package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"fcd/config"
	"fcd/invoker/runtimes"
	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/native"
	"github.com/google/uuid"
)

// Checker asks the function's interpreter, in a sandbox, whether files can be parsed; none of the code is run. Files of a
// folder need not all be the function's, so only two kinds count: the handler's module, and what could be parsed before.
type Checker struct {
	function *Function
	runtime  *runtimes.Runtime
	driver   *native.Driver
	dir      string // temporary
	language language
	program  []string // behind the interpreter, before the files

	sound map[string]bool // files that could be parsed when they were looked at last
	known map[string]*file
}

// Programs that print a JSON array, file and error, for each of their arguments that cannot be parsed.
const (
	parseJS = `var vm = require('vm'), fs = require('fs'), wrap = require('module').wrap;
var names = ['exports', 'require', 'module', '__filename', '__dirname'];
process.argv.slice(1).forEach(function (f) {
  try {
    var text = fs.readFileSync(f, 'utf8').replace(/^\uFEFF/, '').replace(/^#!.*/, '');
    if (vm.compileFunction) vm.compileFunction(text, names, {filename: f});
    else new vm.Script(wrap(text), {filename: f});
  } catch (e) { console.log(JSON.stringify([f, String(e.stack).split('\n    at ')[0]])); }
});`
	parsePython = `import json, sys, traceback
for f in sys.argv[1:]:
    try:
        compile(open(f, 'rb').read(), f, 'exec', 0, True)
    except Exception as e:
        print(json.dumps([f, ''.join(traceback.format_exception_only(type(e), e))]))`
)

// NewChecker finds the function's interpreter. It is nil, without an error, for a runtime whose code is compiled before
// it gets here. Close it in the end. sandboxInit is as in RunnerOptions.
func NewChecker(c *config.Config, f *Function, sandboxInit string) (_ *Checker, err error) {
	k := &Checker{function: f, sound: map[string]bool{}, known: map[string]*file{}}
	switch {
	case strings.HasPrefix(f.Runtime, "nodejs"):
		k.language, k.program = languages[0], []string{"-e", parseJS, "--"}
	case strings.HasPrefix(f.Runtime, "python"):
		k.language, k.program = languages[1], []string{"-c", parsePython}
	default:
		return nil, nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.Close())
		}
	}()
	if k.dir, err = os.MkdirTemp("", "fcd-local-"); err != nil {
		return nil, err
	}
	o := RunnerOptions{Config: c, Function: f, SandboxInit: sandboxInit}
	table, err := o.runtimes(k.dir)
	if err != nil {
		return nil, err
	}
	if k.runtime, err = table.Get(f.Runtime); err != nil {
		return nil, err
	}
	k.driver, err = o.openSandbox()
	return k, err
}

// Debuggable refuses a function whose interpreter has no debugger, and prepares one that has.
func (k *Checker) Debuggable() error { return k.function.debuggable(k.runtime) }

// Close gives back what the Checker holds.
func (k *Checker) Close() error {
	var errs []error
	if k.driver != nil {
		errs = append(errs, k.driver.Close())
	}
	if k.dir != "" {
		errs = append(errs, os.RemoveAll(k.dir))
	}
	return errors.Join(errs...)
}

// CodeError is code that cannot be parsed. Its text names the files.
type CodeError struct{ text string }

func (e *CodeError) Error() string { return e.text }

// maxChecked bounds how many files are looked at in one go.
const maxChecked = 500

// Check looks at the files of a snapshot that are new or changed. *CodeError: the function would not start as it did.
func (k *Checker) Check(ctx context.Context, s *Snapshot) error {
	var needed []string
	for _, handler := range k.function.handlers() {
		needed = append(needed, k.language.files(handler)...)
	}
	var ask []string
	for _, f := range s.files {
		if path.Ext(f.path) == k.language.suffix && !strings.Contains("/"+f.path, "/node_modules/") && k.known[f.path] != f && len(ask) < maxChecked {
			ask = append(ask, f.path)
		}
	}
	bad, err := k.parse(ctx, ask)
	if err != nil {
		return err
	}
	var texts []string
	for _, p := range ask {
		text, isBad := bad[p]
		if isBad && (k.sound[p] || slices.Contains(needed, p)) {
			texts = append(texts, text)
			continue
		}
		k.sound[p] = !isBad
	}
	if len(texts) > 0 {
		return &CodeError{strings.Join(texts, "\n")}
	}
	for _, f := range s.files {
		k.known[f.path] = f
	}
	return nil
}

// checkTime bounds one check: parsing takes no time to speak of.
const checkTime = 10 * time.Second

// parse gives the error of each file that cannot be parsed.
func (k *Checker) parse(ctx context.Context, files []string) (map[string]string, error) {
	if len(files) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	args := append([]string{k.runtime.Path}, k.program...)
	for _, f := range files {
		args = append(args, path.Join(runtimes.CodeDir, f))
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	instance, err := k.driver.Start(ctx, sandbox.Spec{
		ID: "check-" + uuid.NewString(), Runtime: k.runtime.Name, Root: k.runtime.Root, CodeDir: k.function.Dir,
		BootstrapDir: k.runtime.BootstrapDir(), Path: k.runtime.Path, Args: args, Env: k.runtime.StartEnv(),
		Limits: sandbox.Limits{MemoryMB: 512}, Stdout: theirs, Stderr: theirs,
	})
	theirs.Close()
	if err != nil {
		return nil, err
	}
	defer instance.Kill()
	stop := context.AfterFunc(ctx, func() { instance.Kill() })
	defer stop()
	return k.verdicts(out)
}

var blankLines = regexp.MustCompile(`\n(\s*\n)+`)

func (k *Checker) verdicts(out io.Reader) (map[string]string, error) {
	bad := map[string]string{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v [2]string
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, fmt.Errorf("check of the code: %s: %s", k.runtime.Path, lines.Text())
		}
		file := strings.TrimPrefix(v[0], runtimes.CodeDir+"/")
		bad[file] = blankLines.ReplaceAllString(strings.TrimSpace(strings.ReplaceAll(v[1], v[0], file)), "\n")
	}
	return bad, lines.Err()
}
