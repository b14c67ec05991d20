package invoker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox"
)

// The texts of errors that are not the function's own words.
const (
	exitText    = "Process exited unexpectedly before completing request"
	timeoutText = "Task timed out after %d seconds"
	sizeText    = "result size exceeds maximum allowed size (%d bytes)"
)

// A run is one request to an instance.
type run struct {
	kind           frame.Type
	noun           string // in log lines: Invoke, Initialize, PreStop
	request        frame.Request
	body           []byte
	qualifier      string
	timeoutSeconds int
	tail           *tail // of the whole request, its initializer included; nil if nobody asked for it
}

// An outcome is how a run ended.
type outcome struct {
	body      []byte
	errorType string // "" on success
	class     string
	took      time.Duration
	tail      []byte
	then      func() // how the instance is to end; nil if it may serve again
}

// serve runs the initializer if it has not succeeded yet, then the call, and puts the instance back or ends it.
// errStale: the instance was dead before it saw the request.
func (i *instance) serve(ctx context.Context, call fc.Call, t *fc.Target) (fc.Result, error) {
	cold := i.served == 0
	i.served++
	if i.exited() && !cold {
		i.pool.drop(i, i.destroy)
		return fc.Result{}, errStale
	}
	keys, err := i.credentials(ctx)
	if err != nil {
		i.pool.put(i)
		return fc.Result{}, err
	}
	out, err := i.runAll(call, t, keys)
	memory := i.memoryMB
	switch {
	case err != nil:
		i.pool.drop(i, i.destroy)
		if i.cutOff.Load() {
			err = errClosing()
		}
		return fc.Result{}, err
	case out.then != nil:
		i.pool.drop(i, out.then)
	default:
		i.pool.put(i)
	}
	return fc.Result{
		RequestID: call.RequestID, Body: out.body, ErrorType: out.errorType, ErrorClass: out.class, LogTail: out.tail,
		Duration: out.took, MaxMemoryMB: memory, CodeChecksum: t.Function.CodeChecksum, VersionID: t.VersionID,
		InstanceID: i.id, Cold: cold,
	}, nil
}

// runAll runs the initializer, until it has succeeded once, and the call. The keys go with what is sent first.
func (i *instance) runAll(call fc.Call, t *fc.Target, keys *frame.Credentials) (outcome, error) {
	f := t.Function
	var lines *tail
	if call.Tail {
		lines = &tail{}
	}
	if f.Initializer != "" && !i.initialized {
		out, err := i.run(run{
			kind: frame.TypeInit, noun: initialize, qualifier: t.Ref.Qualifier, tail: lines,
			request: frame.Request{ID: call.RequestID, Credentials: keys}, timeoutSeconds: f.InitializationTimeoutSeconds,
		})
		if err != nil || out.errorType != "" || out.then != nil {
			return out, err
		}
		i.initialized, keys = true, nil
	}
	return i.run(run{
		kind: frame.TypeInvoke, noun: "Invoke", body: call.Payload, qualifier: t.Ref.Qualifier, tail: lines,
		request:        frame.Request{ID: call.RequestID, Credentials: keys, RetryCount: call.RetryCount},
		timeoutSeconds: f.TimeoutSeconds,
	})
}

// run makes one request and waits for its answer, at most until its deadline. An error means that the request did not
// take place or was cut.
func (i *instance) run(r run) (outcome, error) {
	begin := time.Now()
	deadline := begin.Add(time.Duration(r.timeoutSeconds) * time.Second)
	r.request.DeadlineMS = deadline.UnixMilli()
	s := i.journal.begin(r.request.ID, r.qualifier, r.noun, r.tail)
	answer, err := i.exchange(r, deadline)
	took := time.Since(begin)
	i.journal.touched.Store(true)
	i.journal.drain()
	i.measure(took)
	out, err := i.judge(r, s, answer, err, took)
	if err != nil {
		return out, err
	}
	out.took = took
	i.journal.end(s, i.failure(r, out, answer), out.errorType)
	if s.ended != nil && out.class != frame.ClassTimeout {
		s.await()
	}
	if r.tail != nil {
		t := i.journal.takeTail(s)
		if r.kind == frame.TypeInvoke || out.errorType != "" { // else the invocation goes on with it
			out.tail = t.cut(summary(took, i.pool.target.Function.MemorySizeMB, i.memoryMB))
		}
	}
	return out, nil
}

// failure is the log line of an error that the bootstrap has not logged, since the daemon found it.
func (i *instance) failure(r run, out outcome, answer frame.Answer) string {
	if out.errorType == "" || answer.Type == frame.TypeHandled || answer.Type == frame.TypeUnhandled {
		return ""
	}
	level := "error"
	if i.v.opt.LogStyle == frame.LogBracket {
		level = "[error]"
	}
	return i.v.opt.Now().UTC().Format("2006-01-02T15:04:05.000Z") + " " + r.request.ID + " " + level + " " + string(out.body)
}

// bigBody is the size from which a body is written while the answer is already awaited: the pipe may not hold it.
const bigBody = 32 << 10

// errProtocol says that the instance did not speak as a bootstrap does.
var errProtocol = errors.New("protocol violation")

// exchange sends the request, the HELLO before it if it is the first, and reads the answer.
func (i *instance) exchange(r run, deadline time.Time) (frame.Answer, error) {
	if err := errors.Join(i.in.SetWriteDeadline(deadline), i.out.SetReadDeadline(deadline)); err != nil {
		return frame.Answer{}, err
	}
	request := frame.Message{Type: r.kind, Header: &r.request, Body: r.body}
	messages := []frame.Message{request}
	if i.hello != nil {
		if r.request.Credentials != nil {
			i.hello.Credentials = *r.request.Credentials
		}
		messages = []frame.Message{{Type: frame.TypeHello, Header: i.hello}, request}
		i.hello = nil
	}
	if len(r.body) < bigBody {
		if err := i.writer.Write(messages...); err != nil {
			return frame.Answer{}, err
		}
		return i.answer(r.request.ID)
	}
	written := make(chan error, 1)
	go func() { written <- i.writer.Write(messages...) }()
	a, err := i.answer(r.request.ID)
	_ = i.in.SetWriteDeadline(time.Unix(1, 0)) // an answer means that the request has been read
	if werr := <-written; werr != nil && err == nil {
		return a, fmt.Errorf("%w: an answer before the end of the request: %w", errProtocol, werr)
	}
	return a, err
}

func (i *instance) answer(id string) (frame.Answer, error) {
	f, err := i.frames.Read()
	if err != nil {
		return frame.Answer{}, err
	}
	if f.Type == frame.TypeResult && plainHeader(f.Header, id) {
		return frame.Answer{Type: f.Type, ID: id, Body: f.Body}, nil
	}
	a, err := frame.ReadAnswer(f)
	if err != nil {
		return frame.Answer{}, err
	}
	if a.ID != id {
		return frame.Answer{}, fmt.Errorf("%w: answer to %q while %q is in flight", errProtocol, a.ID, id)
	}
	return a, nil
}

// plainHeader tells whether a header is {"id":"<id>"} and nothing else, as that of most results is.
func plainHeader(header []byte, id string) bool {
	rest, ok := bytes.CutPrefix(header, []byte(`{"id":`))
	if !ok {
		return false
	}
	rest = bytes.TrimPrefix(rest, []byte(" "))
	return len(rest) == len(id)+3 && rest[0] == '"' && string(rest[1:1+len(id)]) == id && string(rest[1+len(id):]) == `"}`
}

// judge turns an answer, or what came in its place, into an outcome.
func (i *instance) judge(r run, s *section, a frame.Answer, err error, took time.Duration) (outcome, error) {
	switch {
	case err == nil && a.Type == frame.TypeResult:
		if limit := i.v.opt.Limits.MaxResultBytes; int64(len(a.Body)) > limit {
			return unhandled(fmt.Sprintf(sizeText, limit), frame.ClassUnhandled, nil), nil
		}
		return outcome{body: a.Body}, nil
	case err == nil && a.Type == frame.TypeHandled:
		return outcome{body: a.Body, errorType: fc.HandledInvocationError, class: a.Class}, nil
	case err == nil:
		out := outcome{body: a.Body, errorType: fc.UnhandledInvocationError, class: a.Class}
		if a.Exit {
			out.then = i.stop
		}
		return out, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return unhandled(fmt.Sprintf(timeoutText, r.timeoutSeconds), frame.ClassTimeout, i.expire), nil
	}
	return i.judgeEnd(s, err, took)
}

// judgeEnd is judge for a process that has ended or that must not live on.
func (i *instance) judgeEnd(s *section, err error, took time.Duration) (outcome, error) {
	ended := i.awaitExit(exitWait)
	i.destroy()
	switch {
	case i.cutOff.Load():
		return outcome{}, err
	case i.served > 1 && !i.journal.reached(s):
		return outcome{}, errStale
	}
	if !ended {
		i.v.opt.Log.Warn("an instance was killed", zap.String("function", i.pool.fn.name), zap.String("instance", i.id), zap.Error(err))
	}
	text, class := exitText, frame.ClassUnhandled
	if i.v.opt.Errors.ExitSuffix {
		text += fmt.Sprintf(" (duration: %dms, maxMemoryUsage: %.0fMB)", took.Milliseconds(), i.memoryMB)
	}
	if ended && i.outOfMemory() {
		class = frame.ClassOOM
		if m := i.v.opt.Errors.OOMMessage; m != "" {
			text = m
		}
	}
	return unhandled(text, class, i.destroy), nil
}

// outOfMemory tells whether the process that has ended, ended for want of memory: by the sandbox's limit, or by its own
// word. As pid 1 an interpreter that aborts ends by SIGSEGV.
func (i *instance) outOfMemory() bool {
	return i.exit.OOM || i.exit != (sandbox.Exit{}) && i.journal.heapExhausted()
}

func unhandled(message, class string, then func()) outcome {
	body, err := json.Marshal(struct {
		ErrorMessage string `json:"errorMessage"`
	}{message})
	if err != nil {
		panic(err) // a string always encodes
	}
	return outcome{body: body, errorType: fc.UnhandledInvocationError, class: class, then: then}
}
