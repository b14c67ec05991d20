package trap_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	if dir := os.Getenv("TRAP_TEST_CHANGES"); dir != "" {
		if err := changes(dir); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// changes makes one of each kind.
func changes(dir string) error {
	in := func(name string) string { return filepath.Join(dir, name) }
	f, err := os.Create(in("file"))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("content, ")
	_, err2 := f.WriteString("more content")
	_, err3 := f.WriteAt([]byte("CON"), 0)
	_, err4 := unix.Writev(int(f.Fd()), [][]byte{[]byte(", and"), []byte(" more")})
	g, err5 := os.Create(in("copy"))
	if err := errors.Join(err, err2, err3, err4, err5, f.Sync(), f.Truncate(20)); err != nil {
		return err
	}
	defer g.Close()
	if _, err := f.Seek(3, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(g, f)
	return errors.Join(err, unix.Fallocate(int(g.Fd()), 0, 0, 100), os.Mkdir(in("folder"), 0o700), os.Link(in("file"), in("folder/link")),
		os.Symlink("../file", in("folder/symbolic")), os.Rename(in("copy"), in("folder/copy")), os.Remove(in("file")),
		os.Mkdir(in("folder/empty"), 0o750), os.Remove(in("folder/empty")))
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

func TestAShortWriteIsGoneOnWith(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	var sizes []int
	out := run(t, file, trap.Options{Answer: func(c *trap.Call) error {
		if c.Op != trap.Write || c.Path != file {
			return nil
		}
		if sizes = append(sizes, c.Bytes); len(sizes) == 1 {
			return trap.Short(3)
		}
		return nil
	}})
	if !slices.Equal(sizes, []int{7, 4, 7, 7}) || len(out) != 1 {
		t.Errorf("writes of %d bytes, %q", sizes, out)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestKilledBehindAChangeIsKilledBeforeTheNext holds calls that the test makes against those of the kernel.
func TestKilledBehindAChangeIsKilledBeforeTheNext(t *testing.T) {
	seen := map[trap.Op]bool{}
	for n := 1; ; n++ {
		behind, last, whole := killedAt(t, n, func(c *trap.Call) error { return c.Do() })
		if whole {
			break
		}
		seen[last] = true
		before, next, whole := killedAt(t, n+1, func(*trap.Call) error { return nil })
		if behind != before {
			t.Errorf("behind change %d, a %s, there is\n%s\nbefore the next, a %s (or the end: %v),\n%s", n, last, behind, next, whole, before)
		}
	}
	for _, op := range []trap.Op{trap.Open, trap.Write, trap.Truncate, trap.Allocate, trap.Sync, trap.Mkdir, trap.Rename, trap.Link, trap.Symlink, trap.Remove} {
		if !seen[op] {
			t.Errorf("no %s was seen", op)
		}
	}
}

// killedAt kills the program at its n-th change and lists what it has left; whole tells that it has come to its end.
func killedAt(t *testing.T, n int, at func(*trap.Call) error) (left string, op trap.Op, whole bool) {
	t.Helper()
	needsRoot(t)
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TRAP_TEST_CHANGES="+dir)
	i := 0
	tr, err := trap.Start(cmd, trap.Options{Answer: func(c *trap.Call) error {
		if !strings.HasPrefix(c.Path, dir) {
			return nil
		}
		if i++; i != n {
			return nil
		}
		op = c.Op
		return errors.Join(at(c), c.Kill())
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	whole = cmd.Wait() == nil
	tr.Close()
	if !whole && i != n {
		t.Fatalf("it ended at change %d, not %d", i, n)
	}
	return list(t, dir), op, whole
}

// list is all that is in a folder, with contents.
func list(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := ""
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(content)
		case info.Mode().Type() == fs.ModeSymlink:
			text, _ = os.Readlink(path)
		}
		name, err := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%s %s %q\n", info.Mode(), name, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
