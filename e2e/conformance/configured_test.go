package conformance

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"fcd/config"
	"fcd/fc"
)

// configured are functions that do by their event what the operator's configuration has a say in.
var configured = map[string]string{
	"nodejs": `'use strict';
const fs = require('fs');
exports.handler = function (event, context, callback) {
  const word = event.toString();
  if (word === 'log') { console.log('hello'); context.logger.warn('careful'); return callback(); }
  if (word === 'long') { process.stdout.write(new Array(5001).join('x') + '\n'); return callback(); }
  if (word === 'thrown') throw new Error('thrown');
  if (word === 'exit') process.exit(1);
  if (word === 'memory') { const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1)); }
  if (word === 'files') {
    const all = [];
    try { for (;;) all.push(fs.openSync('/dev/null', 'r')); } catch (err) { all.forEach((fd) => fs.closeSync(fd)); return callback(null, err.code); }
  }
  if (word === 'disk') {
    try { fs.writeFileSync('/tmp/big', Buffer.alloc(40 << 20)); } catch (err) { return callback(null, err.code); }
  }
  if (word === 'result') return callback(null, Buffer.alloc(10001));
  if (word === 'promise') return Promise.resolve('settled');
  callback(null, word);
};
`,
	"python": `import errno
import logging
import os


def handler(event, context):
    word = event.decode()
    if word == 'log':
        logging.info('hello')
        context.logger.warning('careful')
    if word == 'long':
        print('x' * 5000)
    if word == 'thrown':
        raise Exception('thrown')
    if word == 'exit':
        os._exit(1)
    if word == 'memory':
        all = []
        while True:
            all.append(bytearray(b'x') * (8 << 20))
    try:
        if word == 'files':
            all = [open('/dev/null') for _ in range(1000)]
        if word == 'disk':
            with open('/tmp/big', 'wb') as f:
                f.write(b'x' * (40 << 20))
    except EnvironmentError as err:
        return errno.errorcode[err.errno]
    return 'x' * 10001 if word == 'result' else word
`,
	"java": "configured.Words::handleRequest",
}

// TestWhatTheConfigurationDecides runs every runtime under a configuration that differs in each point.
func TestWhatTheConfigurationDecides(t *testing.T) {
	h, err := openHouse(func(c *config.Config) {
		c.Errors = config.Errors{Uncaught: "exited", ExitSuffix: true, OOMMessage: "no memory left"}
		c.Logs.LevelStyle, c.Logs.RecordBytes = "bracket", 2048
		c.Invoker.NodePromises = "ignore"
		c.Sandbox.OpenFiles, c.Sandbox.TmpMB = 128, 16
		c.Limits.ResultBytes, c.Limits.SyncBodyBytes = 10_000, 20_000
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}()
	const exited = `^\{"errorMessage":"Process exited unexpectedly before completing request \(duration: \d+ms, maxMemoryUsage: \d+MB\)"\}$`
	onHouse(t, h, "configured", configured, func(t *testing.T, h *house, f function) {
		node, python := strings.HasPrefix(f.runtime, "nodejs"), strings.HasPrefix(f.runtime, "python")
		tests := []struct{ event, body string }{
			{"exit", exited},
			{"memory", `^\{"errorMessage":"no memory left"\}$`},
			{"files", "^EMFILE$"},
			{"disk", "^ENOSPC$"},
			{"result", `^\{"errorMessage":"result size exceeds maximum allowed size \(10000 bytes\)"\}$`},
		}
		if node {
			tests = append(tests, struct{ event, body string }{"thrown", exited})
		} else {
			tests = append(tests, struct{ event, body string }{"thrown", `"errorMessage" ?: "thrown"`})
		}
		for _, tt := range tests {
			a, err := h.invoke(f.service, f.name, []byte(tt.event), false)
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(tt.body).Match(a.Body) {
				t.Errorf("%s: %s, want %s", tt.event, a.Body, tt.body)
			}
		}
		var e *fc.Error
		if _, err := h.invoke(f.service, f.name, make([]byte, 20_001), false); !errors.As(err, &e) || e.Code != fc.EntityTooLarge ||
			e.Message != "payload size exceeds maximum allowed size (20000 bytes)" {
			t.Errorf("an event that is too large: %v", err)
		}
		levels := []string{"[verbose] hello", "[warn] careful"}
		if !node {
			levels = []string{"[INFO] hello", "[WARNING] careful"}
		}
		if !node && !python {
			levels[1] = "[WARN] careful"
		}
		lines := h.log.of(t, h.id(t, f, "log"), 0)
		if len(lines) != 4 || !strings.HasSuffix(lines[1].text, " "+levels[0]) || !strings.HasSuffix(lines[2].text, " "+levels[1]) {
			t.Errorf("levels: %+v", lines)
		}
		if lines = h.log.of(t, h.id(t, f, "long"), 0); len(lines) != 5 || len(lines[1].text) != 2048 || len(lines[3].text) != 5000-2*2048 {
			t.Errorf("a line of 5000 bytes came as %d records", len(lines)-2)
		}
		if node {
			f.name, f.timeout = "promise-"+f.runtime, 2
			h.deploy(t, f)
			if a, err := h.invoke(f.service, f.name, []byte("promise"), false); err != nil || string(a.Body) != `{"errorMessage":"Task timed out after 2 seconds"}` {
				t.Errorf("a promise: %s, %v", a.Body, err)
			}
			h.remove(t, f)
		}
	})
}

// id is the request id of a call that must succeed.
func (h *house) id(t *testing.T, f function, event string) string {
	t.Helper()
	a, err := h.invoke(f.service, f.name, []byte(event), false)
	if err != nil || a.Header.Get("X-Fc-Error-Type") != "" {
		t.Fatalf("%s: %+v, %v", event, a, err)
	}
	return a.Header.Get("X-Fc-Request-Id")
}

// TestHooksRunInEveryRuntime deploys functions with the hooks that the guide describes: they run when an instance turns
// idle and when it is retired, and see the state of its calls.
func TestHooksRunInEveryRuntime(t *testing.T) {
	h, err := openHouse(func(c *config.Config) { c.Invoker.FreezeAfter = 10 * time.Millisecond })
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}()
	onHouse(t, h, "hooks", map[string]string{
		"nodejs": `let calls = 0;
exports.handler = (event, context, callback) => callback(null, String(++calls));
exports.freeze = (context, callback) => { console.log('freezes after', calls, context.function.name); callback(); };
exports.stop = (context, callback) => { console.log('stops after', calls, context.service.name); callback(); };
`,
		"python": `import logging
calls = 0


def handler(event, context):
    global calls
    calls += 1
    return str(calls)


def freeze(context):
    logging.info('freezes after %d %s', calls, context.function.name)


def stop(context):
    logging.info('stops after %d %s', calls, context.service.name)
`,
		"java": "configured.Hooks::handleRequest",
	}, func(t *testing.T, h *house, f function) {
		h.remove(t, f)
		f.freeze, f.stop = "index.freeze", "index.stop"
		if f.runtime == "java8" {
			f.freeze, f.stop = "configured.Hooks::preFreeze", "configured.Hooks::preStop"
		}
		h.deploy(t, f)
		h.id(t, f, "")
		frozen := h.log.ofHook(t, f.name, "PreFreeze")
		h.remove(t, f)
		stopped := h.log.ofHook(t, f.name, "PreStop")
		h.deploy(t, f) // what removes it in the end finds it
		if len(frozen) != 3 || !strings.HasSuffix(frozen[1].text, " freezes after 1 "+f.name) {
			t.Errorf("PreFreeze: %+v", frozen)
		}
		if len(stopped) != 3 || !strings.HasSuffix(stopped[1].text, " stops after 1 "+plain) {
			t.Errorf("PreStop: %+v", stopped)
		}
	})
}
