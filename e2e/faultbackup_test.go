package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"fcd/e2e/trap"
)

// TestEverySiteOfABackup fails the N-th change of a backup and of a restore, for each N. A file that is there is a whole
// one, a directory that is there is too, and nothing else is left behind.
func TestEverySiteOfABackup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("answering a program's system calls needs root")
	}
	dir, work := t.TempDir(), t.TempDir()
	p := serve(t, dir)
	p.service("svc", "")
	p.python("svc/f", "def handler(event, context):\n    return b'x'\n")
	good := filepath.Join(work, "good")
	for _, kind := range append(kindsLookedAt(), endsLookedAt()...) {
		leaves := kind.lasts || kind.kill != never // what cannot be taken back
		file := filepath.Join(work, "file")
		n := eachChange(t, []string{dir, work}, kind, []string{"backup", file, "--data-dir", dir}, func(n int, ok bool) {
			_, err := os.Stat(file)
			if there := err == nil; there != ok && !(there && leaves) {
				t.Errorf("%s at change %d of a backup: success %v, the file: %v", kind.name, n, ok, err)
			}
			if err == nil { // which the restores below show to be whole
				if err := os.Rename(file, good); err != nil {
					t.Fatal(err)
				}
			}
		})
		fmt.Printf("crash: %s at each of %d changes of a backup: a whole file or none\n", kind.name, n)
		to := filepath.Join(work, "restored")
		n = eachChange(t, []string{work}, kind, []string{"restore", good, "--data-dir", to}, func(n int, ok bool) {
			_, err := os.Stat(to)
			there := err == nil
			if ok && !there {
				t.Errorf("%s at change %d of a restore: success, and no directory: %v", kind.name, n, err)
			}
			if out, err := exec.Command(fcd(t), "store", "check", "--data-dir", to).CombinedOutput(); there && err != nil {
				t.Errorf("%s at change %d of a restore: %v %s", kind.name, n, err, out)
			}
			if err := os.RemoveAll(to); err != nil {
				t.Fatal(err)
			}
		})
		fmt.Printf("crash: %s at each of %d changes of a restore: a whole directory or none\n", kind.name, n)
		if leaves {
			removeAll(t, work, ".*")
			removeAll(t, dir, "backup-*")
		}
		if left, _ := filepath.Glob(filepath.Join(work, ".*")); len(left) > 0 {
			t.Errorf("after %s: %q are left", kind.name, left)
		}
	}
}

func removeAll(t *testing.T, dir, pattern string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
}

// eachChange runs the program again and again, each time with another change of a file in dirs failing, until none is
// left, and once without; it tells how many there were. The short form leaves most of them out.
func eachChange(t *testing.T, dirs []string, kind kindOfFault, args []string, look func(n int, ok bool)) int {
	t.Helper()
	step := 1
	if !faultsLong() {
		step = 9
	}
	for n := 1; ; n += step {
		var mu sync.Mutex
		i := 0
		cmd := exec.Command(fcd(t), args...)
		var out syncBuffer
		cmd.Stdout, cmd.Stderr = &out, &out
		tr, err := trap.Start(cmd, trap.Options{Answer: func(c *trap.Call) error {
			if !slices.ContainsFunc(dirs, func(d string) bool { _, ok := below(d, c.Path); return ok }) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if i >= n {
				if kind.lasts && kind.after().concerns(c) {
					return kind.errno
				}
				return nil
			}
			if !kind.concerns(c) {
				return nil
			}
			if i++; i == n {
				return kind.strike(c)
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		tr.Close()
		look(n, err == nil)
		if err != nil && (i < n || kind.harmless()) {
			t.Fatalf("%q: %v %s", args, err, out.String())
		}
		if i < n {
			return (n - 1) / step
		}
	}
}
