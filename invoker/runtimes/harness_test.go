package runtimes

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fcd/invoker/runtimes/frame"
)

// patience is how long a test waits for an interpreter before it calls it hung.
const patience = time.Minute

// interpreter is one real interpreter that the contract is tried on.
type interpreter struct {
	lang    string // "nodejs", "python" or "java"
	path    string
	version string
	major   int // 20, 8, 6; 3, 2
}

func (in interpreter) String() string { return fmt.Sprintf("%s %s", in.lang, in.version) }

// args are the interpreter's own arguments and the bootstrap.
func (in interpreter) args(t testing.TB) []string {
	t.Helper()
	file := map[string]string{"nodejs": "nodejs/bootstrap.js", "python": "python/bootstrap.py", "java": "java/bootstrap.jar"}[in.lang]
	abs, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	if in.lang == "java" {
		return append(javaFlags(1024), abs)
	}
	return []string{abs}
}

// interpreters are the host's own of a language, and those in the folder FCD_TEST_RUNTIMES names: executables or links
// called node*, python* and java*.
func interpreters(t testing.TB, lang string) []interpreter {
	t.Helper()
	prefix := map[string]string{"nodejs": "node", "python": "python", "java": "java"}[lang]
	paths := []string{map[string]string{"nodejs": "/usr/bin/node", "python": "/usr/bin/python3", "java": "/usr/bin/java"}[lang]}
	if dir := os.Getenv("FCD_TEST_RUNTIMES"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
		if err != nil {
			t.Fatal(err)
		}
		sort.Strings(more)
		paths = append(paths, more...)
	}
	var found []interpreter
	for _, path := range paths {
		ask := map[string]string{"java": "-version"}[lang]
		out, err := exec.Command(path, cmp.Or(ask, "--version")).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v (the tests need %s on this machine)", path, ask, err, paths[0])
		}
		text, v, err := readVersion(string(out))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, interpreter{lang: lang, path: path, version: text, major: v.major})
	}
	return found
}

// onEach runs a test on every interpreter of a language.
func onEach(t *testing.T, lang string, test func(*testing.T, interpreter)) {
	t.Helper()
	for _, in := range interpreters(t, lang) {
		t.Run(in.String(), func(t *testing.T) { test(t, in) })
	}
}

// line is a line of log as its pipe's fences attribute it.
type line struct {
	id   string
	text string
	late bool
}

// logPipe reads one log pipe.
type logPipe struct {
	mu      sync.Mutex
	lines   []line
	ended   map[string]chan struct{} // by request id, closed at its end fence
	changed chan struct{}            // closed and replaced at every line
	done    chan struct{}            // closed at the end of the pipe
}

func (p *logPipe) end(id string) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended[id] == nil {
		p.ended[id] = make(chan struct{})
	}
	return p.ended[id]
}

// ends tells whether the end fence of a request has been there: benchmarks use an id again and again.
func (p *logPipe) ends(id string) bool {
	select {
	case <-p.end(id):
		return true
	default:
		return false
	}
}

// read splits what comes into lines. It is as simple as a test allows; the daemon's own is bounded.
func (p *logPipe) read(r io.Reader, token frame.Token) {
	defer close(p.done)
	var rest, text []byte
	var id string
	var late bool
	emit := func() {
		if len(text) > 0 {
			p.mu.Lock()
			p.lines = append(p.lines, line{id, strings.TrimSuffix(string(text), "\n"), late})
			close(p.changed)
			p.changed = make(chan struct{})
			p.mu.Unlock()
			text = nil
		}
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		rest = append(rest, buf[:n]...)
		for len(rest) > 0 {
			f, size := token.ParseFence(rest)
			if size < 0 && err == nil {
				break
			}
			if size > 0 {
				emit()
				id, late = string(f.ID), f.Mark == frame.FenceEnd
				if f.Mark == frame.FenceUnlabel {
					id = ""
				}
				if late && !p.ends(id) {
					close(p.end(id))
				}
				rest = rest[size:]
				continue
			}
			cut := 1 + bytes.IndexAny(rest[1:], "\x00\n")
			if cut == 0 {
				cut = len(rest)
			}
			if rest[0] == '\n' {
				cut = 1
			} else if cut < len(rest) && rest[cut] == '\n' {
				cut++
			}
			text = append(text, rest[:cut]...)
			if text[len(text)-1] == '\n' {
				emit()
			}
			rest = rest[cut:]
		}
		if err != nil {
			emit()
			return
		}
	}
}

// process is one interpreter that runs a bootstrap.
type process struct {
	t       testing.TB
	in      interpreter
	code    string
	token   frame.Token
	hello   frame.Hello
	greeted bool
	w       *frame.Writer
	frameIn *os.File
	pipes   map[string]uint64 // inodes of the frame pipes, "in" and "out" as the process sees them
	answers chan frame.Frame
	gone    chan struct{} // closed when fd 4 ended
	logs    [2]*logPipe   // stdout, stderr
	cmd     *exec.Cmd
	wg      sync.WaitGroup
}

// start runs a bootstrap with a code folder that holds files.
func start(t testing.TB, in interpreter, files map[string]string, env ...string) *process {
	t.Helper()
	code, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		file := filepath.Join(code, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	p := &process{t: t, in: in, code: code, token: frame.NewToken(), answers: make(chan frame.Frame, 100), gone: make(chan struct{})}
	p.hello = frame.Hello{
		V: frame.Version, Runtime: map[string]string{"nodejs": "nodejs8", "python": "python3"}[in.lang], Token: p.token.Hex(),
		CodeDir: code, Handler: "index.handler", Region: "cn-hangzhou", AccountID: "1234567890", InstanceID: "i-1",
		Env:      map[string]string{"GREETING": "hello"},
		Function: frame.Function{Name: "fn", Handler: "index.handler", MemoryMB: 128, TimeoutSeconds: 3, InitializationTimeout: 5},
		Service:  frame.Service{Name: "svc", LogProject: "prj", LogStore: "store", Qualifier: "prod", VersionID: "7"},
	}
	if in.lang == "java" {
		p.hello.Runtime = "java8"
		if err := os.CopyFS(code, os.DirFS(javaClasses(t))); err != nil {
			t.Fatal(err)
		}
	}
	p.run(append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8", "PYTHONUNBUFFERED=1"}, env...))
	t.Cleanup(p.stop)
	ready, err := frame.ReadReady(p.next())
	if err != nil || ready.PID != p.cmd.Process.Pid || ready.Version != in.version {
		t.Fatalf("READY %+v, %v; want pid %d and version %s", ready, err, p.cmd.Process.Pid, in.version)
	}
	return p
}

func (p *process) run(env []string) {
	var ends [4][2]*os.File // fd 3, 4, 1, 2
	for i := range ends {
		r, w, err := os.Pipe()
		if err != nil {
			p.t.Fatal(err)
		}
		ends[i] = [2]*os.File{r, w}
	}
	p.cmd = exec.CommandContext(context.Background(), p.in.path, p.in.args(p.t)...)
	p.cmd.Dir = p.code
	p.cmd.Env = env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.ExtraFiles = []*os.File{ends[0][0], ends[1][1]}
	p.cmd.Stdout, p.cmd.Stderr = ends[2][1], ends[3][1]
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for _, f := range []*os.File{ends[0][0], ends[1][1], ends[2][1], ends[3][1]} {
		f.Close()
	}
	p.frameIn, p.w = ends[0][1], frame.NewWriter(ends[0][1])
	p.pipes = map[string]uint64{"in": inode(p.t, ends[0][1]), "out": inode(p.t, ends[1][0])}
	for i := range p.logs {
		p.logs[i] = &logPipe{ended: map[string]chan struct{}{}, changed: make(chan struct{}), done: make(chan struct{})}
		pipe := ends[2+i][0]
		p.wg.Go(func() { p.logs[i].read(pipe, p.token); pipe.Close() })
	}
	p.wg.Go(func() {
		defer close(p.gone)
		defer ends[1][0].Close()
		r := frame.NewReader(ends[1][0])
		for {
			f, err := r.Read()
			if err != nil {
				return
			}
			p.answers <- f
		}
	})
}

func inode(t testing.TB, f *os.File) uint64 {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// stop ends the process, what it started and everything that reads from it.
func (p *process) stop() {
	p.frameIn.Close()
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.cmd.Wait()
	p.wg.Wait()
}

// exit waits for the process to end by itself, with its log read to the end.
func (p *process) exit() int {
	p.t.Helper()
	done := make(chan struct{})
	go func() { p.cmd.Wait(); p.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		p.t.Fatal("the process does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// next is the next frame the process sends; the zero Frame when it ended instead.
func (p *process) next() frame.Frame {
	p.t.Helper()
	select {
	case f := <-p.answers:
		return f
	case <-p.gone:
		select {
		case f := <-p.answers:
			return f
		default:
			return frame.Frame{}
		}
	case <-time.After(patience):
		p.t.Fatalf("no answer; log so far: %+v", p.allLines())
		return frame.Frame{}
	}
}

// send writes a request, the first one together with HELLO.
func (p *process) send(typ frame.Type, req frame.Request, body []byte) {
	p.t.Helper()
	msgs := []frame.Message{{Type: typ, Header: req, Body: body}}
	if !p.greeted {
		p.greeted = true
		msgs = append([]frame.Message{{Type: frame.TypeHello, Header: p.hello}}, msgs...)
	}
	if err := p.w.Write(msgs...); err != nil {
		p.t.Fatal(err)
	}
}

// request sends a request and waits for its answer; the zero Answer means that the process ended instead.
func (p *process) request(typ frame.Type, req frame.Request, body []byte) frame.Answer {
	p.t.Helper()
	p.send(typ, req, body)
	f := p.next()
	if f.Type == 0 {
		return frame.Answer{}
	}
	a, err := frame.ReadAnswer(f)
	if err != nil || a.ID != req.ID {
		p.t.Fatalf("answer %+v to request %s, %v", a, req.ID, err)
	}
	return a
}

func (p *process) invoke(id string, body string) frame.Answer {
	p.t.Helper()
	return p.request(frame.TypeInvoke, frame.Request{ID: id}, []byte(body))
}

// lines are the lines of a request on both pipes, standard output first, once both end fences are there.
func (p *process) lines(id string) []string {
	p.t.Helper()
	var out []string
	for _, l := range p.logs {
		select {
		case <-l.end(id):
		case <-l.done:
		case <-time.After(patience):
			p.t.Fatalf("no end fence of %s; log so far: %+v", id, p.allLines())
		}
		out = append(out, l.of(id, false)...)
	}
	return out
}

func (l *logPipe) of(id string, late bool) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, x := range l.lines {
		if x.id == id && x.late == late {
			out = append(out, x.text)
		}
	}
	return out
}

func (p *process) allLines() []line {
	var out []line
	for _, l := range p.logs {
		l.mu.Lock()
		out = append(out, l.lines...)
		l.mu.Unlock()
	}
	return out
}

// generic makes a text comparable: the code folder is called /code.
func (p *process) generic(text string) string { return strings.ReplaceAll(text, p.code, "/code") }

// await waits until a line that contains text has come.
func (l *logPipe) await(t testing.TB, text string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		found := strings.Contains(fmt.Sprint(l.lines), text)
		changed := l.changed
		l.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no line with %q", text)
		}
	}
}
