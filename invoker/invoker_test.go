package invoker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

func TestAWarmInstanceIsUsedAgain(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	first, second := w.call(t, ref, "calls"), w.call(t, ref, "calls")
	if string(first.Body) != "1" || string(second.Body) != "2" || !first.Cold || second.Cold {
		t.Errorf("got %s (cold %v) and %s (cold %v)", first.Body, first.Cold, second.Body, second.Cold)
	}
	if first.InstanceID != second.InstanceID || w.driver.started.Load() != 1 {
		t.Errorf("%d instances, %s and %s", w.driver.started.Load(), first.InstanceID, second.InstanceID)
	}
	want := fc.Result{RequestID: "req-2", Body: []byte("2"), MaxMemoryMB: 31, CodeChecksum: "42", VersionID: "LATEST",
		InstanceID: second.InstanceID, Duration: second.Duration}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Error(diff)
	}
}

func TestOutcomes(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Limits = fc.DefaultLimits(); o.Limits.MaxResultBytes = 1000 })
	ref := w.functions.set("hello", func(_ *fc.Service, f *fc.Function) { f.TimeoutSeconds = 3 })
	const exited = `{"errorMessage":"Process exited unexpectedly before completing request"}`
	tests := []struct {
		name, event, body, errorType, class string
		again                               bool
	}{
		{"a result", "echo hi", "hi", "", "", true},
		{"a handled error", "handled oops", `{"errorMessage":"oops"}`, fc.HandledInvocationError, frame.ClassHandled, true},
		{"an unhandled error with a class", "unhandled ImportModuleError", `{"errorMessage":"x"}`, fc.UnhandledInvocationError, frame.ClassImport, true},
		{"an uncaught error ends the process", "throw", `{"errorMessage":"x"}`, fc.UnhandledInvocationError, frame.ClassUnhandled, false},
		{"an exit", "exit 0", exited, fc.UnhandledInvocationError, frame.ClassUnhandled, false},
		{"an exhausted heap", "heap", exited, fc.UnhandledInvocationError, frame.ClassOOM, false},
		{"a timeout", "sleep 300s", `{"errorMessage":"Task timed out after 3 seconds"}`, fc.UnhandledInvocationError, frame.ClassTimeout, false},
		{"an answer to another request", "wrong-id", exited, fc.UnhandledInvocationError, frame.ClassUnhandled, false},
		{"bytes that are no frame", "garbage", exited, fc.UnhandledInvocationError, frame.ClassUnhandled, false},
		{"a closed pipe of answers", "close-out", exited, fc.UnhandledInvocationError, frame.ClassUnhandled, false},
		{"a result of the largest size", "size 1000", strings.Repeat("r", 1000), "", "", true},
		{"a result too large", "size 1001", `{"errorMessage":"result size exceeds maximum allowed size (1000 bytes)"}`, fc.UnhandledInvocationError, frame.ClassUnhandled, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := w.call(t, ref, "echo")
			got := w.call(t, ref, tt.event)
			want := fc.Result{RequestID: got.RequestID, Body: []byte(tt.body), ErrorType: tt.errorType, ErrorClass: tt.class,
				Duration: got.Duration, MaxMemoryMB: 31, CodeChecksum: "42", VersionID: "LATEST", InstanceID: before.InstanceID}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if after := w.call(t, ref, "echo"); (after.InstanceID == before.InstanceID) != tt.again {
				t.Errorf("the instance serves again: %v, want %v", !tt.again, tt.again)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Limits = fc.DefaultLimits(); o.Limits.MaxSyncBodyBytes = 10 })
	ref := w.functions.set("hello", nil)
	_, err := w.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: fc.FunctionRef{Service: "demo", Function: "none"}})
	if codeOf(err) != fc.FunctionNotFound {
		t.Errorf("an unknown function: %v", err)
	}
	_, err = w.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref, Payload: make([]byte, 11)})
	if codeOf(err) != fc.EntityTooLarge || !strings.Contains(err.Error(), "payload size exceeds maximum allowed size (10 bytes)") {
		t.Errorf("a large event: %v", err)
	}
	w.driver.fail.Store(true)
	if _, err = w.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref}); codeOf(err) != fc.InternalServerError {
		t.Errorf("a driver that fails: %v", err)
	}
	w.driver.fail.Store(false)
	w.call(t, ref, "echo")
}

func TestAnInterpreterThatDoesNotStart(t *testing.T) {
	for mode, want := range map[string]string{"mute": "not ready within 200ms", "fail": "cannot find libfoo"} {
		w := newWorld(t, func(o *Options) {
			if mode == "mute" {
				o.StartTimeout = 200 * time.Millisecond
			}
		})
		ref := w.functions.set("hello", nil)
		w.driver.mode.Store(mode)
		_, err := w.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref})
		if codeOf(err) != fc.InternalServerError || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", mode, err, want)
		}
	}
}

func TestInitializer(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("init", func(_ *fc.Service, f *fc.Function) { f.Initializer = "init-fails-once" })
	if res := w.call(t, ref, "inits"); res.ErrorType != fc.UnhandledInvocationError || string(res.Body) != `{"errorMessage":"not yet"}` {
		t.Errorf("the first call: %s %s", res.ErrorType, res.Body)
	}
	for range 2 {
		if res := w.call(t, ref, "inits"); string(res.Body) != "2" {
			t.Errorf("a later call: %s %s", res.ErrorType, res.Body)
		}
	}
	ref = w.functions.set("slow", func(_ *fc.Service, f *fc.Function) { f.Initializer, f.InitializationTimeoutSeconds = "sleep 9s", 1 })
	if res := w.call(t, ref, "echo"); string(res.Body) != `{"errorMessage":"Task timed out after 1 seconds"}` || res.ErrorClass != frame.ClassTimeout {
		t.Errorf("a slow initializer: %s %s", res.ErrorClass, res.Body)
	}
	w.lines.until(t, "req-1", func(r fc.LogRecord) bool {
		return r.Message == "FC Initialize End RequestId: req-1, Error: Unhandled function error"
	})
	if got := w.lines.of("req-1")[0]; got != "FC Initialize Start RequestId: req-1" {
		t.Errorf("the first line is %q", got)
	}
}

func TestBodiesOfSixMegabytes(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	for _, n := range []int{0, 1, bigBody - 5, bigBody, 1 << 20, 6<<20 - 5} {
		body := strings.Repeat("x", n)
		if res := w.call(t, ref, "echo "+body); string(res.Body) != body {
			t.Errorf("%d bytes came back as %d", n, len(res.Body))
		}
	}
	if w.driver.started.Load() != 1 {
		t.Errorf("%d instances", w.driver.started.Load())
	}
}

func TestRetryCountReachesTheFunction(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	res, err := w.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref, Payload: []byte("retry"), RetryCount: 2})
	if err != nil || string(res.Body) != "2" {
		t.Errorf("%s, %v", res.Body, err)
	}
}

type keySource struct {
	mu    sync.Mutex
	asked int
	keys  fc.Credentials
}

func (k *keySource) Credentials(_ context.Context, role, session string) (fc.Credentials, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if role != "acs:ram::1:role/r" || session != "demo/hello" {
		return fc.Credentials{}, fmt.Errorf("role %q, session %q", role, session)
	}
	return k.keys, nil
}

func TestCredentialsAreSentWhenTheyChange(t *testing.T) {
	keys := &keySource{keys: fc.Credentials{AccessKeyID: "a", AccessKeySecret: "b", SecurityToken: "c", Expiration: time.Now().Add(time.Hour)}}
	w := newWorld(t, func(o *Options) { o.Credentials = keys })
	ref := w.functions.set("hello", func(s *fc.Service, _ *fc.Function) { s.Role = "acs:ram::1:role/r" })
	for _, want := range []string{"a/b/c", "a/b/c"} {
		if res := w.call(t, ref, "keys"); string(res.Body) != want {
			t.Errorf("got %s, want %s", res.Body, want)
		}
	}
	if keys.asked != 1 || string(w.call(t, ref, "sent-keys").Body) != "false" {
		t.Errorf("asked %d times", keys.asked)
	}
	keys.keys = fc.Credentials{AccessKeyID: "d", AccessKeySecret: "e", SecurityToken: "f", Expiration: time.Now().Add(time.Minute)}
	ref = w.functions.set("hello", func(s *fc.Service, _ *fc.Function) { s.Role = "acs:ram::1:role/r" })
	w.call(t, ref, "keys")
	keys.keys.AccessKeyID = "g"
	if res := w.call(t, ref, "keys"); string(res.Body) != "g/e/f" {
		t.Errorf("after a change: %s", res.Body)
	}
	none := w.functions.set("none", nil)
	if res := w.call(t, none, "keys"); string(res.Body) != "//" {
		t.Errorf("without a role: %s", res.Body)
	}
}

func TestCloseLetsRunningCallsEnd(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	w.call(t, ref, "echo")
	done := make(chan fc.Result, 1)
	go func() {
		res, err := w.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref, Payload: []byte("sleep 300ms")})
		if err != nil {
			t.Error(err)
		}
		done <- res
	}()
	w.lines.until(t, "r", func(fc.LogRecord) bool { return true })
	w.Close(context.Background())
	if res := <-done; string(res.Body) != "slept" {
		t.Errorf("got %s", res.Body)
	}
	if _, err := w.Invoke(context.Background(), fc.Call{RequestID: "r2", Ref: ref}); codeOf(err) != fc.ResourceThrottled {
		t.Errorf("a call after Close: %v", err)
	}
}

func TestCloseKillsWhatRunsTooLong(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	done := make(chan error, 1)
	go func() {
		_, err := w.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref, Payload: []byte("sleep 300s")})
		done <- err
	}()
	w.lines.until(t, "r", func(fc.LogRecord) bool { return true })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	w.Close(ctx)
	if err := <-done; codeOf(err) != fc.ResourceThrottled {
		t.Errorf("the call that was cut: %v", err)
	}
}
