package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"fcd/e2e/trap"
)

// firstSites are reached once in the life of a data directory, or of a logstore.
var firstSites = []site{
	{trap.Mkdir, "spool/*"}, {trap.Mkdir, "spool/e*e-logs,functions"}, {trap.Sync, "spool"},
	{trap.Open, "spool/e*e-logs,functions/*.seg"}, {trap.Write, "spool/e*e-logs,functions/*.seg"}, {trap.Sync, "spool/e*e-logs,functions/*.seg"},
	{trap.Open, "spool/e*e-logs,functions/window"}, {trap.Write, "spool/e*e-logs,functions/window"},
	{trap.Open, "spool/e*e-logs,functions/cursor.tmp"}, {trap.Rename, "spool/e*e-logs,functions/cursor"},
	{trap.Write, "localcloud/sls/meta.db-wal"}, {trap.Sync, "localcloud/sls/meta.db-wal"},
	{trap.Mkdir, "localcloud/sls/e*e-logs"}, {trap.Mkdir, "localcloud/sls/e*e-logs/functions"}, {trap.Mkdir, "localcloud/sls/e*e-logs/functions/*"},
	{trap.Open, "localcloud/sls/e*e-logs/functions/*/*.seg"}, {trap.Write, "localcloud/sls/e*e-logs/functions/*/*.seg"},
	{trap.Sync, "localcloud/sls/e*e-logs/functions/*"}, {trap.Sync, "localcloud/sls/e*e-logs/functions/*/*.seg"},
	{trap.Open, "hosts"}, {trap.Write, "hosts"}, {trap.Truncate, "hosts"},
	{trap.Mkdir, "packages/zip/*"}, {trap.Rename, "packages/zip/*/*"}, {trap.Rename, "packages/dir/*"},
}

// TestDiskThatFailsAtTheFirstTimeOfEachSite lets the first use of a site fail, on a new data directory. Afterwards there is nothing
// that cannot be made again: a function answers, and its lines are in the logstore.
func TestDiskThatFailsAtTheFirstTimeOfEachSite(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("answering a daemon's system calls needs root")
	}
	sites, kinds, tried, met := firstSites, slices.Concat(kindsOfFault, kindsOfEnd), 0, 0
	if !faultsLong() {
		sites = []site{{trap.Open, "spool/e*e-logs,functions/*.seg"}, {trap.Write, "spool/e*e-logs,functions/*.seg"}}
		kinds = []kindOfFault{kindsOfFault[0], kindsOfEnd[1], kindsOfEnd[2]}
	}
	for _, kind := range kinds {
		for _, at := range kind.reachable(sites) {
			tried++
			f := newFault(filepath.Join(t.TempDir(), "data"))
			p := f.daemon(t, someInstants)
			f.arm(at, kind)
			soon(sitePatience, func() bool {
				p.sayHello("during")
				return f.hasHit() || p.ended()
			})
			if f.release() {
				met++
			}
			eventually(t, fmt.Sprintf("all is well after %s at %s", kind.name, at), func() bool {
				if p.ended() {
					p = f.daemon(t, someInstants)
				}
				return p.sayHello("after") && slices.Contains(p.linesIfAny("svc/f"), "hello after")
			})
			p.kill()
			if out, err := exec.Command(fcd(t), "store", "check", "--data-dir", f.dir).CombinedOutput(); err != nil {
				t.Errorf("after %s at %s, store check: %v\n%s", kind.name, at, err, out)
			}
		}
	}
	fmt.Printf("crash: %d faults at what is done once: %d were met, and all was well afterwards\n", tried, met)
	if met == 0 {
		t.Error("no fault was met")
	}
}

// sayHello makes a function, where there is none, and calls it; false if something of that was refused.
func (p *process) sayHello(to string) bool {
	ctx := p.t.Context()
	log := m{"project": project, "logstore": logstore}
	if a, err := p.try(ctx, "POST", "/services", m{"serviceName": "svc", "logConfig": log}); err != nil || a.status != 200 && a.status != 409 {
		return false
	}
	zip := zipOf(p.t, map[string]string{"index.py": "def handler(event, context):\n    print('hello', event.decode())\n"})
	body := m{"functionName": "f", "runtime": "python3", "handler": "index.handler", "code": m{"zipFile": zip}}
	if a, err := p.try(ctx, "POST", "/services/svc/functions", body); err != nil || a.status != 200 && a.status != 409 {
		return false
	}
	a, err := p.try(ctx, "POST", invocations("svc/f"), to)
	return err == nil && a.status == 200 && a.errorType() == ""
}

// linesIfAny are the lines of a function; none while the logstore is not there.
func (h *house) linesIfAny(ref string) []string {
	if _, err := h.sls().ListShards(project, logstore); err != nil {
		return nil
	}
	return h.lines(ref)
}
