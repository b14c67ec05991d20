package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

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
