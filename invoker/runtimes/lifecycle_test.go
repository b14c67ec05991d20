package runtimes

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"fcd/invoker/runtimes/frame"
)

func TestEndOfThePipeEndsTheProcess(t *testing.T) {
	languages(t, echo, func(t *testing.T, p *process) {
		p.invoke("r1", "")
		p.frameIn.Close()
		if code := p.exit(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
}

func TestEndOfThePipeOfABlankInstance(t *testing.T) {
	languages(t, nil, func(t *testing.T, p *process) {
		p.frameIn.Close()
		if code := p.exit(); code != 0 {
			t.Errorf("exit code %d; log %+v", code, p.allLines())
		}
	})
}

func TestTermEndsARunningRequest(t *testing.T) {
	code := map[string]string{
		"java":   "example.Waiting::handleRequest",
		"nodejs": "exports.handler = function () { console.log('waiting') }\n",
		"python": "import threading, logging\n\n\ndef other(e):\n    e.wait()\n\n\ndef handler(event, context):\n    e = threading.Event()\n    t = threading.Thread(target=other, args=(e,))\n    t.daemon = True\n    t.start()\n    logging.info('waiting')\n    while True:\n        e.wait(1)\n",
	}
	languages(t, code, func(t *testing.T, p *process) {
		p.send(frame.TypeInvoke, frame.Request{ID: "r1"}, nil)
		p.logs[0].await(t, "waiting")
		p.cmd.Process.Signal(syscall.SIGTERM)
		if code := p.exit(); code != 143 {
			t.Errorf("exit code %d, want 143", code)
		}
		log := p.generic(strings.Join(p.logs[1].of("r1", false), "\n"))
		parts := map[string][]string{
			"python": {`File "/code/index.py", line 5, in other`, "in handler"},
			"java":   {"Thread other (WAITING):", "  at example.Waiting$1.run(Waiting.java:", "Thread main (", "  at example.Waiting.handleRequest(Waiting.java:"},
		}
		for _, part := range parts[p.in.lang] {
			if !strings.Contains(log, part) {
				t.Errorf("%s is not in %s", part, log)
			}
		}
	})
}

// A handler that never answers keeps its process, even with nothing left to do.
func TestAHandlerThatNeverCallsBackKeepsRunning(t *testing.T) {
	onEach(t, "nodejs", func(t *testing.T, in interpreter) {
		p := start(t, in, map[string]string{"index.js": "exports.handler = function () { console.log('started'); process.on('beforeExit', () => console.log('empty')) }\n"})
		p.send(frame.TypeInvoke, frame.Request{ID: "r1"}, nil)
		p.logs[0].await(t, "started")
		p.cmd.Process.Signal(syscall.SIGTERM)
		if code := p.exit(); code != 143 {
			t.Errorf("exit code %d: it ended by itself", code)
		}
		if log := p.logs[0].of("r1", false); len(log) != 1 {
			t.Errorf("log %q", log)
		}
	})
}

func TestNothingOfNodeRunsBetweenRequests(t *testing.T) {
	code := `let ticks = 0;
exports.handler = function (event, context, callback) {
  if (event.toString() === 'start') setInterval(function () { ticks++ }, 1);
  setTimeout(function () { callback(null, ticks) }, event.toString() === 'wait' ? 30 : 0);
};
`
	onEach(t, "nodejs", func(t *testing.T, in interpreter) {
		p := start(t, in, map[string]string{"index.js": code})
		p.invoke("r1", "start")
		var first, second, third int
		fmt.Sscan(string(p.invoke("r2", "").Body), &first)
		fmt.Sscan(string(p.invoke("r3", "").Body), &second)
		fmt.Sscan(string(p.invoke("r4", "wait").Body), &third)
		if second-first > 5 || third-second < 5 {
			t.Errorf("ticks %d, %d, %d", first, second, third)
		}
	})
}
