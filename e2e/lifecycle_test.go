package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/config"
)

// objects lets a Python function read and write objects with its own keys, by the first version of the signature.
const objects = `
import base64, email.utils, hashlib, hmac, json, os, subprocess, time, urllib.error, urllib.request

def send(method, bucket, key, c, body=None):
    date = email.utils.formatdate(usegmt=True)
    kind = 'text/plain' if body is not None else ''
    text = '%s\n\n%s\n%s\nx-oss-security-token:%s\n/%s/%s' % (method, kind, date, c.security_token, bucket, key)
    mac = base64.b64encode(hmac.new(c.access_key_secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    headers = {'Date': date, 'x-oss-security-token': c.security_token, 'Authorization': 'OSS %s:%s' % (c.access_key_id, mac)}
    if kind:
        headers['Content-Type'] = kind
    url = os.environ['FCD_OSS_ENDPOINT'] + '/' + bucket + '/' + key
    return urllib.request.urlopen(urllib.request.Request(url, data=body, method=method, headers=headers), timeout=10).read()

def exists(bucket, key, c):
    try:
        send('GET', bucket, key, c)
        return True
    except urllib.error.HTTPError as e:
        if e.code != 404:
            raise
        return False
`

// TestGracefulStop lets a running call end, refuses new ones, and leaves what is queued for the next start, uncounted.
func TestGracefulStop(t *testing.T) {
	dir := t.TempDir()
	short := func(c *config.Config) { c.Shutdown.Drain = 3 * time.Second }
	h := bootIn(t, dir, short)
	b := h.makeBucket(bucket)
	h.service("svc", functionRole)
	h.python("svc/sync", "import time\ndef handler(event, context):\n    time.sleep(1.5)\n    return 'finished'\n")
	h.python("svc/async", objects+`
def handler(event, context):
    print('attempt after', context.retry_count, 'retries')
    if exists('photos', 'go', context.credentials):
        send('PUT', 'photos', 'done', context.credentials, b'x')
        return
    send('PUT', 'photos', 'begun', context.credentials, b'x')
    time.sleep(50)
`, m{"timeout": 60})
	queued := h.invoke("svc/async", "", async).requestID()
	eventually(t, "the queued call has begun", func() bool { _, ok := get(b, "begun"); return ok })
	h.put(b, "go", "x")
	running := make(chan answer)
	go func() { running <- h.invoke("svc/sync", "") }()
	eventually(t, "both calls run", func() bool {
		return h.metric("fcd_invoker_instances") == 2 && h.metric("fcd_invoker_waiting_calls") == 0
	})

	stopped := make(chan error)
	go func() { stopped <- h.stop() }()
	if a := <-running; a.body != "finished" {
		t.Errorf("the running call: %d %s", a.status, a.body)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := h.try(t.Context(), "GET", "/services", nil); err == nil {
		t.Error("a stopped daemon answers")
	}
	if _, err := os.Stat(filepath.Join(dir, "endpoint.json")); !os.IsNotExist(err) {
		t.Errorf("endpoint.json after the stop: %v", err)
	}
	if left := cgroupsOf(t, dir); len(left) > 0 {
		t.Errorf("cgroups after the stop: %q", left)
	}

	again := bootIn(t, dir, short)
	c, err := again.oss().Bucket(bucket)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queued call has run", func() bool { _, ok := get(c, "done"); return ok })
	again.logged("svc/async", "FC Invoke End RequestId: "+queued)
	attempts := 0
	for _, r := range again.records("svc/async") {
		if strings.Contains(r["message"], "attempt after") && r["requestId"] == queued {
			attempts++
			if !strings.HasSuffix(r["message"], "attempt after 0 retries") {
				t.Errorf("line %q: the attempt that the stop cut was counted", r["message"])
			}
		}
	}
	if attempts != 2 {
		t.Errorf("%d attempts were logged, want the one that was cut and the one after the restart", attempts)
	}
}

// TestRestartKeepsEverything compares what a daemon answers before and after.
func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	state := func(h *house) (all []string) {
		for _, path := range []string{"/services", "/services/svc", "/services/svc/functions/f", "/services/svc/functions/f/triggers",
			"/services/svc/functions/f/triggers/t"} {
			a := h.must("GET", path, nil)
			all = append(all, a.header.Get("ETag")+" "+a.body)
		}
		b, err := h.oss().Bucket(bucket)
		if err != nil {
			t.Fatal(err)
		}
		content, _ := get(b, "in/a")
		return append(append(all, content, h.returns("svc/f", "x")), h.lines("svc/f")[0])
	}
	h := bootIn(t, dir)
	b := h.makeBucket(bucket)
	h.service("svc", functionRole)
	h.python("svc/f", "def handler(event, context):\n    print('ran')\n    return event\n")
	h.must("POST", "/services/svc/functions/f/triggers", ossTrigger("t", bucket, ossRole, "in/", ""))
	h.put(b, "in/a", "content")
	h.logged("svc/f", "ran", "FC Invoke End")
	before := state(h)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	again := bootIn(t, dir)
	if diff := cmp.Diff(before, state(again)); diff != "" {
		t.Errorf("after the restart (- before, + after):\n%s", diff)
	}
	c, err := again.oss().Bucket(bucket)
	if err != nil {
		t.Fatal(err)
	}
	again.put(c, "in/b", "x")
	eventually(t, "the trigger works after the restart", func() bool {
		return again.metric("fcd_async_attempts_total", "outcome", "succeeded") == 1
	})
}

// TestTheSecondSignalStopsAtOnce although a call runs that would take a minute.
func TestTheSecondSignalStopsAtOnce(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	p.service("svc", p.role("AliyunFCDefaultRole"))
	b := p.makeBucket(bucket)
	p.python("svc/f", objects+`
def handler(event, context):
    send('PUT', 'photos', 'begun-' + event.decode(), context.credentials, b'x')
    time.sleep(50)
`, m{"timeout": 60})
	id := p.invoke("svc/f", "async", async).requestID()
	cut := make(chan answer)
	go func() {
		a, _ := p.try(context.Background(), "POST", invocations("svc/f"), "sync") // it is cut: an error or a refusal, both are right
		cut <- a
	}()
	for _, key := range []string{"begun-async", "begun-sync"} {
		eventually(t, key, func() bool { _, ok := get(b, key); return ok })
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the daemon takes no more requests", func() bool {
		_, err := p.try(t.Context(), "GET", "/services", nil)
		return err != nil
	})
	begin := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.wait(20 * time.Second); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if a := <-cut; a.status == 200 && a.errorType() == "" {
		t.Errorf("the cut call returned %q", a.body)
	}
	if left := cgroupsOf(t, dir); len(left) > 0 {
		t.Errorf("cgroups after the stop: %q", left)
	}
	got, err := openStore(t, dir).Find(t.Context(), id)
	if err != nil || got.State != "queued" && got.State != "running" || got.Msg.Attempt != 0 {
		t.Errorf("the queued call: %+v, error %v", got, err)
	}
}

// role names a role of the process's account, which it made up itself.
func (p *process) role(name string) string { return "acs:ram::" + p.e.AccountID + ":role/" + name }

// TestOneDaemonPerDirectory: a second one is refused, with a reason, and does no harm.
func TestOneDaemonPerDirectory(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	before, err := os.ReadFile(filepath.Join(dir, "endpoint.json"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := serveCommand(t, dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), dir) {
		t.Errorf("the second one: %v\n%s", err, out)
	}
	after, err := os.ReadFile(filepath.Join(dir, "endpoint.json"))
	if err != nil || string(after) != string(before) {
		t.Errorf("endpoint.json changed from %s to %s, error %v", before, after, err)
	}
	p.service("svc", "")
}

// TestConsole: health, readiness and metrics on the admin address.
func TestConsole(t *testing.T) {
	h := boot(t)
	h.service("svc", "")
	h.python("svc/f", pyEcho)
	h.returns("svc/f", "x")
	for path, want := range map[string]string{"/healthz": "", "/readyz": "", "/metrics": "fcd_invoker_invocations_total{"} {
		res, err := h.http.Get(h.e.Admin + path)
		if err != nil {
			t.Fatal(err)
		}
		body := readAll(t, res)
		if res.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
		for _, secret := range []string{h.e.AccessKeySecret, "STS."} {
			if strings.Contains(body, secret) {
				t.Errorf("%s shows a key", path)
			}
		}
	}
	var e map[string]string
	b, err := os.ReadFile(filepath.Join(h.dir, "endpoint.json"))
	if err != nil || json.Unmarshal(b, &e) != nil {
		t.Fatalf("endpoint.json: %v %s", err, b)
	}
	want := map[string]string{"accountId": account, "region": region, "accessKeyId": rootKey, "accessKeySecret": rootPass,
		"api": h.e.API, "oss": h.e.OSS, "sls": h.e.SLS, "admin": h.e.Admin}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("endpoint.json (- want, + got):\n%s", diff)
	}
}

// TestAMovedDataDirectoryFindsItsEarlierLife kills a daemon with a function that would run on, and moves its directory: the
// next life has cgroups of another name, and ends the function all the same.
func TestAMovedDataDirectoryFindsItsEarlierLife(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user's functions die with the daemon where cgroups cannot be written")
	}
	dir := filepath.Join(t.TempDir(), "data")
	p := serve(t, dir)
	marker := fmt.Sprintf("86415.%d", os.Getpid())
	p.service("svc", p.role("AliyunFCDefaultRole"))
	p.python("svc/f", "import subprocess\ndef handler(event, context):\n    subprocess.Popen(['sleep', '"+marker+"'])\n    while True: pass\n", m{"timeout": 60})
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		p.try(context.Background(), "POST", invocations("svc/f"), "") // the kill cuts it
	}()
	runs := func() bool { return len(processes(t, marker)) > 0 }
	eventually(t, "the function runs", runs)
	p.kill()
	<-cut
	if !runs() {
		t.Fatal("the function died with the daemon: there is nothing to find")
	}
	moved := dir + "-moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	serve(t, moved)
	if runs() {
		t.Errorf("processes are left: %q", processes(t, marker))
	}
	if left := cgroupsOf(t, dir); len(left) > 0 {
		t.Errorf("cgroups of the earlier life are left: %q", left)
	}
}
