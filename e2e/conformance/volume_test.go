package conformance

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fcd/fc"
)

// eachRuntime runs a test on every runtime that is ready, with a function made of the language's source.
func eachRuntime(t *testing.T, name string, sources map[string]string, test func(*testing.T, *house, function)) {
	onHouse(t, shared.get(t), name, sources, test)
}

// onHouse is eachRuntime with a daemon of one's own.
func onHouse(t *testing.T, h *house, name string, sources map[string]string, test func(*testing.T, *house, function)) {
	for _, l := range languages {
		for _, runtime := range l.runtimes {
			t.Run(runtime, func(t *testing.T) {
				if !h.ready(t, runtime) {
					return
				}
				f := function{service: plain, name: name + "-" + strings.ReplaceAll(runtime, ".", "_"), runtime: runtime, handler: "index.handler", timeout: 60}
				if l.name == "java" {
					f.handler, f.code = sources["java"], zipOf(t, javaClasses(t))
				} else {
					f.code = zipFiles(t, map[string]string{map[string]string{"nodejs": "index.js", "python": "index.py"}[l.name]: sources[l.name]})
				}
				h.deploy(t, f)
				test(t, h, f)
				h.remove(t, f)
			})
		}
	}
}

func TestBodiesOfEverySize(t *testing.T) {
	eachRuntime(t, "bodies", map[string]string{
		"nodejs": "exports.handler = function (event, context, callback) { callback(null, event); };\n",
		"python": "def handler(event, context):\n    return event\n",
		"java":   "volume.Echo::handleRequest",
	}, func(t *testing.T, h *house, f function) {
		for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 1 << 20, 6 << 20} {
			body := bytes.Repeat([]byte{0, 'a', '\n', 0xff, 0xfe, 'S', 3}, size/7+1)[:size]
			a, err := h.invoke(f.service, f.name, body, false)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a.Body, body) || a.Header.Get("Content-Length") != strconv.Itoa(size) {
				t.Errorf("%d bytes came back as %d", size, len(a.Body))
			}
		}
		_, err := h.invoke(f.service, f.name, make([]byte, 6<<20+1), false)
		var e *fc.Error
		if !errors.As(err, &e) || e.Code != fc.EntityTooLarge || e.Message != "payload size exceeds maximum allowed size (6291456 bytes)" {
			t.Errorf("an event that is too large: %v", err)
		}
	})
}

// TestFloodsOfOutput writes a hundred thousand lines, on other runtimes of the same language ten thousand, and a line of
// a MiB, in one call: none is lost, none blocks.
func TestFloodsOfOutput(t *testing.T) {
	const long = 1 << 20
	most := []string{"nodejs8", "python3", "java8"}
	eachRuntime(t, "flood", map[string]string{
		"nodejs": `exports.handler = function (event, context, callback) {
  for (let i = 0; i < Number(event); i++) process.stdout.write('line ' + i + '\n');
  process.stdout.write(new Array((1 << 20) + 1).join('y') + '\n');
  callback();
};
`,
		"python": `def handler(event, context):
    for i in range(int(event)):
        print('line %d' % i)
    print('y' * (1 << 20))
`,
		"java": "volume.Flood::handleRequest",
	}, func(t *testing.T, h *house, f function) {
		lines := 10_000
		if slices.Contains(most, f.runtime) {
			lines = 100_000
		}
		a, err := h.invoke(f.service, f.name, []byte(strconv.Itoa(lines)), true)
		if err != nil || a.Header.Get("X-Fc-Error-Type") != "" {
			t.Fatalf("%+v, %v", a, err)
		}
		next, size := 0, 0
		for _, r := range h.log.of(t, a.Header.Get("X-Fc-Request-Id"), 0) {
			switch {
			case r.text == fmt.Sprint("line ", next):
				next++
			case strings.Trim(r.text, "y") == "":
				size += len(r.text)
			case !strings.HasPrefix(r.text, "FC Invoke "):
				t.Fatalf("after %d lines came %.100q", next, r.text)
			}
		}
		if next != lines || size != long {
			t.Errorf("%d lines of %d, a long line of %d bytes of %d", next, lines, size, long)
		}
		tail, err := base64.StdEncoding.DecodeString(a.Header.Get("X-Fc-Log-Result"))
		if err != nil || len(tail) != 4096 || !bytes.HasPrefix(tail, []byte("yyyy")) || !bytes.Contains(tail, []byte("\nFC Invoke End RequestId: ")) {
			t.Errorf("a tail of %d bytes, %v: %.100q", len(tail), err, tail)
		}
	})
}
