package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestBackupUnderLoad makes backups, one after the other, of a daemon that several clients load, and goes on with the last
// of them elsewhere. Whatever was acknowledged before that backup began is there: done, a dead letter, or still to be run,
// which it then is. The daemon itself loses nothing by being read.
func TestBackupUnderLoad(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	p := daemonOn(t, dir)
	p.service("svc", "")
	p.python("svc/f", `
import random, time
def handler(event, context):
    time.sleep(random.random() / 20)
    if random.random() < 0.2:
        raise Exception('not this time')
`)
	var mu sync.Mutex // guards taken
	var taken []string
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for worker := range 3 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprintf("call-%d-%d", worker, i)
				a, err := p.try(ctx, "POST", invocations("svc/f"), "x", async, header("X-Fc-Stateful-Async-Invocation-Id", name))
				if err == nil && a.status == http.StatusAccepted {
					mu.Lock()
					taken = append(taken, name)
					mu.Unlock()
				}
			}
		})
	}
	acknowledged := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return taken[:len(taken):len(taken)]
	}
	var before []string
	file := ""
	for n := range 4 {
		eventually(t, "more is accepted", func() bool { return len(acknowledged()) >= 60*(n+1) })
		before, file = acknowledged(), filepath.Join(work, fmt.Sprint(n))
		if out, err := exec.Command(fcd(t), "backup", file, "--data-dir", dir).CombinedOutput(); err != nil {
			t.Fatalf("backup: %v\n%s", err, out)
		}
	}
	cancel()
	wg.Wait()
	to := filepath.Join(work, "restored")
	if out, err := exec.Command(fcd(t), "restore", file, "--data-dir", to).CombinedOutput(); err != nil {
		t.Fatalf("restore: %v\n%s", err, out)
	}
	restored := daemonOn(t, to)
	waiting := restored.gauge("fcd_sqlite_queue_messages")
	for name, x := range map[string]struct {
		p     *process
		taken []string
	}{"backed up": {p, acknowledged()}, "restored": {restored, before}} {
		eventually(t, "nothing is queued any more", func() bool { return x.p.gauge("fcd_sqlite_queue_messages") == 0 })
		c := counts{accepted: len(x.taken)}
		for _, id := range x.taken {
			a := x.p.do("GET", "/services/svc/functions/f/stateful-async-invocations/"+id, nil)
			switch {
			case a.status != http.StatusOK:
				t.Errorf("%s, %s: %d %s", name, id, a.status, a.body)
				c.lost++
			case a.field("status") == "Succeeded":
				c.completed++
			case a.field("status") == "Failed":
				c.dead++
			default:
				t.Errorf("%s, %s: %s", name, id, a.body)
				c.lost++
			}
			if n, ok := a.object(t)["alreadyRetriedTimes"].(float64); ok {
				c.retried += int(n)
			}
		}
		fmt.Println(report(name, c))
	}
	if waiting <= 0 {
		t.Log("nothing waited in the backup")
	}
	out, err := exec.Command(fcd(t), "store", "check", "--data-dir", to).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("store check: %v\n%s", err, out)
	}
}
