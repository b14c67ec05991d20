package runtimes

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"fcd/invoker/runtimes/frame"
)

const concurrentNode = `
let waiting = [], here = 0;
const until = (ready, then) => { if (ready()) then(); else setTimeout(until, 1, ready, then); };
exports.init = (context, callback) => callback();
exports.handler = (event, context, callback) => {
  const word = event.toString();
  const id = context.requestId;
  switch (word) {
  case 'barrier':
    console.log('before', id);
    process.stdout.write('half ' + id);
    here++;
    until(() => here === 10, () => {
      process.stdout.write(' of a line\n');
      setTimeout(() => { console.error('after', id); callback(null, id); }, 1);
    });
    return;
  case 'wait': console.log('waits', id); waiting.push(() => { callback(null, 'went on'); }); return;
  case 'go': { const all = waiting; waiting = []; all.forEach((go) => go()); return callback(null, 'gone'); }
  case 'handled': return callback(new Error('oops'));
  case 'throw': throw new Error('thrown');
  case 'later': setTimeout(() => { throw new Error('later'); }, 1); return;
  case 'exit': return process.exit(3);
  case 'keys': return callback(null, context.credentials.accessKeyId + process.env.accessKeyID);
  case 'rest': process.stdout.write('no newline'); return callback();
  default: return callback(null, event);
  }
};
`

const concurrentPython = `
import logging, os, sys, threading
cond = threading.Condition()
state = {'waiting': 0, 'round': 0, 'open': False}
def init(context): pass
def handler(event, context):
    word = bytes(event).decode('utf-8') if len(event) < 100 else 'echo'
    id = context.request_id
    if word == 'barrier':
        logging.getLogger().info('before %s', id)
        sys.stdout.write('half ' + id)
        with cond:
            state['waiting'] += 1
            if state['waiting'] == 10:
                state['open'] = True
                cond.notify_all()
            while not state['open']: cond.wait(10)
        sys.stdout.write(' of a line\n')
        logging.getLogger().error('after %s', id)
        return id
    if word == 'wait':
        logging.getLogger().info('waits %s', id)
        with cond:
            round = state['round']
            while state['round'] == round: cond.wait(10)
        return 'went on'
    if word == 'go':
        with cond:
            state['round'] += 1
            cond.notify_all()
        return 'gone'
    if word == 'throw': raise ValueError('thrown')
    if word == 'exit': os._exit(3)
    if word == 'keys': return context.credentials.access_key_id + os.environ['accessKeyID']
    if word == 'rest':
        sys.stdout.write('no newline')
        return ''
    return event
`

var concurrentCode = map[string]map[string]string{
	"nodejs": {"index.js": concurrentNode},
	"python": {"index.py": concurrentPython},
}

// onEachConcurrent starts every interpreter with ten requests at a time.
func onEachConcurrent(t *testing.T, test func(*testing.T, *process)) {
	t.Helper()
	for _, lang := range []string{"nodejs", "python", "java"} {
		onEach(t, lang, func(t *testing.T, in interpreter) {
			p := start(t, in, concurrentCode[lang])
			p.hello.Concurrency, p.hello.Initializer = 10, "index.init"
			if lang == "java" {
				p.hello.Handler, p.hello.Initializer = "example.Concurrent::handleRequest", "example.Concurrent::initialize"
			}
			test(t, p)
		})
	}
}

// answers takes the next n answers, by request id.
func (p *process) answersOf(n int) map[string]frame.Answer {
	p.t.Helper()
	all := map[string]frame.Answer{}
	for range n {
		a, err := frame.ReadAnswer(p.next())
		if err != nil {
			p.t.Fatalf("%v; log so far: %+v", err, p.allLines())
		}
		all[a.ID] = a
	}
	return all
}

func TestTenRequestsThatWaitForEachOther(t *testing.T) {
	onEachConcurrent(t, func(t *testing.T, p *process) {
		if a := p.request(frame.TypeInit, frame.Request{ID: "init"}, nil); a.Type != frame.TypeResult {
			t.Fatalf("the initializer: %+v", a)
		}
		for n := range 10 {
			p.send(frame.TypeInvoke, frame.Request{ID: fmt.Sprintf("r%d", n)}, []byte("barrier"))
		}
		for id, a := range p.answersOf(10) {
			if a.Type != frame.TypeResult || string(a.Body) != id {
				t.Errorf("%s: %+v %s", id, a, a.Body)
			}
		}
		for n := range 10 {
			id := fmt.Sprintf("r%d", n)
			p.logs[0].await(t, "after "+id)
			got := p.logs[0].of(id, false)
			if len(got) != 3 || !strings.Contains(got[0], id+" ") || !strings.HasSuffix(got[0], "before "+id) ||
				got[1] != "half "+id+" of a line" || !strings.HasSuffix(got[2], "after "+id) {
				t.Errorf("the lines of %s: %q", id, got)
			}
		}
	})
}

func TestAnErrorFailsItsOwnRequest(t *testing.T) {
	onEachConcurrent(t, func(t *testing.T, p *process) {
		p.send(frame.TypeInvoke, frame.Request{ID: "w"}, []byte("wait"))
		p.logs[0].await(t, "waits w")
		events := map[string]string{"throw": "thrown", "handled": "oops", "later": "later"}
		if p.in.lang != "nodejs" {
			events = map[string]string{"throw": "thrown"}
		}
		for event, want := range events {
			a := p.invoke(event, event)
			if !strings.Contains(string(a.Body), `"`+want+`"`) || a.Exit != (p.in.lang == "nodejs" && event != "handled") && event != "handled" {
				t.Errorf("%s: %+v %s", event, a, a.Body)
			}
		}
		p.send(frame.TypeInvoke, frame.Request{ID: "g"}, []byte("go"))
		got := p.answersOf(2)
		if string(got["w"].Body) != "went on" || got["w"].Exit != (p.in.lang == "nodejs") || string(got["g"].Body) != "gone" {
			t.Errorf("the others: %+v", got)
		}
		p.frameIn.Close()
		if code := p.exit(); code != 0 {
			t.Errorf("exit code %d at the end of input", code)
		}
	})
}

func TestLargeBodiesInTurnWithSmallOnes(t *testing.T) {
	onEachConcurrent(t, func(t *testing.T, p *process) {
		big := slices.Repeat([]byte("0123456789abcdef"), 6<<20/16)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := range 4 {
				body := []byte("small")
				if n%2 == 0 {
					body = big
				}
				p.send(frame.TypeInvoke, frame.Request{ID: fmt.Sprint("r", n)}, body)
			}
		}()
		got := p.answersOf(4)
		<-done
		for n := range 4 {
			want := []int{len(big), 5}[n%2]
			if a := got[fmt.Sprint("r", n)]; len(a.Body) != want {
				t.Errorf("r%d: %d bytes, want %d", n, len(a.Body), want)
			}
		}
	})
}

func TestConcurrentKeysAndRests(t *testing.T) {
	onEachConcurrent(t, func(t *testing.T, p *process) {
		for _, id := range []string{"k1", "k2"} {
			a := p.request(frame.TypeInvoke, frame.Request{ID: id, Credentials: &frame.Credentials{AccessKeyID: id}}, []byte("keys"))
			if string(a.Body) != id+id {
				t.Errorf("got %s", a.Body)
			}
		}
		p.invoke("rest", "rest")
		p.logs[0].await(t, "no newline")
		if got := p.logs[0].of("rest", false); len(got) != 1 || got[0] != "no newline" {
			t.Errorf("got %q", got)
		}
	})
}

func TestConcurrentProcessesEndAsOthersDo(t *testing.T) {
	onEachConcurrent(t, func(t *testing.T, p *process) {
		p.send(frame.TypeInvoke, frame.Request{ID: "w"}, []byte("wait"))
		p.logs[0].await(t, "waits w")
		p.send(frame.TypeInvoke, frame.Request{ID: "x"}, []byte("exit"))
		if f := p.next(); f.Type != 0 {
			t.Errorf("an answer: %+v", f)
		}
		if code := p.exit(); code != 3 {
			t.Errorf("exit code %d", code)
		}
	})
	onEachConcurrent(t, func(t *testing.T, p *process) {
		p.send(frame.TypeInvoke, frame.Request{ID: "w"}, []byte("wait"))
		p.logs[0].await(t, "waits w")
		p.cmd.Process.Signal(syscall.SIGTERM)
		if code := p.exit(); code != 143 {
			t.Errorf("exit code %d after SIGTERM", code)
		}
	})
}

func TestConcurrencyDoesNotLeakDescriptors(t *testing.T) {
	onEachConcurrent(t, func(t *testing.T, p *process) {
		p.invoke("first", "x")
		before, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		for n := range 200 {
			p.invoke(fmt.Sprint("r", n), "x")
		}
		after, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
		if err != nil || len(after) > len(before) {
			t.Errorf("%d descriptors, before it were %d, %v", len(after), len(before), err)
		}
	})
}
