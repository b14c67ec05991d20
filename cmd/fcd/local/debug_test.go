package local_test

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"

	"fcd/cmd/fcd/local"
	"fcd/cmd/fcd/local/inspectortest"
)

const debugged = `let calls = 0;
exports.handler = (event, context, callback) => {
  calls++;
  callback(null, calls + ' ' + event);
};`

// TestBreakpointsAreHitAgainAndAgain stands at a breakpoint for longer than the function's timeout, in each of several
// calls to the same instance.
func TestBreakpointsAreHitAgainAndAgain(t *testing.T) {
	dir := folder(t, map[string]string{"index.js": debugged})
	port := freePort(t)
	debug, err := local.OpenDebugPort(port)
	if err != nil {
		t.Fatal(err)
	}
	defer debug.Close()
	f := function(t, dir, func(f *local.Function) { f.TimeoutSeconds = 1 })
	r := runner(t, local.RunnerOptions{Function: f, DebugPort: debug})
	if err := r.Warm(withTimeout(t)); err != nil {
		t.Fatal(err)
	}
	i := inspectortest.Attach(t, port)
	i.Break(4)
	for n := 1; n <= 3; n++ {
		answer := make(chan string, 1)
		go func() {
			if n == 1 {
				if err := debug.Attached(withTimeout(t)); err != nil {
					answer <- err.Error()
					return
				}
			}
			res, err := r.Invoke(withTimeout(t), []byte("event"))
			answer <- fmt.Sprint(string(res.Body), res.ErrorType, err)
		}()
		if function, line := i.Paused(); function != "exports.handler" || line != 4 {
			t.Errorf("stopped in %s, line %d", function, line)
		}
		if n == 1 {
			<-time.After(1200 * time.Millisecond) // the timeout passes
		}
		i.Resume()
		if got, want := <-answer, fmt.Sprintf("%d event<nil>", n); got != want {
			t.Errorf("call %d: %s, want %s", n, got, want)
		}
	}
}

// TestACallWaitsForItsDebugger sets a breakpoint before the one call there is.
func TestACallWaitsForItsDebugger(t *testing.T) {
	dir := folder(t, map[string]string{"index.js": debugged})
	port := freePort(t)
	debug, err := local.OpenDebugPort(port)
	if err != nil {
		t.Fatal(err)
	}
	defer debug.Close()
	r := runner(t, local.RunnerOptions{Function: function(t, dir, nil), DebugPort: debug})
	debug.Wake(r.Warm)
	answer := make(chan string, 1)
	go func() {
		res, err := r.InvokeDebugged(withTimeout(t), []byte("event"))
		answer <- fmt.Sprint(string(res.Body), res.ErrorType, err)
	}()
	i := inspectortest.Attach(t, port) // the port starts an instance if the call has not yet
	i.Break(3)
	if function, line := i.Paused(); function != "exports.handler" || line != 3 {
		t.Errorf("stopped in %s, line %d", function, line)
	}
	i.Resume()
	if got := <-answer; got != "1 event<nil>" {
		t.Errorf("got %s", got)
	}
}

func TestDebugPortsThatCannotBe(t *testing.T) {
	for _, port := range []int{-1, 80, 65536} {
		if p, err := local.OpenDebugPort(port); err == nil {
			p.Close()
			t.Errorf("port %d was opened", port)
		}
	}
	taken, err := local.OpenDebugPort(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var port int
	fmt.Sscanf(taken.Address(), "127.0.0.1:%d", &port)
	if p, err := local.OpenDebugPort(port); err == nil {
		p.Close()
		t.Error("a taken port was opened")
	}
}

// standIn has the form of debugpy: it listens, speaks first when somebody comes, and runs the program it is given.
const standIn = `import runpy, socket, sys, threading
host, port = sys.argv[2].split(':')
server = socket.create_server((host, int(port)))
def serve():
    client, _ = server.accept()
    client.sendall(b'Content-Length: 2\r\n\r\n{}')
    client.recv(100)
threading.Thread(target=serve, daemon=True).start()
sys.argv = sys.argv[3:]
runpy.run_path(sys.argv[0], run_name='__main__')
`

func TestPythonIsDebuggedByThePackageInItsFolder(t *testing.T) {
	dir := folder(t, map[string]string{"index.py": pythonCode, "debugpy/__main__.py": standIn})
	port := freePort(t)
	debug, err := local.OpenDebugPort(port)
	if err != nil {
		t.Fatal(err)
	}
	defer debug.Close()
	r := runner(t, local.RunnerOptions{Function: function(t, dir, nil), DebugPort: debug})
	debug.Wake(r.Warm)
	answer := make(chan string, 1)
	go func() {
		res, err := r.InvokeDebugged(withTimeout(t), []byte("event"))
		answer <- fmt.Sprint(string(res.Body), res.ErrorType, err)
	}()
	c, err := net.Dial("tcp", debug.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if greeting, err := bufio.NewReader(c).ReadString('\n'); err != nil || greeting != "Content-Length: 2\r\n" {
		t.Errorf("got %q, %v", greeting, err)
	}
	if got := <-answer; got != "EVENT<nil>" {
		t.Errorf("got %s", got)
	}
}
