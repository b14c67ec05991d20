package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestOddOutput: whatever a function prints reaches the logstore, and its bytes break nothing.
func TestOddOutput(t *testing.T) {
	h := boot(t)
	h.service("odd", "")
	h.python("odd/f", `
import os, subprocess, sys
def handler(event, context):
    os.write(1, b'invalid \xff\xfe utf-8\n')
    os.write(1, b'a \x00 zero and \x1b[31m colour\n')
    os.write(2, b'to stderr\n')
    os.write(1, b'x' * 100000 + b'\n')
    os.write(1, b'\n\n')
    subprocess.run(['sh', '-c', 'echo from a child'])
    print('漢' * 3000)
    os.write(1, b'no newline at the end')
    return 'ok'
`)
	a := h.invoke("odd/f", "", tail)
	if a.body != "ok" || !strings.Contains(a.tail(), "no newline at the end\n") || len(a.tail()) > 4096 || strings.ContainsRune(a.tail(), '\uFFFD') {
		t.Errorf("%d %q, tail %q", a.status, a.body, a.tail())
	}
	h.logged("odd/f", "to stderr", "from a child", "no newline at the end", "utf-8", " zero and ", "漢漢漢", "FC Invoke End")
	x, kanji := 0, 0
	for _, r := range h.records("odd/f") {
		x += strings.Count(r["message"], "x") - strings.Count(r["message"], "xff")
		kanji += strings.Count(r["message"], "漢")
		if r["requestId"] != a.requestID() {
			t.Errorf("record %v is not of the request", r)
		}
	}
	if x < 100000 || kanji != 3000 {
		t.Errorf("of a long line %d bytes arrived, of a wide one %d signs", x, kanji)
	}
	if got := h.returns("odd/f", ""); got != "ok" {
		t.Errorf("the second call returned %q", got)
	}
}

// TestOddKeys: objects with every kind of name come to the function with that name.
func TestOddKeys(t *testing.T) {
	h := boot(t)
	b := h.makeBucket(bucket)
	h.service("odd", functionRole)
	h.python("odd/f", "import json\ndef handler(event, context):\n    print('key', json.dumps(json.loads(event)['events'][0]['oss']['object']['key']))\n")
	h.must("POST", "/services/odd/functions/f/triggers", ossTrigger("t", bucket, ossRole, "", ""))
	keys := []string{"a//b", "a/../b", "../up", "percent%2F", "plus+plus", "emoji-😀", "new\nline", `quote"and\back`, "?query=1&x", "#hash",
		" blank ", strings.Repeat("k", 1023), "dir/"}
	for _, k := range keys {
		if err := b.PutObject(k, strings.NewReader(k)); err != nil {
			t.Errorf("put %q: %v", k, err)
		}
		if content, ok := get(b, k); !ok || content != k {
			t.Errorf("get %q: %q, %v", k, content, ok)
		}
	}
	seen := map[string]bool{}
	arrived := soon(20e9, func() bool {
		for _, l := range h.lines("odd/f") {
			var k string
			if _, text, ok := strings.Cut(l, "key "); ok && json.Unmarshal([]byte(text), &k) == nil {
				seen[k] = true
			}
		}
		return len(seen) == len(keys)
	})
	for _, k := range keys {
		if !seen[k] {
			t.Errorf("no function saw %q", k)
		}
	}
	if !arrived && len(seen) > len(keys) {
		t.Errorf("more keys than objects: %v", seen)
	}
}

// TestChangesOfAService: a warm instance does not outlive the role and the logstore that it was started with.
func TestChangesOfAService(t *testing.T) {
	h := boot(t)
	h.service("svc", functionRole)
	h.python("svc/f", "def handler(event, context):\n    print('printed', event.decode())\n    return context.credentials.access_key_id\n")
	if got := h.returns("svc/f", "before"); !strings.HasPrefix(got, "STS.") {
		t.Errorf("with a role: %q", got)
	}
	h.logged("svc/f", "printed before")
	h.must("PUT", "/services/svc", m{"role": ""})
	if got := h.returns("svc/f", "between"); got != "" {
		t.Errorf("without a role: %q", got)
	}
	h.must("PUT", "/services/svc", m{"role": functionRole, "logConfig": m{"project": project, "logstore": "elsewhere"}})
	if got := h.returns("svc/f", "after"); !strings.HasPrefix(got, "STS.") {
		t.Errorf("with a role again: %q", got)
	}
	h.logged("svc/f", "printed between")
	c := h.sls()
	eventually(t, "the line stands in the other logstore", func() bool {
		cursor, err := c.GetCursor(project, "elsewhere", 0, "begin")
		if err != nil {
			return false
		}
		groups, _, err := c.PullLogs(project, "elsewhere", 0, cursor, "", 100)
		return err == nil && strings.Contains(fmt.Sprint(groups), "printed after")
	})
	if slices.Contains(h.lines("svc/f"), "printed after") {
		t.Error("the line stands in the old logstore")
	}
}

// TestRecreated: what is deleted and made anew under the same name is the new one, for calls and for events.
func TestRecreated(t *testing.T) {
	h := boot(t)
	b := h.makeBucket(bucket)
	h.service("svc", functionRole)
	for round := range 3 {
		h.python("svc/f", fmt.Sprintf("def handler(event, context):\n    print('round %d', len(event))\n    return '%d'\n", round, round))
		if got := h.returns("svc/f", ""); got != fmt.Sprint(round) {
			t.Errorf("round %d: %q", round, got)
		}
		h.must("POST", "/services/svc/functions/f/triggers", ossTrigger("t", bucket, ossRole, "", ""))
		ran := func() float64 { return h.metric("fcd_async_attempts_total", "outcome", "succeeded") }
		want := ran() + 1
		h.put(b, "k", "x")
		eventually(t, "the event is handled", func() bool { return ran() == want })
		h.must("DELETE", "/services/svc/functions/f/triggers/t", nil)
		h.must("DELETE", "/services/svc/functions/f", nil)
		if a := h.invoke("svc/f", ""); a.status != 404 || a.code() != "FunctionNotFound" {
			t.Errorf("round %d, deleted: %d %s", round, a.status, a.body)
		}
	}
	h.logged("svc/f", "round 0", "round 1", "round 2")
}
