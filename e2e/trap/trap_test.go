package trap_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fcd/e2e/trap"
)

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a filter with notification needs root")
	}
}

// TestMain is also the program under test: it writes and tells the time.
func TestMain(m *testing.M) {
	if file := os.Getenv("TRAP_TEST_FILE"); file != "" {
		os.Stdout.WriteString(time.Now().UTC().Format(time.RFC3339) + "\n")
		for range 3 {
			if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
				os.Stdout.WriteString(err.Error() + "\n")
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// run gives what the program printed.
func run(t *testing.T, file string, o trap.Options) []string {
	t.Helper()
	needsRoot(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TRAP_TEST_FILE="+file)
	var out strings.Builder
	cmd.Stdout = &out
	tr, err := trap.Start(cmd, o)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestTheSecondWriteFindsNoRoomAndTheThirdDoes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	n := 0
	out := run(t, file, trap.Options{Answer: func(c *trap.Call) error {
		if c.Op == trap.Write && c.Path == file {
			if n++; n == 2 {
				return unix.ENOSPC
			}
		}
		return nil
	}})
	if n != 3 || len(out) != 2 || !strings.HasSuffix(out[1], "no space left on device") {
		t.Errorf("%d writes, %q", n, out)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestAFileThatCannotBeMadeIsNotThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	out := run(t, file, trap.Options{Answer: func(c *trap.Call) error {
		if c.Op == trap.Open && c.Make && c.Path == file {
			return unix.EROFS
		}
		return nil
	}})
	if _, err := os.Stat(file); !os.IsNotExist(err) || len(out) != 4 {
		t.Errorf("%v, %q", err, out)
	}
}

func TestTheClockIsTheTests(t *testing.T) {
	at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	out := run(t, filepath.Join(t.TempDir(), "file"), trap.Options{Clock: func() time.Time { return at }})
	if out[0] != "2001-02-03T04:05:06Z" {
		t.Errorf("%q", out)
	}
}
