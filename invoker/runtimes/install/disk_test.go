package install

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"fcd/e2e/disk"
	"fcd/e2e/trap"
	"fcd/invoker/runtimes"
)

// ChildMain is the program under test: it installs nodejs8 into a folder, from the packages that lie, with their pins,
// beside the folder.
func ChildMain(dir string) int {
	err := func() error {
		from := os.Getenv("FCD_TEST_INSTALL_FROM")
		text, err := os.ReadFile(filepath.Join(from, "pins"))
		if err != nil {
			return err
		}
		var pins []Package
		if err := json.Unmarshal(text, &pins); err != nil {
			return err
		}
		i, err := New(Options{Dir: dir, From: from, bundles: []bundle{node8Bundle(pins...)}})
		if err != nil {
			return err
		}
		_, _, err = i.Install(context.Background(), "nodejs8")
		return err
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// packagesIn lays packages into a folder, with their pins.
func packagesIn(t *testing.T, from string) {
	t.Helper()
	var pins []Package
	for name, content := range map[string][]byte{"node": interpreter(t), "libc6": debOf(t, ".zst", tar.Header{Name: "./lib/libc.so.6"},
		tar.Header{Name: "./etc/link", Typeflag: tar.TypeSymlink, Linkname: "passwd"},
		tar.Header{Name: "./usr/lib/hard", Typeflag: tar.TypeLink, Linkname: "./lib/libc.so.6"})} {
		p := pin(name, "1", content)
		if err := os.WriteFile(filepath.Join(from, p.File()), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if pins = append(pins, p); name == "node" && len(pins) == 2 { // the interpreter's comes first
			pins[0], pins[1] = pins[1], pins[0]
		}
	}
	text, err := json.Marshal(pins)
	if err == nil {
		err = os.WriteFile(filepath.Join(from, "pins"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func child(dir, from string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FCD_TEST_INSTALL="+dir, "FCD_TEST_INSTALL_FROM="+from)
	return cmd
}

// installed checks that a root is there as a whole, and nothing else.
func installed(t *testing.T, dir string) {
	t.Helper()
	root, receipt, err := runtimes.Installed(dir, "nodejs8")
	if err != nil || root == "" {
		t.Fatalf("installed is %q: %v", root, err)
	}
	for name, want := range map[string]string{receipt.Program: "./usr/bin/node", "lib/libc.so.6": "./lib/libc.so.6", "usr/lib/hard": "./lib/libc.so.6"} {
		if b, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(b) != want {
			t.Errorf("%s is %q: %v", name, b, err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(root))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the root there is more: %v, %v", entries, err)
	}
}

// TestADiskThatFailsAtEachChangeOfAnInstallation lets each change of the folder fail in turn, or be the last one, or a
// write be a short one: the root is there as a whole or not at all, the error names the folder, and the same command goes
// on with what there is.
func TestADiskThatFailsAtEachChangeOfAnInstallation(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("answering a program's system calls needs root")
	}
	from, step := t.TempDir(), 13
	packagesIn(t, from)
	if os.Getenv("FCD_FAULTS") == "long" {
		step = 1
	}
	fails := func(e unix.Errno) func(*trap.Call) error { return func(*trap.Call) error { return e } }
	for _, kind := range []struct {
		name   string
		strike func(*trap.Call) error
		lasts  bool // from then on nothing more finds room
	}{
		{"no room", fails(unix.ENOSPC), true},
		{"an input/output error", fails(unix.EIO), false},
		{"a short write", func(c *trap.Call) error { return trap.Short(c.Bytes / 2) }, false},
		{"killed behind it", func(c *trap.Call) error { return errors.Join(c.Do(), c.Kill()) }, false},
	} {
		n := 1
		for ; ; n += step {
			dir := filepath.Join(t.TempDir(), "runtimes")
			cmd, i := child(dir, from), 0
			var said strings.Builder
			cmd.Stderr = &said
			tr, err := trap.Start(cmd, trap.Options{Answer: func(c *trap.Call) error {
				if !strings.HasPrefix(c.Path, dir) || kind.name == "a short write" && c.Bytes < 2 || kind.lasts && takesNoRoom(c) {
					return nil
				}
				if i++; i == n || i > n && kind.lasts {
					return kind.strike(c)
				}
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			err = cmd.Wait()
			tr.Close()
			root, _, rerr := runtimes.Installed(dir, "nodejs8")
			switch {
			case err == nil || root != "":
				installed(t, dir)
			case kind.name == "a short write":
				t.Errorf("%s at change %d: %s", kind.name, n, said.String())
			case kind.name != "killed behind it" && !strings.Contains(said.String(), dir):
				t.Errorf("%s at change %d does not say where: %s", kind.name, n, said.String())
			case rerr != nil:
				t.Errorf("%s at change %d: %v", kind.name, n, rerr)
			}
			if out, err := child(dir, from).CombinedOutput(); err != nil {
				t.Errorf("behind %s at change %d: %v %s", kind.name, n, err, out)
			}
			installed(t, dir)
			if i < n {
				break
			}
		}
		fmt.Printf("crash: %s at each of %d changes of an installation: whole or nothing, and gone on with\n", kind.name, (n-1)/step)
	}
}

// takesNoRoom tells of a change that a full disk lets through.
func takesNoRoom(c *trap.Call) bool {
	return c.Op == trap.Sync || c.Op == trap.Truncate || c.Op == trap.Remove || c.Op == trap.Open && !c.Make
}

// TestAPowerCutBehindAnInstallationLosesNothing: what is visible is on the disk.
func TestAPowerCutBehindAnInstallationLosesNothing(t *testing.T) {
	d, from := disk.New(t, 64), t.TempDir()
	packagesIn(t, from)
	dir := filepath.Join(d.Dir, "runtimes")
	if out, err := child(dir, from).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	d.Cut()
	d.Replug()
	installed(t, dir)
	if out, err := child(dir, from).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	installed(t, dir)
}
