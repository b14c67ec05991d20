package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostile is a function that speaks to the daemon behind the bootstrap's back: it has the frames' pipes as 3 and 4 and
// the logs' as 1 and 2, and can find the fence token in the memory of its own process.
const hostile = `
import gc, json, os, struct, sys, threading, time

def frame(kind, header, body=b'', total=None, header_len=None):
    h = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('>IBI', 5 + len(h) + len(body) if total is None else total, kind, len(h) if header_len is None else header_len) + h + body

def send(data, fd=4):
    while data:
        data = data[os.write(fd, data):]

def fence(token, mark, id):
    return b'\0' + token + mark + id.encode() + b'\n'

def tokens():
    'bytes of the length of a token, from every closure'
    found = []
    for f in gc.get_objects():
        for cell in getattr(f, '__closure__', None) or ():
            try:
                v = cell.cell_contents
            except ValueError:
                continue
            if isinstance(v, bytes) and len(v) == 16:
                found.append(v)
    return found

def flood(fd, data):
    while True:
        try:
            os.write(fd, data)
        except OSError:
            return

def handler(event, context):
    what, _, other = event.decode().partition(' ')
    me = context.request_id
    if what == 'honest':
        return 'honest'
    elif what == 'early':
        send(frame(17, {'id': me}, b'forged'))
    elif what == 'twice':
        send(frame(17, {'id': me}, b'first') + frame(17, {'id': me}, b'second'))
    elif what == 'other':
        send(frame(17, {'id': other}, b'forged'))
    elif what == 'ahead':
        threading.Timer(0.2, lambda: send(frame(17, {'id': 'next'}, b'forged'))).start()
    elif what == 'unknown':
        send(frame(99, {}))
    elif what == 'ready':
        send(frame(16, {'v': 1, 'pid': 1, 'version': 'x'}))
    elif what == 'commands':
        send(frame(1, {'token': '0' * 32}) + frame(3, {'id': 'x'}, b'event'))
    elif what == 'huge':
        send(frame(17, {'id': me}, total=0xffffffff))
    elif what == 'header':
        send(frame(17, {'id': me}, total=0x3ffffff, header_len=0xfffffff0))
    elif what == 'liar':
        send(frame(17, {'id': me}, total=60 << 20))
        time.sleep(60)
    elif what == 'large':
        send(frame(17, {'id': me}, total=5 + 12 + len(me) + 1 + (50 << 20), header_len=len(json.dumps({'id': me}))))
        send(b'x' * (50 << 20))
    elif what == 'json':
        send(frame(17, b'{"id":'))
    elif what == 'deep':
        send(frame(17, b'{"id":' + b'[' * 200000 + b']' * 200000 + b'}'))
    elif what == 'garbage':
        flood(4, os.urandom(65536))
    elif what == 'zeros':
        flood(4, bytes(65536))
    elif what == 'closeout':
        os.close(4); time.sleep(60)
    elif what == 'closein':
        os.close(3)
    elif what == 'closeall':
        for fd in range(5):
            os.close(fd)
        time.sleep(60)
    elif what == 'closelogs':
        os.close(1); os.close(2); return 'quiet'
    elif what == 'steal':
        threading.Thread(target=lambda: os.read(3, 1 << 20), daemon=True).start()
        return 'stolen'
    elif what == 'fork':
        if os.fork() == 0:
            send(frame(17, {'id': me}, b'the child')); os._exit(0)
        os.wait(); return 'the parent'
    elif what == 'floods':
        for fd in (1, 2):
            threading.Thread(target=flood, args=(fd, b'x' * 65536), daemon=True).start()
        flood(1, b'line\n' * 10000)
    elif what == 'deaf':
        send(frame(17, {'id': me}, b'answered'))
        while True:
            time.sleep(60)
    elif what == 'endless':
        for _ in range(256):
            os.write(2, b'y' * (1 << 18))
        return 'said'
    elif what == 'fences':
        for token in [os.urandom(16), bytes(16), b'\n' * 16]:
            for mark in b'SELU':
                for id in (other, me, '', 'x' * 5000, '../../etc', '%s%n'):
                    send(fence(token, bytes([mark]), id) + b'stolen line\n', 1)
                    send(fence(token, bytes([mark]), id) + b'stolen line\n', 2)
        return 'forged'
    elif what == 'truefences':
        for token in tokens():
            for mark in b'SELU':
                send(fence(token, bytes([mark]), other) + b'stolen line\n', 1)
                send(b'\0' + token + bytes([mark]) + b'\xff' * 5000 + b'\n', 2)
                send(b'\0' + token[:9], 1)
        return 'forged'
    elif what == 'kill':
        os.kill(1, 9)
    elif what == 'stop':
        os.kill(os.getpid(), 19); time.sleep(60)
    return 'done'
`

// TestHostileFunctions: whatever a function says on its pipes, it hurts only itself. Its call fails or gives what it said;
// the next one works; the daemon's memory stays where it is, and a function beside it is served all the time.
func TestHostileFunctions(t *testing.T) {
	h := boot(t)
	h.service("hostile", "")
	h.service("victims", "")
	h.python("victims/f", "def handler(event, context):\n    print('mine', event.decode())\n    return event\n")
	h.returns("victims/f", "warm")
	stop := make(chan struct{})
	var beside sync.WaitGroup
	calls := 0
	beside.Go(func() {
		pace := time.NewTicker(50 * time.Millisecond) // there is work to do for the others too
		defer pace.Stop()
		for {
			select {
			case <-stop:
				return
			case <-pace.C:
			}
			a := h.invoke("victims/f", fmt.Sprint("call ", calls))
			if a.status != 200 || a.body != fmt.Sprint("call ", calls) {
				t.Errorf("the victim: %d %s", a.status, a.body)
				return
			}
			calls++
		}
	})
	before := residentMB(t)
	victim := h.invoke("victims/f", "the one").header.Get("X-Fc-Request-Id")
	const failed = "UnhandledInvocationError"
	cases := []struct {
		what string
		want string // the result, or the type of the error; "|" between what may be
	}{
		{"early", "forged"}, {"twice", "first"}, {"other " + victim, failed}, {"ahead", "done"},
		{"unknown", "done|" + failed}, {"ready", failed}, {"commands", failed},
		{"huge", failed}, {"header", failed}, {"liar", failed},
		{"large", failed}, {"json", failed}, {"deep", failed},
		{"garbage", failed}, {"zeros", failed}, {"closeout", failed},
		{"closein", "done"}, {"closeall", failed}, {"closelogs", "quiet"}, {"steal", "stolen"},
		{"fork", "the child|the parent"}, {"floods", failed}, {"endless", "said|" + failed},
		{"fences " + victim, "forged"}, {"truefences " + victim, "forged|" + failed}, {"kill", "done|" + failed},
		{"stop", "done|" + failed}, {"deaf", "answered"},
	}
	const lanes = 5 // functions that are hostile at the same time
	var all sync.WaitGroup
	for lane := range lanes {
		ref := fmt.Sprint("hostile/f", lane)
		h.python(ref, hostile, m{"timeout": 3, "memorySize": 512})
		all.Go(func() {
			for n := lane; n < len(cases); n += lanes {
				c := cases[n]
				a := h.invoke(ref, c.what)
				got := a.errorType()
				if got == "" {
					got = a.body
				}
				if a.status != 200 || !oneOf(got, c.want) {
					t.Errorf("%s: %d %.200s, want %s: %.300s", c.what, a.status, got, c.want, a.body)
				}
				// What it left behind ends with its instance, which a thief of requests may survive once.
				for range 3 {
					if a = h.invoke(ref, "honest"); a.body == "honest" {
						break
					}
				}
				if a.body != "honest" {
					t.Errorf("after %s: %d %.200q", c.what, a.status, a.body)
				}
			}
		})
	}
	all.Wait()
	close(stop)
	beside.Wait()
	if calls < 20 {
		t.Errorf("%d calls beside it", calls)
	}
	if grown := residentMB(t) - before; grown > 256 {
		t.Errorf("the daemon has grown by %d MB", grown)
	}
	h.invoke("victims/f", "last") // when this is logged, all is
	eventually(t, "the victim's lines", func() bool { return strings.Contains(strings.Join(h.lines("victims/f"), "\n"), "mine last") })
	for _, r := range h.records("victims/f") {
		if strings.Contains(r["message"], "stolen") {
			t.Errorf("a forged line among the victim's: %v", r)
		}
	}
	eventually(t, "only living instances are left", func() bool { return h.metric("fcd_invoker_instances") <= lanes+1 })
}

func oneOf(word, choice string) bool {
	for c := range strings.SplitSeq(choice, "|") {
		if c == word {
			return true
		}
	}
	return false
}

// residentMB is the memory of this process, which the daemon is a part of.
func residentMB(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "VmRSS:")
	var kb int
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb >> 10
}
