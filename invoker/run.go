package invoker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
	"unicode/utf8"

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
	keys           frame.Credentials // of the service's role
	body           []byte
	http           *fc.HTTPRequest // nil: the body is an event
	qualifier      string
	timeoutSeconds int
	tail           *tail  // of the whole request, its initializer included; nil if nobody asked for it
	cold           bool   // the first request of the instance's life
	enter          func() // where fences stand around requests: to be called in the order of their sending, just before it
}

// An outcome is how a run ended.
type outcome struct {
	body      []byte
	errorType string // "" on success
	class     string
	took      time.Duration
	http      *fc.HTTPResponse
	tail      []byte
	then      func() // how the instance is to end, at once; nil if it need not
	retire    bool   // the instance takes no further request
}

// serve runs the initializer if it has not succeeded yet, then the call, and puts the instance back or ends it.
// errStale: the instance was dead before it saw the request.
func (i *instance) serve(ctx context.Context, call fc.Call, t *fc.Target) (fc.Result, error) {
	cold := i.served.Add(1) == 1
	if i.exited() && !cold {
		i.pool.put(i) // which ends it, when those that are in flight have read what it answered
		return fc.Result{}, errStale
	}
	keys, err := i.credentials(ctx)
	if err != nil {
		i.pool.put(i)
		return fc.Result{}, err
	}
	if call.Stop == nil || t.Function.InstanceConcurrency <= 1 {
		return i.answer(call, t, keys, cold)
	}
	return i.answerUnlessStopped(call, t, keys, cold)
}

// answerUnlessStopped is answer on an instance that serves others as well, which a stop must not cost theirs. The caller
// is rid of the request at once; the request itself goes on to its end, for nobody, in the place that it has.
func (i *instance) answerUnlessStopped(call fc.Call, t *fc.Target, keys frame.Credentials, cold bool) (fc.Result, error) {
	type answered struct {
		res fc.Result
		err error
	}
	done := make(chan answered, 1)
	i.v.work.Go(func() { // the instance, which lives as long as a request does, keeps Close from having waited already
		alone := call
		alone.Stop = nil
		res, err := i.answer(alone, t, keys, cold)
		done <- answered{res, err}
	})
	select {
	case a := <-done:
		return a.res, a.err
	case <-call.Stop:
		return fc.Result{}, fc.Errorf(fc.ResourceThrottled, "the invocation was stopped by its caller")
	}
}

// answer is serve, once it is clear that the instance takes the request.
func (i *instance) answer(call fc.Call, t *fc.Target, keys frame.Credentials, cold bool) (fc.Result, error) {
	end := i.stopOn(call.Stop)
	out, err := i.runAll(call, t, keys, cold)
	end()
	memory := i.memory()
	if cold {
		i.v.stock.answered()
	}
	switch {
	case err != nil:
		return fc.Result{}, i.failed(err)
	case out.retire:
		i.pool.expel(i)
	case out.then != nil:
		i.pool.drop(i, out.then)
	default:
		i.pool.served(i, out.took)
	}
	return fc.Result{
		RequestID: call.RequestID, Body: out.body, ErrorType: out.errorType, ErrorClass: out.class, LogTail: out.tail,
		Duration: out.took, MaxMemoryMB: memory, CodeChecksum: t.Function.CodeChecksum, VersionID: t.VersionID,
		InstanceID: i.id, Cold: cold, HTTP: out.http,
	}, nil
}

// failed gives the instance back after a request that did not take place or was cut, and returns what the caller is told.
func (i *instance) failed(err error) error {
	var refusal *fc.Error
	switch {
	case errors.Is(err, errWithdrawn):
		i.pool.narrow(i)
	case errors.As(err, &refusal), errors.Is(err, errNotBehind):
		i.pool.put(i)
	default:
		i.pool.drop(i, i.destroy)
		if i.cutOff.Load() {
			return errClosing()
		}
	}
	return err
}

// stopOn cuts the instance, which serves nobody else, when stop is closed before end is called.
func (i *instance) stopOn(stop <-chan struct{}) (end func()) {
	if stop == nil {
		return func() {}
	}
	var watch sync.WaitGroup
	over := make(chan struct{})
	watch.Go(func() {
		select {
		case <-stop:
			i.cut()
		case <-over:
		}
	})
	return func() { close(over); watch.Wait() }
}

// runAll runs the initializer, until it has succeeded once, and the call.
func (i *instance) runAll(call fc.Call, t *fc.Target, keys frame.Credentials, cold bool) (outcome, error) {
	f := t.Function
	var lines *tail
	if call.Tail {
		lines = &tail{}
	}
	if f.Initializer != "" && !i.initialized {
		out, err := i.run(run{
			kind: frame.TypeInit, noun: initialize, qualifier: t.Ref.Qualifier, tail: lines, cold: cold, keys: keys,
			request: frame.Request{ID: call.RequestID}, timeoutSeconds: f.InitializationTimeoutSeconds,
		})
		if err != nil || out.errorType != "" || out.retire {
			return out, err
		}
		i.initialized = true
	}
	return i.run(run{
		kind: frame.TypeInvoke, noun: "Invoke", body: call.Payload, qualifier: t.Ref.Qualifier, tail: lines, cold: cold, keys: keys,
		http:           call.HTTP,
		request:        frame.Request{ID: call.RequestID, RetryCount: call.RetryCount, HTTP: call.HTTP},
		timeoutSeconds: f.TimeoutSeconds,
	})
}

// open waits for the program and lets other requests in once nothing is left to initialize. Until then the pool lends
// the instance to one request alone.
func (i *instance) open(kind frame.Type) error {
	if i.opened {
		return nil
	}
	if err := i.speaker.ready(); err != nil {
		return err
	}
	if kind == frame.TypeInvoke {
		i.opened = true
		i.pool.widen(i)
	}
	return nil
}

// run makes one request and waits for its answer, at most until its deadline. An error means that the request did not
// take place or was cut.
func (i *instance) run(r run) (outcome, error) {
	s := i.journal.begin(r.request.ID, r.qualifier, r.noun, r.tail)
	r.enter = func() { i.journal.enter(s) }
	err := i.open(r.kind)
	begin := time.Now()
	deadline := begin.Add(i.timeout(r.timeoutSeconds))
	r.request.DeadlineMS = deadline.UnixMilli()
	var got reply
	if err == nil {
		got, err = i.speaker.exchange(r, deadline)
	}
	took := time.Since(begin) - got.waited
	i.journal.touched.Store(true)
	if !got.drained {
		i.journal.drain()
	}
	i.measure(took)
	out, err := i.judge(r, s, got.answer, err, took)
	if err != nil {
		return out, err
	}
	out.took = took
	i.journal.end(s, i.failure(r, out, got.answer), out.errorType)
	if s.ended != nil && out.class != frame.ClassTimeout {
		limit := tailWait
		if r.kind == frame.TypeInit && out.errorType == "" {
			limit = initWait
		}
		s.await(limit)
	}
	if s.ended != nil {
		i.journal.handOver() // whoever waits for the end of the log will look for it
	}
	if r.tail != nil {
		t := i.journal.takeTail(s)
		if r.kind == frame.TypeInvoke || out.errorType != "" { // else the invocation goes on with it
			out.tail = t.cut(summary(took, i.pool.target.Function.MemorySizeMB, i.memory()))
		}
	}
	return out, nil
}

// failure is the log line of an error that the bootstrap has not logged, since the daemon found it.
func (i *instance) failure(r run, out outcome, answer frame.Answer) string {
	answered := answer.Type == frame.TypeHandled || answer.Type == frame.TypeUnhandled
	if out.errorType == "" || answered && i.frames != nil {
		return ""
	}
	level := "error"
	if i.v.opt.LogStyle == frame.LogBracket {
		level = "[error]"
	}
	return i.v.opt.Now().UTC().Format("2006-01-02T15:04:05.000Z") + " " + r.request.ID + " " + level + " " + logged(out.body)
}

// logged is an error as it stands in a log.
func logged(body []byte) string {
	text := string(body)
	if utf8.RuneCountInString(text) <= frame.MaxErrorLogChars {
		return text
	}
	return string([]rune(text)[:frame.MaxErrorLogChars]) + frame.ErrorTruncatedMark
}

// judge turns an answer, or what came in its place, into an outcome.
func (i *instance) judge(r run, s *section, a frame.Answer, err error, took time.Duration) (outcome, error) {
	if err == nil {
		return i.judgeAnswer(r, a), nil
	}
	var refusal *fc.Error
	var told *verdict
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return unhandled(fmt.Sprintf(timeoutText, r.timeoutSeconds), "", frame.ClassTimeout, i.expire), nil
	case errors.As(err, &refusal):
		return outcome{}, err
	case errors.Is(err, errWithdrawn), errors.Is(err, errNotBehind):
		i.journal.cancel(s)
		return outcome{}, err
	case errors.Is(err, errBehind):
		<-i.gone
		return i.judgeEnd(r, s, err, took)
	case errors.As(err, &told) && told.fatal:
		return unhandled(told.message, told.errorType, frame.ClassUnhandled, i.destroy), nil
	case errors.As(err, &told):
		return unhandled(told.message, told.errorType, frame.ClassUnhandled, nil), nil
	}
	return i.judgeEnd(r, s, err, took)
}

func (i *instance) judgeAnswer(r run, a frame.Answer) outcome {
	http, err := httpResponse(r, a)
	out := outcome{body: a.Body, http: http}
	switch limit := i.v.opt.Limits.MaxResultBytes; {
	case a.Dropped > 0:
		out = unhandled(fmt.Sprintf(sizeText, limit), "", frame.ClassUnhandled, nil)
	case a.Type == frame.TypeHandled:
		out.errorType, out.class = fc.HandledInvocationError, a.Class
	case a.Type == frame.TypeUnhandled:
		out.errorType, out.class = fc.UnhandledInvocationError, a.Class
	case err != nil:
		out = unhandled(err.Error(), "", frame.ClassUnhandled, nil)
	case int64(len(a.Body)) > limit:
		out = unhandled(fmt.Sprintf(sizeText, limit), "", frame.ClassUnhandled, nil)
	}
	out.retire = a.Exit
	return out
}

// judgeEnd is judge for a process that has ended or that must not live on.
func (i *instance) judgeEnd(r run, s *section, err error, took time.Duration) (outcome, error) {
	ended := i.awaitExit(exitWait)
	i.destroy()
	switch {
	case i.cutOff.Load():
		return outcome{}, err
	case !r.cold && (errors.Is(err, errStale) || !i.journal.reached(s)):
		return outcome{}, errStale
	}
	if !ended {
		i.v.opt.Log.Warn("an instance was killed", zap.String("function", i.pool.fn.name), zap.String("instance", i.id), zap.Error(err))
	}
	<-i.gone
	text, errorType := i.speaker.obituary(i.exit)
	class := frame.ClassUnhandled
	if i.v.opt.Errors.ExitSuffix {
		text += fmt.Sprintf(" (duration: %dms, maxMemoryUsage: %.0fMB)", took.Milliseconds(), i.memory())
	}
	if ended && i.outOfMemory() {
		class = frame.ClassOOM
		if m := i.v.opt.Errors.OOMMessage; m != "" {
			text = m
		}
	}
	return unhandled(text, errorType, class, i.destroy), nil
}

// outOfMemory tells whether the process that has ended, ended for want of memory: by the sandbox's limit, or by its own
// word. As pid 1 an interpreter that aborts ends by SIGSEGV.
func (i *instance) outOfMemory() bool {
	return i.exit.OOM || i.exit != (sandbox.Exit{}) && i.journal.heapExhausted()
}

func unhandled(message, errorType, class string, then func()) outcome {
	return outcome{body: errorJSON(message, errorType), errorType: fc.UnhandledInvocationError, class: class, then: then}
}

func errorJSON(message, errorType string) []byte {
	body, err := json.Marshal(struct {
		ErrorMessage string `json:"errorMessage"`
		ErrorType    string `json:"errorType,omitempty"`
	}{message, errorType})
	if err != nil {
		panic(err) // strings always encode
	}
	return body
}
