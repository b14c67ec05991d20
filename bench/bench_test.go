package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestBench measures one row with a real daemon.
func TestBench(t *testing.T) {
	bin := os.Getenv("FCD_TEST_BIN")
	if bin == "" {
		bin = filepath.Join(t.TempDir(), "fcd")
		cmd := exec.Command("go", "build", "-o", bin, "../cmd/fcd")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	scratch, err := os.MkdirTemp("/tmp", "fcd-bench-") // below t.TempDir others than root may not look
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(scratch)
	if err := os.Chmod(scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := bench(t.Context(), options{quick: true, only: "p50", bin: bin, out: out, scratch: scratch}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"latest.json", "table.svg", "table.png"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	left, err := os.ReadDir(scratch)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestBenchNamesWhatItCouldNotMeasure(t *testing.T) {
	fails := filepath.Join(t.TempDir(), "fcd")
	script := `#!/bin/sh
test "$1" = runtimes && echo '[{"name":"nodejs20","origin":"host","ready":true},{"name":"python3","origin":"host","ready":true}]'
`
	if err := os.WriteFile(fails, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	err := bench(t.Context(), options{quick: true, only: "idle-memory", bin: fails, out: t.TempDir(), scratch: t.TempDir()})
	if err == nil || err.Error() != "not measured: idle-memory" {
		t.Errorf("%v", err)
	}
}
