package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fcd/api/client"
	"fcd/cmd/fcd/daemon"
	"fcd/cmd/fcd/local/inspectortest"
)

// version is a function that tells which version of it answers, and how many calls the instance has had.
func version(v string) string {
	return `let calls = 0;
exports.handler = (event, context, callback) => {
  calls++;
  console.log('called with %s', event);
  callback(null, '` + v + ` ' + calls);
};`
}

// served is a function that fcd dev serves.
type served struct {
	t    testing.TB
	dir  string // of the code
	data string
	out  *output
	path string // of its invocations
	api  *client.Client
}

// serveFolder starts fcd dev on a new folder, or on the data directory of another, and waits for the first version.
func serveFolder(t testing.TB, data, name string, args ...string) *served {
	t.Helper()
	s := &served{t: t, data: data, dir: filepath.Join(openFolder(t), name)}
	if data == "" {
		s.data = filepath.Join(openFolder(t), "data")
	}
	write(t, s.dir+"/index.js", version("v1"))
	s.out = start(t, append([]string{"dev", s.dir, "--data-dir", s.data, "--ports", "any"}, args...)...)
	s.out.count(t, " deployed: ", 1)
	e, err := daemon.ReadEndpoint(s.data)
	if err != nil {
		t.Fatal(err)
	}
	s.api = client.New(e.API, e.AccessKeyID, e.AccessKeySecret)
	s.path = "/services/dev/functions/" + name + "/invocations"
	return s
}

func (s *served) call(event string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	a, err := s.api.Do(ctx, http.MethodPost, s.path, nil, []byte(event))
	if err != nil {
		return "", err
	}
	return string(a.Body), nil
}

func (s *served) expect(want string) {
	s.t.Helper()
	if got, err := s.call("event"); got != want || err != nil {
		s.t.Errorf("got %q, %v, want %q\n%s", got, err, want, s.out)
	}
}

// await calls until a version answers, which may be deployed after one that was only half written, and wants its first
// answer.
func (s *served) await(version string) {
	s.t.Helper()
	for begin := time.Now(); ; {
		got, err := s.call("event")
		switch {
		case got == version+" 1" && err == nil:
			return
		case strings.HasPrefix(got, version), time.Since(begin) > time.Minute:
			s.t.Fatalf("got %q, %v, want the first answer of %s\n%s", got, err, version, s.out)
		}
	}
}

func TestASavedFileAnswers(t *testing.T) {
	s := serveFolder(t, "", "hello")
	s.expect("v1 1")
	s.expect("v1 2")
	saves := []struct {
		name string
		save func(text string) error
	}{
		{"in place", func(text string) error { return os.WriteFile(s.dir+"/index.js", []byte(text), 0o644) }},
		{"by a rename", func(text string) error {
			if err := os.WriteFile(s.dir+"/4913", []byte(text), 0o644); err != nil {
				return err
			}
			return os.Rename(s.dir+"/4913", s.dir+"/index.js")
		}},
		{"through a new folder", func(text string) error {
			write(t, s.dir+"/lib/deep/code.js", text)
			return os.WriteFile(s.dir+"/index.js", []byte("module.exports = require('./lib/deep/code');"), 0o644)
		}},
		{"in that folder", func(text string) error { return os.WriteFile(s.dir+"/lib/deep/code.js", []byte(text), 0o644) }},
	}
	for n, save := range saves {
		v := fmt.Sprintf("v%d", n+2)
		begin := time.Now()
		if err := save.save(version(v)); err != nil {
			t.Fatal(err)
		}
		s.out.count(t, " deployed: ", n+2)
		deployed := time.Since(begin)
		s.await(v)
		t.Logf("saved %s: deployed after %v, answered after %v", save.name, deployed.Round(time.Millisecond),
			time.Since(begin).Round(time.Millisecond))
	}
	s.out.count(t, "verbose called with event", 2)
}

func TestInstancesStayWarmWhileTheCodeIsTheSame(t *testing.T) {
	s := serveFolder(t, "", "hello")
	s.expect("v1 1")
	write(t, s.dir+"/index.js", version("v1")) // the same again
	write(t, s.dir+"/.index.js.swp", "what an editor leaves")
	s.expect("v1 2")
	write(t, s.dir+"/index.js", version("v1")+"\n)") // where every Node says the same line
	s.out.count(t, " not deployed, the version of ", 1)
	s.out.count(t, "index.js:7\n", 1)
	s.out.count(t, "SyntaxError", 1)
	s.expect("v1 3")
	write(t, s.dir+"/index.js", version("v1"))
	s.out.count(t, " back to the version of ", 1)
	s.expect("v1 4")
	if n := strings.Count(s.out.String(), " deployed: "); n != 1 {
		t.Errorf("%d deployments:\n%s", n, s.out)
	}
}

func TestADeploymentLeavesWhatHasNotChanged(t *testing.T) {
	s := serveFolder(t, "", "hello")
	elsewhere := filepath.Join(openFolder(t), "lib")
	for n := range 100 {
		write(t, fmt.Sprintf("%s/%d/code.js", elsewhere, n), "exports.n = 1;")
	}
	if err := os.Rename(elsewhere, s.dir+"/lib"); err != nil {
		t.Fatal(err)
	}
	s.out.count(t, " deployed: 101 files, 100 changed, ", 1)
	write(t, s.dir+"/index.js", version("v2"))
	s.out.count(t, " deployed: 101 files, 1 changed, ", 1)
	s.await("v2")
	trees, err := filepath.Glob(s.data + "/packages/dir/*/lib/99/code.js")
	if err != nil || len(trees) < 2 {
		t.Fatalf("%q, %v", trees, err)
	}
	first, err := os.Stat(trees[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range trees[1:] {
		if info, err := os.Stat(other); err != nil || !os.SameFile(first, info) {
			t.Errorf("%s is a file of its own, %v", other, err)
		}
	}
}

func TestAFunctionThatWasDeletedIsMadeAgain(t *testing.T) {
	s := serveFolder(t, "", "hello", "--env", "STAGE=dev")
	if _, err := s.api.Do(t.Context(), http.MethodDelete, strings.TrimSuffix(s.path, "/invocations"), nil, nil); err != nil {
		t.Fatal(err)
	}
	write(t, s.dir+"/index.js", "exports.handler = (event, context, callback) => callback(null, process.env.STAGE);")
	s.out.count(t, " deployed: ", 2)
	s.expect("dev")
}

func TestHooksAreDeployed(t *testing.T) {
	s := serveFolder(t, "", "hello", "--pre-stop", "index.stop")
	write(t, s.dir+"/index.js", version("v2")+"\nexports.stop = (context, callback) => { console.log('stops after', calls); callback(); };")
	s.out.count(t, " deployed: ", 2)
	s.await("v2")
	write(t, s.dir+"/index.js", version("v3"))
	s.out.count(t, "verbose stops after 1", 1)
}

func TestAFirstVersionThatIsBadIsWaitedOut(t *testing.T) {
	dir, data := filepath.Join(openFolder(t), "hello"), filepath.Join(openFolder(t), "data")
	write(t, dir+"/index.js", "(")
	out := start(t, "dev", dir, "--data-dir", data, "--ports", "any")
	out.count(t, " not deployed, there is no version yet", 1)
	write(t, dir+"/index.js", version("v1"))
	out.count(t, " deployed: ", 1)
}

func TestAnotherFunctionJoinsTheDaemonThatRuns(t *testing.T) {
	first := serveFolder(t, "", "one")
	second := serveFolder(t, first.data, "two", "--env", "A=b")
	if !strings.Contains(second.out.String(), "served by  the daemon at ") {
		t.Errorf("it does not say whose daemon it uses:\n%s", second.out)
	}
	second.expect("v1 1")
	second.out.count(t, "verbose called with event", 1) // by way of the logstore
	write(t, second.dir+"/index.js", version("v2"))
	second.out.count(t, " deployed: ", 2)
	second.expect("v2 1")
	first.expect("v1 1")
	if strings.Contains(first.out.String(), "dev/two") {
		t.Errorf("the first shows what is the second's:\n%s", first.out)
	}
	_, stderr, code := run(t, command(t, "dev", first.dir, "--data-dir", first.data, "--debug-port", "9229"))
	if code != exitFailed || !strings.Contains(stderr, "--debug-port needs a daemon of the command's own") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestADebuggerAttachesToEachVersion(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	s := serveFolder(t, "", "hello", "--debug-port", fmt.Sprint(port), "--timeout", "1")
	for _, v := range []string{"v1", "v2"} {
		if v != "v1" {
			write(t, s.dir+"/index.js", version(v))
			s.out.count(t, " deployed: ", 2)
		}
		debugger := inspectortest.Attach(t, port)
		debugger.Break(5)
		for n := 1; n <= 2; n++ {
			answer := make(chan string, 1)
			go func() {
				got, err := s.call("event")
				answer <- fmt.Sprint(got, err)
			}()
			if function, line := debugger.Paused(); function != "exports.handler" || line != 5 {
				t.Errorf("stopped in %s, line %d", function, line)
			}
			debugger.Resume()
			if got, want := <-answer, fmt.Sprintf("%s %d<nil>", v, n); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
}

func TestDevNeedsSomethingToServe(t *testing.T) {
	dir := openFolder(t)
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{nil, "accepts 1 arg(s)", exitUsage},
		{[]string{dir, "--name", "hello"}, `"hello" is not SERVICE/FUNCTION`, exitUsage},
		{[]string{dir, "--ports", "some"}, `--ports is "some"`, exitUsage},
		{[]string{dir}, "neither index.js nor index.py is in", exitFailed},
		{[]string{dir + "/nowhere"}, "folder of the function: ", exitFailed},
	} {
		_, stderr, code := run(t, command(t, append([]string{"dev"}, c.args...)...))
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit code %d, %s", c.args, code, stderr)
		}
	}
}
