package local_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fcd/cmd/fcd/local"
	"fcd/config"
	"fcd/fc"
	"fcd/invoker/sandbox/native"
)

func TestMain(m *testing.M) {
	native.Main()
	goleak.VerifyTestMain(m)
}

// folder makes a folder that functions may read.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hello")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// function is a resolved function of a folder.
func function(t testing.TB, dir string, change func(*local.Function)) *local.Function {
	t.Helper()
	f := &local.Function{Service: "local", Dir: dir, MemoryMB: 128, TimeoutSeconds: 3}
	if change != nil {
		change(f)
	}
	if err := f.Resolve(fc.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	return f
}

// runner runs a function until the test ends.
func runner(t testing.TB, o local.RunnerOptions) *local.Runner {
	t.Helper()
	o.Config = config.Default()
	r, err := local.NewRunner(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// lines is a log that keeps its messages.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Append(rs ...fc.LogRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rs {
		l.all = append(l.all, r.Message)
	}
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func withTimeout(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// freePort is a port that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
