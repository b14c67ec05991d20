package conformance

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// wearing are functions that do, by their event, all that may leave something behind: children, files, open pipes.
var wearing = map[string]string{
	"nodejs": `'use strict';
const child = require('child_process');
const fs = require('fs');
exports.handler = function (event, context, callback) {
  const way = String(event);
  if (way !== 'ok') {
    child.spawn(process.execPath, ['-e', 'setInterval(function () {}, 1000)'], { stdio: 'inherit', detached: true });
    fs.writeFileSync('/tmp/' + context.requestId, Buffer.alloc(1 << 20));
  }
  if (way === 'exit') process.exit(1);
  if (way === 'thrown') throw new Error('thrown');
  if (way !== 'never') callback(null, way);
};
`,
	"python": `import os
import subprocess
import sys
import time


def handler(event, context):
    if event != b'ok':
        subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])
        with open('/tmp/' + context.request_id, 'wb') as f:
            f.write(b'x' * (1 << 20))
    if event in (b'exit', b'thrown'):
        os._exit(1)
    if event == b'never':
        time.sleep(1000)
    return event
`,
	"java": "wear.Wear::handleRequest",
}

// TestNothingIsLeftBehind calls functions, ends many of them by a timeout, an exit or an uncaught error with children
// running and files written, and looks afterwards for what was not there before. FCD_LEAK=long does ten times as much.
func TestNothingIsLeftBehind(t *testing.T) {
	calls, kills := 1000, 50
	if os.Getenv("FCD_LEAK") == "long" {
		calls, kills = 10_000, 500
	}
	h := shared.get(t)
	t.Setenv("TMPDIR", t.TempDir())
	waiting := h.wear(t, 12, 6) // opens what stays open once
	var before map[string][]string
	var ready int
	if !soon(func() bool {
		ready = h.waiting(t)
		before = h.traces(t)
		return ready >= waiting && len(before["process"]) == ready // interpreters that wait for functions, one of each kind
	}) {
		t.Fatalf("processes are left, %d of which wait for functions: %q", ready, before["process"])
	}
	h.wear(t, calls, kills)
	var more string
	if !soon(func() bool { more = beyond(before, h.traces(t)); return more == "" }) {
		t.Errorf("left behind:\n%s", more)
	}
}

// soon asks until so is true or patience is at its end.
func soon(so func() bool) bool {
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-end.C:
			return false
		case <-tick.C:
		}
	}
	return true
}

// waiting is the number of generic instances that wait to be claimed.
func (h *house) waiting(t *testing.T) (n int) {
	t.Helper()
	families, err := h.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "fcd_invoker_pool_instances" {
			for _, m := range f.GetMetric() {
				n += int(m.GetGauge().GetValue())
			}
		}
	}
	return n
}

// wear makes calls that succeed and kills on functions of all ready runtimes at once, deletes the functions and tells of
// how many runtimes interpreters wait for functions.
func (h *house) wear(t *testing.T, calls, kills int) (waiting int) {
	t.Helper()
	var fns, short []function // short ones are for calls that never end
	for _, l := range languages {
		for _, runtime := range l.runtimes {
			if !h.status[runtime].Ready {
				continue
			}
			f := function{service: plain, name: "wear-" + strings.ReplaceAll(runtime, ".", "_"), runtime: runtime, handler: "index.handler"}
			switch l.name {
			case "nodejs":
				f.code = zipFiles(t, map[string]string{"index.js": wearing[l.name]})
			case "python":
				f.code = zipFiles(t, map[string]string{"index.py": wearing[l.name]})
			case "java":
				f.handler, f.code = wearing[l.name], zipOf(t, javaClasses(t))
			}
			if l.name != "java" {
				waiting++
			}
			h.deploy(t, f)
			fns = append(fns, f)
			f.name, f.timeout = f.name+"-short", 2
			h.deploy(t, f)
			short = append(short, f)
		}
	}
	var g errgroup.Group
	g.SetLimit(6)
	var mu sync.Mutex
	ends := map[string]int{}
	for i := range calls + kills {
		event, f := "ok", fns[i%len(fns)]
		if n := i * kills / (calls + kills); (i+1)*kills/(calls+kills) > n { // spread evenly, over the functions too
			event, f = []string{"exit", "never", "thrown"}[(n+n/len(fns))%3], fns[n%len(fns)]
			if event == "never" {
				f = short[n%len(fns)]
			}
		}
		g.Go(func() error {
			a, err := h.invoke(f.service, f.name, []byte(event), false)
			if err != nil {
				return err
			}
			failed := a.Header.Get("X-Fc-Error-Type") != ""
			if failed != (event != "ok") {
				return fmt.Errorf("%s of %s: %s", event, f.name, a.Body)
			}
			mu.Lock()
			defer mu.Unlock()
			ends[event+" of "+f.runtime]++
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("calls by event: %v", ends)
	for _, f := range append(fns, short...) {
		h.remove(t, f)
	}
	h.api.HTTP.CloseIdleConnections()
	return waiting
}

// traces are what the machine shows of the daemon, as sets by kind.
func (h *house) traces(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range fds { // the kinds of what is open, since numbers and inodes change
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil {
			kind, _, _ := strings.Cut(to, ":")
			kind, _, _ = strings.Cut(kind, "/inst-") // a name is used once
			all["descriptor"] = append(all["descriptor"], strings.TrimPrefix(kind, h.dir))
		}
	}
	all["process"] = children(t, os.Getpid())
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if where := strings.Fields(line)[4]; !strings.HasPrefix(where, "/tmp/Test") { // of other packages' tests
			all["mount"] = append(all["mount"], where)
		}
	}
	sum := sha256.Sum256([]byte(h.dir)) // a driver's cgroups are named by the data directory
	for _, mine := range find("/sys/fs/cgroup", "fcd-"+hex.EncodeToString(sum[:8])) {
		for _, inst := range find(mine, "inst-") {
			all["cgroup"] = append(all["cgroup"], filepath.Join(filepath.Dir(inst), "inst"))
		}
	}
	all["file"] = append(find(os.Getenv("TMPDIR"), ""), find(filepath.Join(h.dir, "tmp"), "")...)
	return all
}

// children are the processes that descend from pid.
func children(t *testing.T, pid int) (all []string) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		b, _ := os.ReadFile(list) // a thread may have ended
		for _, child := range strings.Fields(string(b)) {
			n, err := strconv.Atoi(child)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := os.ReadFile(filepath.Join("/proc", child, "comm"))
			all = append(append(all, strings.TrimSpace(string(name))), children(t, n)...)
		}
	}
	return all
}

// find lists what lies below a folder and has a name with the prefix.
func find(dir, prefix string) (all []string) {
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && path != dir && strings.HasPrefix(e.Name(), prefix) {
			all = append(all, path)
		}
		return nil // what vanishes meanwhile is not left behind
	})
	return all
}

// beyond names what is there more often than before.
func beyond(before, after map[string][]string) string {
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(after)) {
		was, is := tally(before[kind]), tally(after[kind])
		for _, what := range slices.Sorted(maps.Keys(is)) {
			if is[what] > was[what] && !ownFile(kind, what) {
				fmt.Fprintf(&b, "%s %s: %d before, %d now\n", kind, what, was[what], is[what])
			}
		}
	}
	return b.String()
}

// ownFile tells whether a descriptor is one of the daemon's files on disk, which it opens and closes as they grow.
func ownFile(kind, what string) bool {
	return kind == "descriptor" && (strings.HasPrefix(what, "/spool/") || strings.HasPrefix(what, "/localcloud/") || strings.HasPrefix(what, "/store/"))
}

func tally(list []string) map[string]int {
	n := map[string]int{}
	for _, x := range list {
		n[x]++
	}
	return n
}
