package local_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"fcd/cmd/fcd/local"
)

// inspector is a client of Node's debugger, as an editor's is.
type inspector struct {
	t    testing.TB
	conn *websocket.Conn
	next int
	// events that came while an answer was awaited
	early []message
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// attach finds the program behind a port and attaches to it.
func attach(t testing.TB, port int) *inspector {
	t.Helper()
	res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/json/list", port))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var list []struct{ WebSocketDebuggerURL string }
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if want := fmt.Sprintf("ws://127.0.0.1:%d/", port); !strings.HasPrefix(list[0].WebSocketDebuggerURL, want) {
		t.Fatalf("the debugger is sent to %s", list[0].WebSocketDebuggerURL)
	}
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), list[0].WebSocketDebuggerURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	t.Cleanup(func() { conn.Close() })
	i := &inspector{t: t, conn: conn}
	i.call("Runtime.enable", nil)
	i.call("Debugger.enable", nil)
	return i
}

// call sends a command and waits for its answer.
func (i *inspector) call(method string, params map[string]any) json.RawMessage {
	i.t.Helper()
	i.next++
	if err := i.conn.WriteJSON(map[string]any{"id": i.next, "method": method, "params": params}); err != nil {
		i.t.Fatal(err)
	}
	for {
		m := i.read()
		if m.ID != i.next {
			i.early = append(i.early, m)
			continue
		}
		if m.Error != nil {
			i.t.Fatalf("%s: %s", method, m.Error)
		}
		return m.Result
	}
}

func (i *inspector) read() (m message) {
	i.t.Helper()
	if err := i.conn.ReadJSON(&m); err != nil {
		i.t.Fatal(err)
	}
	return m
}

// paused waits until the program stands still and tells where, its lines counted from 1.
func (i *inspector) paused() (function string, line int) {
	i.t.Helper()
	for {
		var m message
		if len(i.early) > 0 {
			m, i.early = i.early[0], i.early[1:]
		} else {
			m = i.read()
		}
		if m.Method != "Debugger.paused" {
			continue
		}
		var p struct {
			CallFrames []struct {
				FunctionName string
				Location     struct{ LineNumber int }
			}
		}
		if err := json.Unmarshal(m.Params, &p); err != nil || len(p.CallFrames) == 0 {
			i.t.Fatalf("%s, %v", m.Params, err)
		}
		return p.CallFrames[0].FunctionName, p.CallFrames[0].Location.LineNumber + 1
	}
}

func (i *inspector) breakAt(line int) {
	i.t.Helper()
	i.call("Debugger.setBreakpointByUrl", map[string]any{"urlRegex": `/code/index\.js$`, "lineNumber": line - 1})
}

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
	i := attach(t, port)
	i.breakAt(4)
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
		if function, line := i.paused(); function != "exports.handler" || line != 4 {
			t.Errorf("stopped in %s, line %d", function, line)
		}
		if n == 1 {
			<-time.After(1200 * time.Millisecond) // the timeout passes
		}
		i.call("Debugger.resume", nil)
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
	i := attach(t, port) // the port starts an instance if the call has not yet
	i.breakAt(3)
	if function, line := i.paused(); function != "exports.handler" || line != 3 {
		t.Errorf("stopped in %s, line %d", function, line)
	}
	i.call("Debugger.resume", nil)
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
