package disk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// files are the data files. It knows which of them are being read, so that a replaced object's bytes stay until its
// last reader has gone.
type files struct {
	dir string

	mu     sync.Mutex
	pins   map[string]int      // readers by blob; guarded by mu
	doomed map[string][]string // files to remove with the blob's last reader; guarded by mu
	fresh  map[string]struct{} // files made since Open, until the sweep is over, then nil; guarded by mu
}

func openFiles(dir string) (*files, error) {
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprintf("%02x", i)), 0o700); err != nil {
			return nil, fmt.Errorf("object storage data: %w", err)
		}
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := syncDir(d); err != nil {
			return nil, err
		}
	}
	return &files{dir: dir, pins: map[string]int{}, doomed: map[string][]string{}, fresh: map[string]struct{}{}}, nil
}

// newID is 128 random bits in hex.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// name makes a fresh file name and shields it from the sweep.
func (f *files) name() string {
	id := newID()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fresh != nil {
		f.fresh[id] = struct{}{}
	}
	return id
}

func (f *files) path(id string) string { return filepath.Join(f.dir, id[:2], id) }

func (f *files) create() (*os.File, string, error) {
	id := f.name()
	file, err := os.OpenFile(f.path(id), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return file, id, err
}

// link makes a second name for a file's bytes.
func (f *files) link(id string) (string, error) {
	to := f.name()
	return to, os.Link(f.path(id), f.path(to))
}

// settle makes the names of the files durable.
func (f *files) settle(ids []string) error {
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id[:2]] {
			continue
		}
		seen[id[:2]] = true
		if err := syncDir(filepath.Join(f.dir, id[:2])); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("flush directory %s: %w", dir, err)
	}
	return nil
}

// pin holds the blob's files back from removal. A blob may already be gone: its first file then does not open.
func (f *files) pin(blob string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pins[blob]++
}

func (f *files) unpin(blob string) {
	f.mu.Lock()
	f.pins[blob]--
	var gone []string
	if f.pins[blob] == 0 {
		delete(f.pins, blob)
		gone = f.doomed[blob]
		delete(f.doomed, blob)
	}
	f.mu.Unlock()
	f.unlink(gone)
}

// remove deletes the files of a blob that no row names any more, now or with its last reader. The first file goes
// under the lock, so whoever pins later and finds it can rely on all others. Errors do not matter: the next sweep
// finds what is left.
func (f *files) remove(blob string, ids []string) {
	if len(ids) == 0 {
		return
	}
	f.mu.Lock()
	if f.pins[blob] > 0 {
		f.doomed[blob] = ids
		f.mu.Unlock()
		return
	}
	f.unlink(ids[:1])
	f.mu.Unlock()
	f.unlink(ids[1:])
}

func (f *files) unlink(ids []string) {
	for _, id := range ids {
		os.Remove(f.path(id))
	}
}

// swept ends the protection of fresh files.
func (f *files) swept() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fresh = nil
}

func (f *files) isFresh(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.fresh[id]
	return ok
}

// present lists the data files there are.
func (f *files) present() (map[string]struct{}, error) {
	found := map[string]struct{}{}
	for i := range 256 {
		hh := fmt.Sprintf("%02x", i)
		entries, err := os.ReadDir(filepath.Join(f.dir, hh))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			found[e.Name()] = struct{}{}
		}
	}
	return found, nil
}
