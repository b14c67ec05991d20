package invoker

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// The service's own runtime SDK is the client here.
func TestTheExampleOnTheRuntimeSDKRuns(t *testing.T) {
	r := newCustom(t, built(t, "fcd/examples/custom-go-sdk"), func(o *Options) {
		o.FreezeAfter = time.Millisecond
		o.Patience = time.Minute
	})
	ref := r.custom("greeter", func(_ *fc.Service, f *fc.Function) {
		hook := &fc.LifecycleHook{Handler: "yes", TimeoutSeconds: 60}
		f.Initializer, f.InstanceLifecycleConfig = "yes", &fc.LifecycleConfig{PreFreeze: hook, PreStop: hook}
	})
	for _, tt := range []struct{ event, body, errorType string }{
		{`{"name":"Ada"}`, `"hello Ada from demo/greeter, 128 MB, 60 s ready"`, ""},
		{`{"name":""}`, `{"errorMessage":"an event without a name","errorType":"errorString"}`, fc.HandledInvocationError},
		{`{"name":"nobody"}`, `{"errorMessage":"nobody is nobody's name",`, fc.UnhandledInvocationError},
		{`{"name":"Bob"}`, `"hello Bob from demo/greeter, 128 MB, 60 s ready"`, ""},
	} {
		res := r.call(t, ref, tt.event)
		if !strings.HasPrefix(string(res.Body), tt.body) || res.ErrorType != tt.errorType || res.Cold != (tt.event == `{"name":"Ada"}`) {
			t.Errorf("%s: %s %s, cold %v", tt.event, res.ErrorType, res.Body, res.Cold)
		}
		if name := strings.Trim(tt.event[8:], `"}`); name != "" && name != "nobody" {
			r.lines.until(t, res.RequestID, func(rec fc.LogRecord) bool { return rec.Message == "greeting "+name })
		}
	}
	if frozen := r.saidEnd(t, "PreFreeze"); len(frozen) < 3 {
		t.Errorf("got %q", frozen)
	}
	r.lines.find(t, func(rec fc.LogRecord) bool { return rec.Message == "resting" })
	r.Close(context.Background())
	r.saidEnd(t, "PreStop")
	r.lines.find(t, func(rec fc.LogRecord) bool { return rec.Message == "goodbye" })
}

// A program in a shell's few lines: it needs no SDK either.
const curlProgram = `#!/usr/bin/python3
import json, os, sys, urllib.request
api = 'http://' + os.environ['FC_RUNTIME_API'] + '/2020-11-11/runtime/'
def post(path, body): urllib.request.urlopen(api + path, body).read()
if os.environ.get('MODE') == 'broken':
    post('init/error', json.dumps({'errorMessage': 'no way', 'errorType': 'Start'}).encode())
while True:
    with urllib.request.urlopen(api + 'invocation/next') as r:
        id, event = r.headers['x-fc-request-id'], r.read()
    word = event.split(b' ')[0].decode('latin-1')
    if word == 'exit': sys.exit(3)
    if word == 'hang': import time; time.sleep(1000)
    if word == 'leave':
        post('invocation/' + id + '/response', b'last words')
        sys.exit(0)
    if word == 'text': post('invocation/' + id + '/error', b'just text')
    elif word == 'size': post('invocation/' + id + '/response', b'x' * int(event[5:]))
    else: post('invocation/' + id + '/response', event)
`

func TestAProgramThatFetchesItsRequests(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/bootstrap", []byte(curlProgram), 0o755); err != nil {
		t.Fatal(err)
	}
	r := newCustom(t, dir, nil)
	short := r.custom("short", func(_ *fc.Service, f *fc.Function) { f.TimeoutSeconds = 2 })
	body := string(bytes.Repeat([]byte{'e', 0, 0xff, '\n'}, 6<<20/4))
	const exited = `{"errorMessage":"Function instance exited unexpectedly(code 3, message:exit status 3) with start command './bootstrap'","errorType":"CAExited"}`
	for _, tt := range []struct {
		ref                           fc.FunctionRef
		event, body, errorType, class string
	}{
		{r.ref, "echo", "echo", "", ""},
		{r.ref, "", "", "", ""},
		{r.ref, body, body, "", ""},
		{r.ref, "text", `{"errorMessage":"just text"}`, fc.HandledInvocationError, frame.ClassHandled},
		{r.ref, "size 6291457", `{"errorMessage":"result size exceeds maximum allowed size (6291456 bytes)"}`, fc.UnhandledInvocationError, frame.ClassUnhandled},
		{r.ref, "exit", exited, fc.UnhandledInvocationError, frame.ClassUnhandled},
		{r.ref, "leave", "last words", "", ""},
		{r.ref, "echo again", "echo again", "", ""},
		{short, "hang", `{"errorMessage":"Task timed out after 2 seconds"}`, fc.UnhandledInvocationError, frame.ClassTimeout},
		{r.customMode("broken"), "x", `{"errorMessage":"no way","errorType":"Start"}`, fc.UnhandledInvocationError, frame.ClassUnhandled},
	} {
		if res := r.call(t, tt.ref, tt.event); string(res.Body) != tt.body || res.ErrorType != tt.errorType || res.ErrorClass != tt.class {
			t.Errorf("%.40q: %s %s %.200q", tt.event, res.ErrorType, res.ErrorClass, res.Body)
		}
	}
}

func TestWhatIsNotTheRuntimeAPI(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := newRuntimeAPI(100)
	var serving sync.WaitGroup
	serving.Go(func() { a.serve(l) })
	base := "http://" + l.Addr().String() + "/2020-11-11/runtime/"
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]int{"invocation/none/response": 404, "invocation/none/error": 404, "invocation/next": 405, "other": 404} {
		resp, err := client.Post(base+path, "", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	waiting := make(chan int, 1)
	go func() {
		resp, err := client.Get(base + "invocation/next")
		if err != nil {
			waiting <- 0 // the connection was cut first
			return
		}
		resp.Body.Close()
		waiting <- resp.StatusCode
	}()
	<-a.begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.Close()
	serving.Wait()
	if status := <-waiting; status != 0 && status != http.StatusServiceUnavailable {
		t.Errorf("status %d for one who waits at the end", status)
	}
	_, err = a.exchange(ctx, run{kind: frame.TypeInvoke}, http.Header{}, nil)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a request that nobody fetches: %v", err)
	}
	gone := make(chan struct{})
	close(gone)
	if _, err = a.exchange(context.Background(), run{kind: frame.TypeInvoke}, http.Header{}, gone); !errors.Is(err, errStale) {
		t.Errorf("a program that is gone: %v", err)
	}
}

func FuzzReportedError(f *testing.F) {
	f.Add([]byte(`{"errorMessage":"m","errorType":"T"}`))
	f.Add([]byte(`{"errorMessage":"m","stackTrace":[{"path":"p"}]}`))
	f.Add([]byte("text"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if a := reported("id", body); a.Type != frame.TypeHandled && a.Type != frame.TypeUnhandled || len(a.Body) == 0 || a.Body[0] != '{' {
			t.Errorf("%+v", a)
		}
	})
}
