package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
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
		return h.metric("fcd_native_instances") == 2 && h.metric("fcd_invoker_waiting_calls") == 0
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

// promises are what a daemon has acknowledged.
type promises struct {
	mu      sync.Mutex
	invoked []string // payloads of asynchronous invocations
	objects []string // keys of objects that a trigger wants
}

func (a *promises) add(list *[]string, s string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*list = append(*list, s)
}

// TestKillUnderLoad ends the daemon without warning, several times, while calls and objects stream in. Everything that
// was acknowledged happens, and nothing is left behind.
func TestKillUnderLoad(t *testing.T) {
	const marker = "86413.97531"
	const rounds = 3
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("invoker: {maxInstancesPerFunction: 4}\nasync: {concurrencyPerFunction: 4}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	configured := func(c *exec.Cmd) { c.Args = append(c.Args, "--config", file) }
	var acked promises
	for round := range rounds {
		p := serve(t, dir, configured)
		if round == 0 {
			furnish(p, marker)
		}
		load(p, round, &acked)
		eventually(t, "no process of the killed daemon is left", func() bool { return len(processes(t, marker)) == 0 })
	}
	if len(acked.invoked) < 10 || len(acked.objects) < 10 {
		t.Fatalf("only %d invocations and %d objects were acknowledged", len(acked.invoked), len(acked.objects))
	}
	t.Logf("%d invocations and %d objects were acknowledged", len(acked.invoked), len(acked.objects))

	p := serve(t, dir, configured)
	kept(p, &acked)
	keptLog(p, &acked)
	if err := p.terminate(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if left := processes(t, marker); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
	if left := cgroupsOf(t, dir); len(left) > 0 {
		t.Errorf("cgroups are left: %q", left)
	}
}

// furnish makes a function that leaves an object for each event it sees, and its trigger.
func furnish(p *process, marker string) {
	p.t.Helper()
	p.makeBucket("load-in")
	p.makeBucket("load-out")
	p.service("load", p.role("AliyunFCDefaultRole"))
	p.python("load/mark", objects+`
subprocess.Popen(['sleep', '`+marker+`'])
def handler(event, context):
    e = json.loads(event)
    name = e['events'][0]['oss']['object']['key'] if 'events' in e else e['name']
    print('mark', name)
    send('PUT', 'load-out', name, context.credentials, context.request_id.encode())
`)
	body := ossTrigger("t", "load-in", p.role("AliyunOSSEventNotificationRole"), "", "")
	body["sourceArn"] = "acs:oss:" + region + ":" + p.e.AccountID + ":load-in"
	p.must("POST", "/services/load/functions/mark/triggers", body)
}

// load sends calls and objects for a while, kills the daemon in the midst of them and notes what it had acknowledged.
func load(p *process, round int, acked *promises) {
	in, err := p.oss().Bucket("load-in")
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	each := func(name string, send func(name string) bool) {
		for worker := range 2 {
			wg.Go(func() {
				tick := time.NewTicker(15 * time.Millisecond)
				defer tick.Stop()
				for i := 0; ; i++ {
					select {
					case <-ctx.Done():
						return
					case <-tick.C:
					}
					if !send(fmt.Sprintf("%s-%d-%d-%d", name, round, worker, i)) {
						return
					}
				}
			})
		}
	}
	each("call", func(name string) bool {
		a, err := p.try(ctx, "POST", invocations("load/mark"), m{"name": name}, async)
		if err == nil && a.status == 202 {
			acked.add(&acked.invoked, name)
		}
		return err == nil
	})
	each("object", func(name string) bool {
		err := in.PutObject(name, strings.NewReader("content of "+name))
		if err == nil {
			acked.add(&acked.objects, name)
		}
		return err == nil
	})
	enough := func() bool {
		acked.mu.Lock()
		defer acked.mu.Unlock()
		return len(acked.invoked) > (round+1)*60 && len(acked.objects) > (round+1)*60
	}
	eventually(p.t, "the load flows", enough)
	p.kill()
	cancel()
	wg.Wait()
}

// kept checks that all that was acknowledged is there, or comes to be.
func kept(p *process, acked *promises) {
	p.t.Helper()
	in, err := p.oss().Bucket("load-in")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, name := range acked.objects {
		if content, ok := get(in, name); !ok || content != "content of "+name {
			p.t.Errorf("object %s holds %q, %v", name, content, ok)
		}
	}
	missing := append(append([]string{}, acked.invoked...), acked.objects...)
	ok := soon(60*time.Second, func() bool {
		there := listing(p, "load-out")
		missing = slices.DeleteFunc(missing, func(name string) bool { return there[name] })
		return len(missing) == 0
	})
	if !ok {
		p.t.Errorf("%d acknowledged events were never handled: %q", len(missing), missing)
	}
}

// keptLog checks that the line of each event stands in the logstore: an invocation is done only when its lines are on
// disk.
func keptLog(p *process, acked *promises) {
	p.t.Helper()
	missing := append(append([]string{}, acked.invoked...), acked.objects...)
	ok := soon(20*time.Second, func() bool {
		there := map[string]bool{}
		for _, line := range p.lines("load/mark") {
			there[line] = true
		}
		missing = slices.DeleteFunc(missing, func(name string) bool { return there["mark "+name] })
		return len(missing) == 0
	})
	if !ok {
		p.t.Errorf("%d handled events left no line: %q", len(missing), missing)
	}
}

// listing is the names of all objects in a bucket.
func listing(p *process, bucket string) map[string]bool {
	p.t.Helper()
	b, err := p.oss().Bucket(bucket)
	if err != nil {
		p.t.Fatal(err)
	}
	all := map[string]bool{}
	token := ""
	for {
		page, err := b.ListObjectsV2(oss.MaxKeys(1000), oss.ContinuationToken(token))
		if err != nil {
			p.t.Fatal(err)
		}
		for _, o := range page.Objects {
			all[o.Key] = true
		}
		if !page.IsTruncated {
			return all
		}
		token = page.NextContinuationToken
	}
}

// TestAsAnOrdinaryUser runs the program as a user without any privilege: it deploys, invokes, handles an object and
// contains functions as the root's one does.
func TestAsAnOrdinaryUser(t *testing.T) {
	const nobody = 65534
	dir := publicDir(t, nobody)
	binary := filepath.Join(filepath.Dir(dir), "fcd")
	copyFile(t, binary, fcd(t))
	asNobody := func(c *exec.Cmd) {
		c.Path, c.Args[0], c.Dir = binary, binary, dir
		c.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir}
		if os.Geteuid() == 0 {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
	}
	p := serve(t, dir, asNobody)
	b := p.makeBucket(bucket)
	p.service("plain", p.role("AliyunFCDefaultRole"))
	p.node("plain/node", nodeEcho)
	if got := p.returns("plain/node", "hello"); got != "hello" {
		t.Errorf("node returned %q", got)
	}
	p.python("plain/mark", objects+`
def handler(event, context):
    key = json.loads(event)['events'][0]['oss']['object']['key']
    send('PUT', 'photos', 'out/' + key, context.credentials, send('GET', 'photos', key, context.credentials))
`)
	body := ossTrigger("t", bucket, p.role("AliyunOSSEventNotificationRole"), "in/", "")
	body["sourceArn"] = "acs:oss:" + region + ":" + p.e.AccountID + ":" + bucket
	p.must("POST", "/services/plain/functions/mark/triggers", body)
	p.put(b, "in/a", "content")
	eventually(t, "the object is handled", func() bool { content, _ := get(b, "out/in/a"); return content == "content" })

	const marker = "86414.86420"
	p.python("plain/slow", "import subprocess, time\ndef handler(event, context):\n    subprocess.Popen(['sleep', '"+marker+"'], start_new_session=True)\n    time.sleep(60)\n", m{"timeout": 1})
	if got := p.invoke("plain/slow", "").field("errorMessage"); got != "Task timed out after 1 seconds" {
		t.Errorf("got %q", got)
	}
	eventually(t, "no process of the call is left", func() bool { return len(processes(t, marker)) == 0 })
	contained(t, p.house, pry(t, p.house, p.role("AliyunFCDefaultRole")))

	p.kill()
	eventually(t, "nothing of the killed daemon is left", func() bool { return len(processes(t, dir)) == 0 && !answers(p.e.API) })
	again := serve(t, dir, asNobody)
	if got := again.returns("plain/node", "after the kill"); got != "after the kill" {
		t.Errorf("after a kill and a restart: %q", got)
	}
	if err := again.terminate(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// answers tells whether somebody listens at the URL.
func answers(url string) bool {
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// publicDir makes a data directory that the user owns, in a folder that everybody can reach.
func publicDir(t *testing.T, uid int) string {
	t.Helper()
	top, err := os.MkdirTemp("/tmp", "fcd-e2e-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	dir := filepath.Join(top, "data")
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestOneDaemonPerDirectory: a second one is refused, with a reason, and does no harm.
func TestOneDaemonPerDirectory(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	before, err := os.ReadFile(filepath.Join(dir, "endpoint.json"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(fcd(t), "serve", "--ports", "any", "--data-dir", dir).CombinedOutput()
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
