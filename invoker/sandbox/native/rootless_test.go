package native

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestObstaclesToUserNamespacesAreNamed(t *testing.T) {
	for _, c := range []struct{ file, value, want string }{
		{"user/max_user_namespaces", "0\n", "user.max_user_namespaces is 0"},
		{"kernel/unprivileged_userns_clone", "0\n", "kernel.unprivileged_userns_clone is 0"},
		{"kernel/apparmor_restrict_unprivileged_userns", "1\n", `"userns,"`},
		{"kernel/apparmor_restrict_unprivileged_userns", "0\n", ""},
		{"user/max_user_namespaces", "96365\n", ""},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(c.file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.value), 0o644); err != nil {
			t.Fatal(err)
		}
		got := obstacle(dir)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s = %q: %q, want %q", c.file, c.value, got, c.want)
		}
	}
}

func TestAnIDMapCoversARangeOnlyAsAWhole(t *testing.T) {
	for _, c := range []struct {
		name, idMap string
		want        bool
	}{
		{"the whole host", "         0          0 4294967295\n", true},
		{"one id", "0 1000 1\n", false},
		{"a container's 65536", "0 100000 65536\n", false},
		{"a second line", "0 1000 1\n200000 300000 65536\n", true},
		{"one id short", "200000 300000 65535\n", false},
		{"empty", "", false},
		{"not numbers", "a b c\n", false},
	} {
		if got := covers(c.idMap, defaultUIDFirst, defaultUIDLast); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestMessengerHelper is the program that TestTheMessengerHandsOnSignals runs as an ordinary user.
func TestMessengerHelper(t *testing.T) {
	if os.Getenv(ordinaryEnv) != "messenger" {
		return
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	os.Stdout.WriteString("ready\n")
	<-term
	os.Exit(7)
}

func TestTheMessengerHandsOnSignalsAndTheExitCode(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can become somebody else")
		return
	}
	const nobody = 65534
	binary := filepath.Join(publicDir(t), "native.test")
	copyFile(t, binary, "/proc/self/exe")
	cmd := exec.Command(binary, "-test.run=^TestMessengerHelper$")
	cmd.Env = []string{ordinaryEnv + "=messenger"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ready [6]byte
	if _, err := out.Read(ready[:]); err != nil || string(ready[:]) != "ready\n" {
		t.Fatalf("read %q, %v", ready, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
}
