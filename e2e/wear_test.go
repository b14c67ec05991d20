package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fcd/cmd/fcd/daemon"
	"fcd/config"
	"fcd/ram"
)

// TestExpiredKeys makes keys as the daemon's own issuer does, with its master key, but two hours ago.
func TestExpiredKeys(t *testing.T) {
	h := boot(t)
	h.makeBucket(bucket)
	h.service("svc", functionRole)
	h.python("svc/f", pyEcho)
	master, err := ram.LoadMaster(filepath.Join(h.dir, "master.key"))
	must(t, err)
	for age, want := range map[time.Duration]int{0: 200, 26 * time.Hour: 403} {
		issuer, err := ram.New(ram.Options{Account: account, Master: master,
			Roles: []ram.Role{{Name: "AliyunFCDefaultRole", Trust: trusting("fc.aliyuncs.com").Document}},
			Clock: func() time.Time { return time.Now().Add(-age) }})
		must(t, err)
		keys, err := issuer.Credentials(t.Context(), functionRole, "test")
		must(t, err)
		a := h.invoke("svc/f", "", as(keys.AccessKeyID, keys.AccessKeySecret, keys.SecurityToken))
		if a.status != want || want == 403 && a.code() != "AccessDenied" {
			t.Errorf("keys of an age of %v: %d %s", age, a.status, a.body)
		}
		_, err = h.oss(keys).ListBuckets()
		if ossDenied(err) != (want == 403) || want == 200 && err != nil {
			t.Errorf("keys of an age of %v at OSS: %v", age, err)
		}
		_, err = h.sls(keys).ListProject()
		if slsDenied(err) != (want == 403) || want == 200 && err != nil {
			t.Errorf("keys of an age of %v at the Log Service: %v", age, err)
		}
	}
}

// TestACallerThatGoesAway takes nothing with it: its call ends, the function goes on serving others.
func TestACallerThatGoesAway(t *testing.T) {
	h := boot(t)
	b := h.makeBucket(bucket)
	h.service("svc", functionRole)
	h.python("svc/f", objects+`
def handler(event, context):
    if event == b'slow':
        send('PUT', 'photos', 'begun', context.credentials, b'x')
        time.sleep(2)
    return 'ok'
`)
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := h.try(ctx, "POST", invocations("svc/f"), "slow")
		gone <- err
	}()
	eventually(t, "the call has begun", func() bool { _, ok := get(b, "begun"); return ok })
	leave()
	if err := <-gone; err == nil {
		t.Error("the caller did not go away")
	}
	if got := h.returns("svc/f", "quick"); got != "ok" {
		t.Errorf("the next caller got %q", got)
	}
	h.logged("svc/f", "FC Invoke End")
}

// TestAFunctionThatIsDeletedWithQueuedCalls leaves dead letters, not calls that are tried for ever.
func TestAFunctionThatIsDeletedWithQueuedCalls(t *testing.T) {
	h := furnished(t)
	h.python("svc/g", "import time\ndef handler(event, context):\n    time.sleep(0.5)\n")
	for range 40 {
		if a := h.invoke("svc/g", "", async); a.status != 202 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	h.must("DELETE", "/services/svc/functions/g", nil)
	ended := func() float64 {
		return h.metric("fcd_async_attempts_total", "outcome", "dead") + h.metric("fcd_async_attempts_total", "outcome", "succeeded")
	}
	eventually(t, "each call has ended", func() bool { return ended() == 40 })
	if dead := h.metric("fcd_async_attempts_total", "outcome", "dead"); dead == 0 {
		t.Error("none of them is a dead letter")
	}
	eventually(t, "its instances are gone", func() bool { return h.metric("fcd_invoker_instances") == 0 })
}

// TestAwkwardFolders serves from data directories whose names are long, or hold what shells and parsers stumble over.
func TestAwkwardFolders(t *testing.T) {
	for _, name := range []string{"with blanks, 'quotes' and ü", strings.Repeat("long/", 30), "colon:comma,equals=percent%41?a#b"} {
		h := bootIn(t, filepath.Join(t.TempDir(), name))
		b := h.makeBucket(bucket)
		h.put(b, "a", "content")
		h.service("svc", functionRole)
		h.python("svc/f", objects+"def handler(event, context):\n    print('seen')\n    return send('GET', 'photos', 'a', context.credentials)\n")
		if got := h.returns("svc/f", ""); got != "content" {
			t.Errorf("%s: %q", name, got)
		}
		h.logged("svc/f", "seen")
		if err := h.stop(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNothingIsLeftOpen counts descriptors, children and cgroups over the lives of several daemons.
func TestNothingIsLeftOpen(t *testing.T) {
	life := func() {
		h := boot(t)
		h.service("svc", functionRole)
		h.python("svc/f", "import subprocess\ndef handler(event, context):\n    subprocess.Popen(['sleep', '86415.11111'])\n    return event\n")
		h.returns("svc/f", "x")
		h.invoke("svc/f", "x", async)
		h.logged("svc/f", "FC Invoke End")
		h.http.CloseIdleConnections()
		must(t, h.stop())
		if left := cgroupsOf(t, h.dir); len(left) > 0 {
			t.Errorf("cgroups are left: %q", left)
		}
	}
	life() // opens what stays open once, like the poller's descriptors
	before := descriptors(t)
	for range 3 {
		life()
	}
	if !soon(5*time.Second, func() bool { return len(descriptors(t)) <= len(before)+3 }) { // the kernel's and the clients' own
		t.Errorf("descriptors before %v, after %v", before, descriptors(t))
	}
	if left := processes(t, "86415.11111"); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
}

// descriptors are what this process has open.
func descriptors(t *testing.T) (all []string) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, e := range list {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil {
			all = append(all, e.Name()+" "+to)
		}
	}
	return all
}

// TestManyFunctionsAtOnce deploys and calls a crowd of functions whose instances do not fit beside each other.
func TestManyFunctionsAtOnce(t *testing.T) {
	h := boot(t, func(c *config.Config) { c.Invoker.MaxInstances, c.Invoker.QueueWait = 6, time.Minute })
	h.service("many", "")
	const functions = 15
	for i := range functions {
		h.python(fmt.Sprintf("many/f%d", i), fmt.Sprintf("def handler(event, context):\n    return '%d'\n", i))
	}
	got := together(functions*4, func(i int) answer {
		a := h.invoke(fmt.Sprintf("many/f%d", i%functions), "")
		if a.status == 200 && a.body != fmt.Sprint(i%functions) {
			t.Errorf("function %d answered %q", i%functions, a.body)
		}
		return a
	})
	if got["200 "] != functions*4 {
		t.Errorf("outcomes %v", got)
	}
	if n := h.metric("fcd_invoker_instances"); n > 6 {
		t.Errorf("%v instances, the bound is 6", n)
	}
}

// TestEndpointFileIsWhole: whoever finds endpoint.json finds all of it.
func TestEndpointFileIsWhole(t *testing.T) {
	h := boot(t)
	e, err := daemon.ReadEndpoint(h.dir)
	must(t, err)
	want, err := json.Marshal(h.e)
	must(t, err)
	got, err := json.Marshal(e)
	if err != nil || string(got) != string(want) {
		t.Errorf("read %s, want %s, error %v", got, want, err)
	}
}
