package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// rejects is the folder of records that will never be taken: numbered files of JSON lines, the oldest deleted first.
type rejects struct {
	dir      string
	maxBytes int64
	mu       sync.Mutex // one writer at a time
}

// Reject keeps one line of JSON (without newline) about a record that the log service refuses for its content.
// It is flushed to the disk before Reject returns.
func (s *Spool) Reject(line []byte) error {
	if err := s.rejects.add(line); err != nil {
		return fmt.Errorf("log spool: keeping a rejected line: %w", err)
	}
	return nil
}

func (r *rejects) add(line []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	path, err := r.current()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(append(append([]byte(nil), line...), '\n')); err != nil {
		return err
	}
	return f.Sync()
}

// current picks the file to append to, starts a new one every eighth of the bound, and deletes the oldest above it.
func (r *rejects) current() (string, error) {
	entries, err := os.ReadDir(r.dir) // sorted by name, which is sorted by age
	if err != nil {
		return "", err
	}
	var total, last, number int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return "", err
		}
		last = info.Size()
		total += last
		fmt.Sscanf(e.Name(), "%d.jsonl", &number)
	}
	for i := 0; total > r.maxBytes && i < len(entries); i++ {
		info, err := entries[i].Info()
		if err != nil {
			return "", err
		}
		if err := os.Remove(filepath.Join(r.dir, entries[i].Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		total -= info.Size()
	}
	if last >= r.maxBytes/8 {
		number++
	}
	return filepath.Join(r.dir, fmt.Sprintf("%012d.jsonl", number)), nil
}
