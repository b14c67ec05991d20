package local

import (
	"context"
	"errors"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"fcd/config"
	"fcd/invoker/runtimes"
	"fcd/invoker/sandbox/native"
)

// Checker asks the function's interpreter, in a sandbox, whether files can be parsed; none of the code is run. Files of a
// folder need not all be the function's, so only two kinds count: the handler's module, and what could be parsed before.
type Checker struct {
	function *Function
	runtime  *runtimes.Runtime
	driver   *native.Driver
	dir      string // temporary
	language language
	program  []string // behind the interpreter

	sound map[string]bool // files that could be parsed when they were looked at last
	known map[string]*file

	mu      sync.Mutex // guards these
	waiting *parser    // for the next Check; nil: none
	closed  bool

	ending sync.WaitGroup // parsers that were used
}

// NewChecker finds the function's interpreter. It is nil, without an error, for a runtime whose code is compiled before
// it gets here. Close it in the end. sandboxInit is as in RunnerOptions.
func NewChecker(c *config.Config, f *Function, sandboxInit string) (_ *Checker, err error) {
	k := &Checker{function: f, sound: map[string]bool{}, known: map[string]*file{}}
	switch {
	case strings.HasPrefix(f.Runtime, "nodejs"):
		k.language, k.program = languages[0], []string{"-e", parseJS}
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
	k.mu.Lock()
	k.closed = true
	if k.waiting != nil {
		k.waiting.end()
	}
	k.mu.Unlock()
	k.ending.Wait()
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

// parse gives the error of each file that cannot be parsed.
func (k *Checker) parse(ctx context.Context, files []string) (map[string]string, error) {
	if len(files) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if p := k.take(); p != nil {
		if bad, err := k.ask(ctx, p, files); err == nil {
			return bad, nil
		} // it may have been ended while it waited
	}
	p, err := k.startParser(ctx)
	if err != nil {
		return nil, err
	}
	return k.ask(ctx, p, files)
}

// ask uses a parser up. Its end is not waited for.
func (k *Checker) ask(ctx context.Context, p *parser, files []string) (map[string]string, error) {
	defer k.ending.Go(p.end)
	return p.parse(ctx, files)
}

// Prepare starts the interpreter of the next Check, so that this need not wait for it. It may run beside a Check.
func (k *Checker) Prepare(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.waiting != nil || k.closed {
		return nil
	}
	var err error
	k.waiting, err = k.startParser(ctx)
	return err
}

// take is the interpreter that Prepare has started, nil if there is none that sees the folder.
func (k *Checker) take() *parser {
	k.mu.Lock()
	p := k.waiting
	k.waiting = nil
	k.mu.Unlock()
	if p == nil {
		return nil
	}
	if now, err := os.Stat(k.function.Dir); err != nil || !os.SameFile(now, p.folder) { // it was replaced
		p.end()
		return nil
	}
	return p
}
