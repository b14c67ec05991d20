package invoker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// Functions that serve several requests at a time: their words wait for each other.
const (
	concurrentNode = `
let here = 0, inits = 0, gate = 0, calls = 0;
const fs = require('fs');
const until = (ready, then) => { if (ready()) then(); else setTimeout(until, 1, ready, then); };
exports.init = (context, callback) => { inits++; setTimeout(() => callback(inits === 1 && process.env.FAIL ? new Error('not yet') : null), 20); };
exports.handler = (event, context, callback) => {
  const [word, rest] = event.toString().split(' ');
  switch (word) {
  case 'barrier': here++; return until(() => here >= 10, () => callback(null, 'through'));
  case 'wait': { const at = gate; console.log('waits'); return until(() => gate > at, () => { console.log('goes', context.requestId); callback(null, 'went on'); }); }
  case 'file': console.log('waits'); return until(() => fs.existsSync('/code/gate'), () => callback(null, 'went on'));
  case 'go': gate++; return callback();
  case 'inits': return callback(null, inits);
  case 'calls': return callback(null, ++calls);
  case 'handled': return callback(new Error('oops'));
  case 'throw': throw new Error('thrown');
  case 'exit': return process.exit(1);
  case 'hang': return;
  case 'keys': return callback(null, context.credentials.accessKeyId);
  case 'echo': return callback(null, rest);
  }
};`
	concurrentPython = `
import logging, os, threading
cond = threading.Condition()
state = {'here': 0, 'inits': 0, 'gate': 0, 'calls': 0}
def init(context):
    state['inits'] += 1
    threading.Event().wait(0.02)
    if state['inits'] == 1 and os.environ.get('FAIL'): raise Exception('not yet')
def handler(event, context):
    word, _, rest = event.decode().partition(' ')
    if word == 'barrier':
        with cond:
            state['here'] += 1
            cond.notify_all()
            while state['here'] < 10: cond.wait(60)
        return 'through'
    if word == 'wait':
        with cond:
            at = state['gate']
            logging.getLogger().info('waits')
            while state['gate'] == at: cond.wait(60)
        print('goes', context.request_id)
        return 'went on'
    if word == 'file':
        logging.getLogger().info('waits')
        while not os.path.exists('/code/gate'): threading.Event().wait(0.005)
        return 'went on'
    if word == 'go':
        with cond:
            state['gate'] += 1
            cond.notify_all()
        return ''
    if word == 'inits': return str(state['inits'])
    if word == 'calls':
        state['calls'] += 1
        return str(state['calls'])
    if word == 'throw': raise ValueError('thrown')
    if word == 'exit': os._exit(1)
    if word == 'hang': threading.Event().wait(100)
    if word == 'keys': return context.credentials.access_key_id
    return rest
`
)

// onBothConcurrent runs a test on functions that serve ten requests at a time.
func onBothConcurrent(t *testing.T, change func(*Options), test func(*testing.T, *real, fc.FunctionRef)) {
	t.Helper()
	for _, lang := range []language{
		{name: "node", runtime: "nodejs8", file: "index.js", code: concurrentNode},
		{name: "python", runtime: "python3", file: "index.py", code: concurrentPython},
	} {
		t.Run(lang.name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			r := newReal(t, lang, change)
			ref := r.function(t, lang, "ten", func(_ *fc.Service, f *fc.Function) { f.InstanceConcurrency = 10 })
			test(t, r, ref)
		})
	}
}

// waiting starts a call and returns once the function says that it waits.
func (r *real) waiting(t *testing.T, ref fc.FunctionRef, id, event string) (done chan fc.Result) {
	t.Helper()
	done = r.running(t, ref, id, event)
	r.lines.until(t, id, func(rec fc.LogRecord) bool { return strings.HasSuffix(rec.Message, "waits") })
	return done
}

// openGate lets calls of the word file go on: the function sees its code folder as it is.
func (r *real) openGate(t *testing.T) {
	t.Helper()
	dir, err := r.opt.Code.Dir(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "gate"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOneInstanceServesTenCallsThatWaitForEachOther(t *testing.T) {
	onBothConcurrent(t, nil, func(t *testing.T, r *real, ref fc.FunctionRef) {
		testBarrier(t, r, ref)
		if n := r.budget.used(); n != 1 {
			t.Errorf("%d instances", n)
		}
	})
}

func TestManyCallsShareFewInstances(t *testing.T) {
	onBothConcurrent(t, nil, func(t *testing.T, r *real, ref fc.FunctionRef) {
		var all []chan fc.Result
		for n := range 25 {
			all = append(all, r.waiting(t, ref, fmt.Sprint("w", n), "file"))
		}
		if n := r.budget.used(); n != 3 {
			t.Errorf("25 calls have %d instances", n)
		}
		r.openGate(t)
		for _, done := range all {
			if res := <-done; string(res.Body) != "went on" {
				t.Errorf("%s %s", res.ErrorType, res.Body)
			}
		}
	})
}

func TestAStopOfOneCallLeavesTheOthersTheirInstance(t *testing.T) {
	onBothConcurrent(t, nil, func(t *testing.T, r *real, ref fc.FunctionRef) {
		done := r.waiting(t, ref, "other", "wait")
		stop, stopped := make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := r.Invoke(t.Context(), fc.Call{RequestID: "stopped", Ref: ref, Payload: []byte("file"), Stop: stop})
			stopped <- err
		}()
		res := r.call(t, ref, "echo x")
		close(stop)
		if err := <-stopped; fc.CodeOf(err) != fc.ResourceThrottled {
			t.Errorf("the stopped call: %v", err)
		}
		if after := r.call(t, ref, "go"); after.InstanceID != res.InstanceID {
			t.Error("the instance was replaced")
		}
		if got := <-done; string(got.Body) != "went on" || got.InstanceID != res.InstanceID {
			t.Errorf("the other call: %s %s", got.ErrorType, got.Body)
		}
		r.openGate(t)
	})
}

func TestErrorsOfOneCallDoNotFailTheOthers(t *testing.T) {
	onBothConcurrent(t, nil, func(t *testing.T, r *real, ref fc.FunctionRef) {
		done := r.waiting(t, ref, "w", "file")
		res := r.call(t, ref, "echo x")
		failed := r.call(t, ref, "throw")
		if !strings.Contains(string(failed.Body), `"thrown"`) || failed.ErrorType != fc.UnhandledInvocationError || failed.InstanceID != res.InstanceID {
			t.Errorf("%s %s", failed.ErrorType, failed.Body)
		}
		select {
		case got := <-done:
			t.Fatalf("the other call ended: %s %s", got.ErrorType, got.Body)
		default:
		}
		after := r.call(t, ref, "echo y")
		if replaced := after.InstanceID != res.InstanceID; replaced != strings.Contains(t.Name(), "node") {
			t.Errorf("the instance was replaced: %v", replaced)
		}
		r.openGate(t)
		if got := <-done; string(got.Body) != "went on" {
			t.Errorf("the other call: %s %s", got.ErrorType, got.Body)
		}
		r.settled(t, 1)
	})
}

func TestAnEndOfTheProcessFailsAllItsCalls(t *testing.T) {
	const exited = `{"errorMessage":"Process exited unexpectedly before completing request"}`
	onBothConcurrent(t, nil, func(t *testing.T, r *real, ref fc.FunctionRef) {
		done := r.waiting(t, ref, "w", "wait")
		if res := r.call(t, ref, "exit"); string(res.Body) != exited {
			t.Errorf("the call that exits: %s", res.Body)
		}
		if res := <-done; string(res.Body) != exited || res.ErrorClass != frame.ClassUnhandled {
			t.Errorf("the other: %s %s", res.ErrorClass, res.Body)
		}
		old, err := r.functions.Target(ref)
		if err != nil {
			t.Fatal(err)
		}
		ref = r.functions.set("short", func(_ *fc.Service, f *fc.Function) {
			*f = *old.Function
			f.Name, f.TimeoutSeconds = "short", 6
		})
		hang := r.running(t, ref, "h", "hang")
		half := time.NewTimer(3 * time.Second)
		<-half.C // the other call is to have time left when this one has not
		done = r.waiting(t, ref, "w2", "wait")
		if res := <-hang; string(res.Body) != `{"errorMessage":"Task timed out after 6 seconds"}` || res.ErrorClass != frame.ClassTimeout {
			t.Errorf("the call that hangs: %s %s", res.ErrorClass, res.Body)
		}
		if res := <-done; string(res.Body) != exited || res.ErrorClass != frame.ClassUnhandled {
			t.Errorf("the other: %s %s", res.ErrorClass, res.Body)
		}
		if res := r.call(t, ref, "echo x"); string(res.Body) != "x" || !res.Cold {
			t.Errorf("afterwards: %s", res.Body)
		}
	})
}

func TestLinesOfCallsInFlightKeepTheirIDs(t *testing.T) {
	onBothConcurrent(t, nil, func(t *testing.T, r *real, ref fc.FunctionRef) {
		var all []chan fc.Result
		for n := range 9 {
			all = append(all, r.waiting(t, ref, fmt.Sprint("w", n), "wait"))
		}
		r.call(t, ref, "go")
		for n, done := range all {
			<-done
			id := fmt.Sprint("w", n)
			got := r.lines.ended(t, id)
			if len(got) != 4 || got[0] != "FC Invoke Start RequestId: "+id || !strings.Contains(got[1], " "+id+" ") ||
				!strings.HasSuffix(got[2], "goes "+id) || got[3] != "FC Invoke End RequestId: "+id {
				t.Errorf("%s: %q", id, got)
			}
		}
		tailed, err := r.Invoke(context.Background(), fc.Call{RequestID: "t", Ref: ref, Payload: []byte("echo x"), Tail: true})
		if err != nil || !strings.HasPrefix(string(tailed.LogTail), "FC Invoke Start RequestId: t\nFC Invoke End RequestId: t\n\nDuration: ") {
			t.Errorf("%q %v", tailed.LogTail, err)
		}
	})
}

func TestTheInitializerComesBeforeAllCalls(t *testing.T) {
	onBothConcurrent(t, nil, func(t *testing.T, r *real, ref fc.FunctionRef) {
		lang := languages[0]
		if strings.Contains(t.Name(), "python") {
			lang = languages[1]
		}
		ref = r.function(t, lang, "init", func(_ *fc.Service, f *fc.Function) {
			f.InstanceConcurrency, f.Initializer, f.EnvironmentVariables = 10, "index.init", map[string]string{"FAIL": "1"}
		})
		var wg sync.WaitGroup
		var mu sync.Mutex
		bodies := map[string]int{}
		for n := range 10 {
			wg.Go(func() {
				res, err := r.Invoke(context.Background(), fc.Call{RequestID: fmt.Sprint("i", n), Ref: ref, Payload: []byte("inits")})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if strings.Contains(string(res.Body), "not yet") {
					res.Body = []byte("not yet")
				}
				bodies[string(res.Body)]++
			})
		}
		wg.Wait()
		if bodies["not yet"] != 1 || bodies["2"] != 9 || r.budget.used() != 1 {
			t.Errorf("got %v by %d instances", bodies, r.budget.used())
		}
	})
}

func TestKeysOfCallsInFlight(t *testing.T) {
	keys := &keySource{keys: fc.Credentials{AccessKeyID: "a", Expiration: time.Now().Add(time.Hour)}}
	for _, lang := range []language{
		{name: "node", runtime: "nodejs8", file: "index.js", code: concurrentNode},
		{name: "python", runtime: "python3", file: "index.py", code: concurrentPython},
	} {
		r := newReal(t, lang, func(o *Options) { o.Credentials = keys })
		ref := r.function(t, lang, "hello", func(s *fc.Service, f *fc.Function) { s.Role, f.InstanceConcurrency = "acs:ram::1:role/r", 10 })
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				res, err := r.Invoke(context.Background(), fc.Call{RequestID: fmt.Sprint("k", n), Ref: ref, Payload: []byte("keys")})
				if err != nil || string(res.Body) != "a" {
					t.Errorf("%s: %q %v", lang.name, res.Body, err)
				}
			})
		}
		wg.Wait()
	}
}

func TestANewGenerationLetsCallsInFlightEnd(t *testing.T) {
	onBothConcurrent(t, nil, func(t *testing.T, r *real, ref fc.FunctionRef) {
		var all []chan fc.Result
		for n := range 3 {
			all = append(all, r.waiting(t, ref, fmt.Sprint("w", n), "file"))
		}
		first := r.call(t, ref, "echo")
		old, err := r.functions.Target(ref)
		if err != nil {
			t.Fatal(err)
		}
		r.functions.set("ten", func(_ *fc.Service, f *fc.Function) { *f = *old.Function; f.Description = "new" })
		if res := r.call(t, ref, "echo"); res.InstanceID == first.InstanceID || !res.Cold {
			t.Error("an instance of the old generation served")
		}
		r.openGate(t)
		for _, done := range all {
			if res := <-done; string(res.Body) != "went on" {
				t.Errorf("%s %s", res.ErrorClass, res.Body)
			}
		}
		r.settled(t, 1)
	})
}

func TestCloseCutsCallsInFlight(t *testing.T) {
	onBothConcurrent(t, nil, func(t *testing.T, r *real, ref fc.FunctionRef) {
		errs := make(chan error, 3)
		for n := range 3 {
			id := fmt.Sprint("w", n)
			go func() {
				_, err := r.Invoke(context.Background(), fc.Call{RequestID: id, Ref: ref, Payload: []byte("wait")})
				errs <- err
			}()
			r.lines.until(t, id, func(rec fc.LogRecord) bool { return strings.HasSuffix(rec.Message, "waits") })
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.Close(ctx)
		for range 3 {
			if err := <-errs; codeOf(err) != fc.ResourceThrottled {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestARequestIDIsInFlightOnce(t *testing.T) {
	onBothConcurrent(t, func(o *Options) { o.FunctionConcurrency = 1 }, func(t *testing.T, r *real, ref fc.FunctionRef) {
		done := r.waiting(t, ref, "same", "wait")
		_, err := r.Invoke(context.Background(), fc.Call{RequestID: "same", Ref: ref, Payload: []byte("echo")})
		if codeOf(err) != fc.ResourceThrottled || !strings.Contains(err.Error(), "a request with the id same is in flight already") {
			t.Errorf("got %v", err)
		}
		r.call(t, ref, "go")
		if res := <-done; string(res.Body) != "went on" {
			t.Errorf("%s %s", res.ErrorType, res.Body)
		}
	})
}

func TestDeathsOfIdleInstancesLeaveNothing(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	w.call(t, ref, "echo")
	kill := func() {
		w.Invoker.mu.Lock()
		for p := range w.instances {
			p.sb.Signal(9)
		}
		w.Invoker.mu.Unlock()
		w.settled(t, 0)
	}
	kill()
	before := leaks(t)
	for range 5 {
		w.call(t, ref, "echo")
		kill()
	}
	if after := leaks(t); after.Files > before.Files {
		t.Errorf("%d descriptors, before it were %d", after.Files, before.Files)
	}
}
