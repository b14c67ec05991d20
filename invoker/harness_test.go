package invoker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/invoker/sandbox/native"
)

func TestMain(m *testing.M) {
	native.Main()
	if mode := os.Getenv(childVariable); mode != "" {
		runChild(mode)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(javaTemp)
		os.Exit(code)
	}))
}

// patience is how long a test waits for what must come before it calls it lost: the machine may be very busy.
const patience = time.Minute

// functions is a Functions that a test can change.
type functions struct {
	mu      sync.Mutex
	targets map[fc.FunctionRef]*fc.Target
}

func (f *functions) Target(ref fc.FunctionRef) (*fc.Target, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t, ok := f.targets[ref]; ok {
		return t, nil
	}
	return nil, fc.Errorf(fc.FunctionNotFound, "function '%s' does not exist", ref.Function)
}

// set makes or changes a function; each call is a new generation.
func (f *functions) set(name string, change func(*fc.Service, *fc.Function)) fc.FunctionRef {
	f.mu.Lock()
	defer f.mu.Unlock()
	svc := &fc.Service{Name: "demo", LogConfig: fc.LogConfig{Project: "p", Logstore: "l"}}
	fn := &fc.Function{ServiceName: "demo", Name: name, Runtime: "nodejs8", Handler: "index.handler", TimeoutSeconds: 60,
		MemorySizeMB: 128, InitializationTimeoutSeconds: 60, CodeSHA256: name, CodeChecksum: "42"}
	if change != nil {
		change(svc, fn)
	}
	if f.targets == nil {
		f.targets = make(map[fc.FunctionRef]*fc.Target)
	}
	ref := fc.FunctionRef{Service: "demo", Function: name}
	generation := fmt.Sprintf("%s-%p", name, fn)
	f.targets[ref] = &fc.Target{Ref: ref, VersionID: fc.Latest, Service: svc, Function: fn, Generation: generation}
	return ref
}

// lines is a Logs that keeps what it gets.
type lines struct {
	mu   sync.Mutex
	all  []fc.LogRecord
	more chan struct{} // closed when there are more
}

func newLines() *lines { return &lines{more: make(chan struct{})} }

func (l *lines) Append(rs ...fc.LogRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, rs...)
	close(l.more)
	l.more = make(chan struct{})
}

// of are the messages of a request so far.
func (l *lines) of(id string) (messages []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.all {
		if r.RequestID == id {
			messages = append(messages, r.Message)
		}
	}
	return messages
}

// until waits for a record of the request that ok accepts.
func (l *lines) until(t testing.TB, id string, ok func(fc.LogRecord) bool) fc.LogRecord {
	t.Helper()
	late := time.After(patience)
	for {
		l.mu.Lock()
		i := slices.IndexFunc(l.all, func(r fc.LogRecord) bool { return r.RequestID == id && ok(r) })
		if i >= 0 {
			defer l.mu.Unlock()
			return l.all[i]
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-late:
			t.Fatalf("the line of %s did not come; there are %q", id, l.of(id))
		}
	}
}

// records are all so far.
func (l *lines) records() []fc.LogRecord {
	all, _ := l.now()
	return all
}

// now are all records so far, and what is closed when there are more.
func (l *lines) now() ([]fc.LogRecord, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all), l.more
}

// find waits for a record that ok accepts, whatever its request.
func (l *lines) find(t testing.TB, ok func(fc.LogRecord) bool) fc.LogRecord {
	t.Helper()
	late := time.After(patience)
	for {
		all, more := l.now()
		for _, r := range all {
			if ok(r) {
				return r
			}
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("the line did not come; there are %v", l.records())
		}
	}
}

// count counts the records whose messages begin so.
func (l *lines) count(prefix string) (n int) {
	for _, r := range l.records() {
		if strings.HasPrefix(r.Message, prefix) {
			n++
		}
	}
	return n
}

// ended waits for the End line of a request.
func (l *lines) ended(t testing.TB, id string) []string {
	t.Helper()
	l.until(t, id, func(r fc.LogRecord) bool { return strings.HasPrefix(r.Message, "FC Invoke End") })
	return l.of(id)
}

type codeDir string

func (d codeDir) Dir(context.Context, string) (string, error) { return string(d), nil }

// world is an Invoker on plain children.
type world struct {
	*Invoker
	functions *functions
	driver    *plainDriver
	lines     *lines
	n         int
}

func newWorld(t testing.TB, change func(*Options)) *world {
	t.Helper()
	w := &world{functions: &functions{}, driver: &plainDriver{}, lines: newLines()}
	o := Options{Functions: w.functions, Code: codeDir(t.TempDir()), Driver: w.driver, Runtimes: table(t), Logs: w.lines,
		Region: "local", AccountID: "123", MaxWait: patience, StartTimeout: patience}
	if change != nil {
		change(&o)
	}
	v, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Invoker = v
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		v.Close(ctx)
		if n := v.budget.used(); n != 0 {
			t.Errorf("%d instances are left", n)
		}
	})
	return w
}

// call makes an invocation that must take place.
func (w *world) call(t testing.TB, ref fc.FunctionRef, event string) fc.Result {
	t.Helper()
	w.n++
	res, err := w.Invoke(context.Background(), fc.Call{RequestID: fmt.Sprintf("req-%d", w.n), Ref: ref, Payload: []byte(event)})
	if err != nil {
		t.Fatalf("invoke %.40q: %v", event, err)
	}
	return res
}

// gate is a file that calls wait for.
func gate(t testing.TB) (file string, open func()) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "gate")
	return file, func() {
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Error(err)
		}
	}
}

func codeOf(err error) fc.Code {
	var e *fc.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
