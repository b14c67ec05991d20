package e2e

import (
	"fmt"
	"testing"

	"fcd/e2e/trap"
)

// endsLookedAt are the ways to be killed at one change after the other, where right before one is right behind another.
func endsLookedAt() []kindOfFault {
	if faultsLong() {
		return kindsOfEnd[1:]
	}
	return kindsOfEnd[1:2]
}

// someEnds are where the short form kills: between what makes a commit, an object, a package and a log line durable.
var someEnds = []struct {
	site
	kind int
}{
	{site{trap.Write, "store/store.db-wal"}, 2},
	{site{trap.Sync, "store/store.db-wal"}, 1},
	{site{trap.Write, "localcloud/oss/data/*/*"}, 2},
	{site{trap.Rename, "packages/zip/*/*"}, 1},
	{site{trap.Write, "spool/e*e-logs,functions/*.seg"}, 2},
	{site{trap.Write, "spool/e*e-logs,functions/window"}, 1},
	{site{trap.Rename, "spool/e*e-logs,functions/cursor"}, 0},
	{site{trap.Write, "localcloud/sls/e*e-logs/functions/*/*.seg"}, 2},
}

// TestKilledAtEachSite ends a daemon under load right before, right behind and in the midst of one change of its disk
// after the other, so that each two steps that must both be done are once cut apart. Then it kills starts, each at one of
// its changes: what mends the disk is cut too. Everything that was taken must be there.
func TestKilledAtEachSite(t *testing.T) {
	r := newSiteRun(t, everyInstant)
	r.whole = true
	if faultsLong() {
		r.all(kindsOfEnd)
	} else {
		for _, s := range someEnds {
			r.try(s.site, kindsOfEnd[s.kind])
		}
	}
	fmt.Printf("crash: %d kills, each at a site of its own or another side of it: %d were met\n", r.tried, r.reached)
	r.p.kill()
	step, kills := 1, 0
	if !faultsLong() {
		step = 17
	}
	for _, kind := range kindsOfEnd[1:] {
		for n := 1; ; n += step {
			if _, met, _ := startFailingAt(t, r.dir, n, kind, configured(t, r.instants)); !met {
				break
			}
			kills++
		}
	}
	fmt.Printf("crash: %d starts behind a kill, each killed at another of its changes\n", kills)
	r.end("killed at sites")
}
