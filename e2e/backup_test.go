package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupOfARunningDaemon: what a daemon has while it works is in its backup, and a daemon on the restored directory
// goes on with it, under the same account.
func TestBackupOfARunningDaemon(t *testing.T) {
	command := func(dir string, args ...string) string {
		t.Helper()
		out, err := exec.Command(fcd(t), append(args, "--data-dir", dir)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	dir, to, file := t.TempDir(), filepath.Join(t.TempDir(), "restored"), filepath.Join(t.TempDir(), "fcd.backup")
	p := serve(t, dir)
	p.service("svc", "")
	p.python("svc/f", "def handler(event, context):\n    return b'hello ' + event\n")
	p.returns("svc/f", "x")
	command(dir, "backup", file)
	if out := command(dir, "store", "check"); out != "ok\n" {
		t.Errorf("check of a running daemon's store: %s", out)
	}
	p.must("DELETE", "/services/svc/functions/f", nil)
	key := p.e.AccessKeyID
	if err := p.terminate(); err != nil {
		t.Fatal(err)
	}
	command(to, "restore", file)
	if out, err := exec.Command(fcd(t), "restore", file, "--data-dir", dir).CombinedOutput(); err == nil || !strings.Contains(string(out), "not empty") {
		t.Errorf("restored over a state: %v %s", err, out)
	}
	again := serve(t, to)
	if again.e.AccessKeyID != key {
		t.Errorf("the account is another")
	}
	if got := again.returns("svc/f", "again"); got != "hello again" {
		t.Errorf("got %q", got)
	}
}
