package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"fcd/config"
)

// TestTheDriverOCI runs functions in containers of runc, and looks out of one.
func TestTheDriverOCI(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the driver oci needs root")
	}
	h := boot(t, func(c *config.Config) { c.Sandbox.Driver = "oci" })
	h.service("plain", "")
	h.node("plain/node", nodeEcho)
	for range 2 {
		if got := h.returns("plain/node", "hello"); got != "hello" {
			t.Errorf("node returned %q", got)
		}
	}
	h.python("plain/glutton", "def handler(event, context):\n    hog = []\n    while True:\n        hog.append(b'x' * (4 << 20))\n")
	if got := h.invoke("plain/glutton", ""); got.errorType() != "UnhandledInvocationError" || !strings.Contains(got.body, "memory") && !strings.Contains(got.body, "exited") {
		t.Errorf("the glutton: %s %s", got.errorType(), got.body)
	}
	h.python("plain/slow", "import time\ndef handler(event, context):\n    time.sleep(60)\n", m{"timeout": 1})
	if got := h.invoke("plain/slow", "").field("errorMessage"); got != "Task timed out after 1 seconds" {
		t.Errorf("got %q", got)
	}
	contained(t, h, pry(t, h, functionRole))
}

// hasLandlock tells whether the kernel has it switched on.
func hasLandlock() bool {
	_, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	return errno == 0
}

// TestTheDriverProcess runs functions as plain processes of an ordinary user.
func TestTheDriverProcess(t *testing.T) {
	const nobody = 65534
	dir := publicDir(t, nobody)
	binary := filepath.Join(filepath.Dir(dir), "fcd")
	copyFile(t, binary, fcd(t))
	file := filepath.Join(filepath.Dir(dir), "config.yaml")
	if err := os.WriteFile(file, []byte("sandbox: {driver: process}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := serve(t, dir, func(c *exec.Cmd) {
		c.Path, c.Args[0], c.Dir = binary, binary, dir
		c.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir, "FCD_CONFIG=" + file}
		if os.Geteuid() == 0 {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
	})
	p.service("plain", "")
	p.node("plain/node", nodeEcho)
	if got := p.returns("plain/node", "hello"); got != "hello" {
		t.Errorf("node returned %q", got)
	}
	p.python("plain/files", `
import os
def handler(event, context):
    seen = []
    for path in [event.decode(), '/root', '/etc/shadow']:
        try:
            os.stat(path); open(path).read() if os.path.isfile(path) else os.listdir(path); seen.append(path)
        except OSError:
            pass
    return os.path.basename(os.getcwd()) + str(sorted(os.listdir('.'))) + str(seen)
`)
	// With Landlock even what everybody may read is out of reach, if it is not on the list.
	if got := p.returns("plain/files", "/etc/debian_version"); hasLandlock() && !strings.HasSuffix(got, "][]") {
		t.Errorf("files in reach: %s", got)
	}
	const marker = "86415.86421"
	p.python("plain/slow", "import subprocess, time\ndef handler(event, context):\n    subprocess.Popen(['sleep', '"+marker+"'], start_new_session=True)\n    time.sleep(60)\n", m{"timeout": 1})
	if got := p.invoke("plain/slow", "").field("errorMessage"); got != "Task timed out after 1 seconds" {
		t.Errorf("got %q", got)
	}
	eventually(t, "no process of the call is left", func() bool { return len(processes(t, marker)) == 0 })
	if err := p.terminate(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
