package flock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func open(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A lock that goes is taken; either side of the first try is well.
func TestALockThatGoesSoonIsWaitedFor(t *testing.T) {
	name := filepath.Join(t.TempDir(), "LOCK")
	first := open(t, name)
	if err := Take(first); err != nil {
		t.Fatal(err)
	}
	free := time.AfterFunc(200*time.Millisecond, func() { first.Close() })
	defer free.Stop()
	if err := Take(open(t, name)); err != nil {
		t.Error(err)
	}
}

func TestALockThatStaysIsRefused(t *testing.T) {
	name := filepath.Join(t.TempDir(), "LOCK")
	if err := Take(open(t, name)); err != nil {
		t.Fatal(err)
	}
	if err := Take(open(t, name)); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("got %v", err)
	}
}

func TestAClosedFileIsRefusedAtOnce(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "LOCK"))
	f.Close()
	if err := Take(f); err == nil || errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("got %v", err)
	}
}
