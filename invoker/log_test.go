package invoker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

func TestRecordsCarryTheirOrigin(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	res := w.call(t, ref, "print-both x")
	w.lines.ended(t, res.RequestID)
	w.lines.mu.Lock()
	defer w.lines.mu.Unlock()
	texts := map[string]bool{}
	for _, r := range w.lines.all {
		texts[r.Message] = true
		want := fc.LogRecord{Time: r.Time, Project: "p", Logstore: "l", Service: "demo", Function: "hello", VersionID: "LATEST",
			InstanceID: res.InstanceID, RequestID: res.RequestID, Message: r.Message}
		if diff := cmp.Diff(want, r); diff != "" || r.Time.IsZero() {
			t.Error(diff)
		}
	}
	if len(w.lines.all) != 4 || !texts["out x"] || !texts["err x"] {
		t.Errorf("got %v", texts)
	}
}

// A logstore sorts by time: what was read in one go must not come before the line that begins its request.
func TestTheLinesOfARequestAreInTheOrderOfTheirTimes(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	for range 20 {
		res := w.call(t, ref, "print-both x")
		w.lines.ended(t, res.RequestID)
		var last time.Time
		for _, r := range w.lines.records() {
			if r.RequestID != res.RequestID {
				continue
			}
			if r.Time.Before(last) {
				t.Errorf("%q is of %v, the line before it of %v", r.Message, r.Time, last)
			}
			last = r.Time
		}
	}
}

func TestErrorsOfTheDaemonStandInTheLog(t *testing.T) {
	tests := []struct {
		name, style, event, want, end string
	}{
		{"an exit", frame.LogPlain, "exit 1", ` req-1 error {"errorMessage":"Process exited unexpectedly before completing request"}`, ", Error: Unhandled function error"},
		{"bracket style", frame.LogBracket, "exit 1", ` req-1 [error] {"errorMessage":"Process exited unexpectedly before completing request"}`, ", Error: Unhandled function error"},
		{"an error of the function is its own to log", frame.LogPlain, "handled x", "", ", Error: Handled function error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(o *Options) { o.LogStyle = tt.style })
			w.call(t, w.functions.set("hello", nil), tt.event)
			all := w.lines.ended(t, "req-1")
			if got := all[len(all)-1]; got != "FC Invoke End RequestId: req-1"+tt.end {
				t.Errorf("the last line is %q", got)
			}
			switch {
			case tt.want == "" && len(all) != 2:
				t.Errorf("got %q", all)
			case tt.want != "" && (len(all) != 3 || !strings.HasSuffix(all[1], "Z"+tt.want)):
				t.Errorf("got %q", all)
			}
		})
	}
}

func TestOptionsChangeTheExitText(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Errors = ErrorTexts{ExitSuffix: true, OOMMessage: "out of memory"} })
	ref := w.functions.set("hello", nil)
	if got := string(w.call(t, ref, "exit 1").Body); !strings.HasPrefix(got, `{"errorMessage":"Process exited unexpectedly before completing request (duration: `) || !strings.HasSuffix(got, `ms, maxMemoryUsage: 31MB)"}`) {
		t.Errorf("got %s", got)
	}
	if got := string(w.call(t, ref, "heap").Body); got != `{"errorMessage":"out of memory"}` {
		t.Errorf("got %s", got)
	}
}

func TestWithoutALogstoreNothingIsAppended(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", func(s *fc.Service, _ *fc.Function) { s.LogConfig = fc.LogConfig{} })
	res, err := w.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref, Payload: []byte("print hi"), Tail: true})
	if err != nil || !strings.HasPrefix(string(res.LogTail), "FC Invoke Start RequestId: r\nhi\nFC Invoke End RequestId: r\n\nDuration: ") {
		t.Errorf("%q, %v", res.LogTail, err)
	}
	w.call(t, ref, "print hi")
	if len(w.lines.seen()) > 0 {
		t.Errorf("got %v", w.lines.seen())
	}
}

func TestTailOfFailedCalls(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	short := w.functions.set("short", func(_ *fc.Service, f *fc.Function) { f.TimeoutSeconds = 1 })
	for event, want := range map[string]string{
		"sleep 99s": `error {"errorMessage":"Task timed out after 1 seconds"}`,
		"exit 1":    `error {"errorMessage":"Process exited unexpectedly before completing request"}`,
		"handled x": "FC Invoke Start RequestId: r",
	} {
		call := fc.Call{RequestID: "r", Ref: ref, Payload: []byte(event), Tail: true}
		if strings.HasPrefix(event, "sleep") {
			call.Ref = short
		}
		res, err := w.Invoke(context.Background(), call)
		if err != nil {
			t.Fatal(err)
		}
		kind := strings.TrimSuffix(res.ErrorType, "InvocationError")
		if got := string(res.LogTail); !strings.Contains(got, want+"\nFC Invoke End RequestId: r, Error: "+kind+" function error\n\nDuration: ") {
			t.Errorf("%s: %q", event, got)
		}
	}
}

func TestAFloodOfLinesArrivesWhole(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	for n, want := range map[string]int{"lines 100000": 100_002, "big-error 200000": 3, "late x": 3} {
		res := w.call(t, ref, n)
		all := w.lines.ended(t, res.RequestID)
		if n == "late x" {
			w.lines.until(t, res.RequestID, func(r fc.LogRecord) bool { return r.Late && r.Message == "x" })
			all = w.lines.of(res.RequestID)
		}
		if len(all) != want {
			t.Errorf("%s: %d lines, want %d", n, len(all), want)
		}
	}
}

func TestRequestsInARowKeepTheirLines(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	for n := range 300 {
		w.call(t, ref, fmt.Sprintf("print-both %d", n))
	}
	for n := range 300 {
		id := fmt.Sprintf("req-%d", n+1)
		all := w.lines.ended(t, id)
		if len(all) != 4 || !strings.Contains(strings.Join(all, "\n"), fmt.Sprintf("err %d", n)) {
			t.Fatalf("%s: %q", id, all)
		}
	}
}

func TestLinesArriveWhileTheFunctionRuns(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	w.call(t, ref, "echo")
	file, open := gate(t)
	done := w.running(t, ref, "r", "print-wait "+file)
	w.lines.until(t, "r", func(r fc.LogRecord) bool { return r.Message == "early" })
	select {
	case <-done:
		t.Error("the line came after the end of the call")
	default:
	}
	open()
	<-done
}

func TestTheTailOfAFirstCallBeginsWithItsInitializer(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("init", func(_ *fc.Service, f *fc.Function) { f.Initializer = "print ready" })
	for i, want := range []string{
		"FC Initialize Start RequestId: r0\nready\nFC Initialize End RequestId: r0\nFC Invoke Start RequestId: r0\nhi\nFC Invoke End RequestId: r0\n\nDuration: ",
		"FC Invoke Start RequestId: r1\nhi\nFC Invoke End RequestId: r1\n\nDuration: ",
	} {
		res, err := w.Invoke(context.Background(), fc.Call{RequestID: fmt.Sprint("r", i), Ref: ref, Payload: []byte("print hi"), Tail: true})
		if err != nil || !strings.HasPrefix(string(res.LogTail), want) {
			t.Errorf("call %d: %q, %v", i, res.LogTail, err)
		}
	}
}
