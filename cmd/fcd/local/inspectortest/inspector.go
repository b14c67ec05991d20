// Package inspectortest is a small client of Node's inspector for tests: it attaches to a port as an editor does, sets
// breakpoints, sees where the program stands and lets it go on.
//
//	c := inspectortest.Attach(t, 9229)
//	c.Break(4)
//	function, line := c.Paused()
//	c.Resume()
package inspectortest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Client is a debugger that has attached. Whatever goes wrong ends the test.
type Client struct {
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

// Attach finds the program behind a port and attaches to it.
func Attach(t testing.TB, port int) *Client {
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
	c := &Client{t: t, conn: conn}
	c.Call("Runtime.enable", nil)
	c.Call("Debugger.enable", nil)
	return c
}

// Call sends a command and waits for its answer.
func (c *Client) Call(method string, params map[string]any) json.RawMessage {
	c.t.Helper()
	c.next++
	if err := c.conn.WriteJSON(map[string]any{"id": c.next, "method": method, "params": params}); err != nil {
		c.t.Fatal(err)
	}
	for {
		m := c.read()
		if m.ID != c.next {
			c.early = append(c.early, m)
			continue
		}
		if m.Error != nil {
			c.t.Fatalf("%s: %s", method, m.Error)
		}
		return m.Result
	}
}

func (c *Client) read() (m message) {
	c.t.Helper()
	if err := c.conn.ReadJSON(&m); err != nil {
		c.t.Fatal(err)
	}
	return m
}

// Paused waits until the program stands still and tells where, its lines counted from 1.
func (c *Client) Paused() (function string, line int) {
	c.t.Helper()
	for {
		var m message
		if len(c.early) > 0 {
			m, c.early = c.early[0], c.early[1:]
		} else {
			m = c.read()
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
			c.t.Fatalf("%s, %v", m.Params, err)
		}
		return p.CallFrames[0].FunctionName, p.CallFrames[0].Location.LineNumber + 1
	}
}

// Break sets a breakpoint in the function's index.js; lines count from 1.
func (c *Client) Break(line int) {
	c.t.Helper()
	c.Call("Debugger.setBreakpointByUrl", map[string]any{"urlRegex": `/code/index\.js$`, "lineNumber": line - 1})
}

// Resume lets the program go on.
func (c *Client) Resume() {
	c.t.Helper()
	c.Call("Debugger.resume", nil)
}
