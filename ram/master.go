package ram

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// LoadMaster reads the master key of temporary credentials from path, or makes a random one there, mode 0600 and on disk
// when it returns. A file of another size, or one that others may read, is refused. Two callers at once get one key.
func LoadMaster(path string) ([]byte, error) {
	key, err := readMaster(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeMaster(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("master key %s: %w", path, err)
	}
	return readMaster(path)
}

func readMaster(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("master key %s has mode %v: only its owner may read it (0600)", path, info.Mode())
	}
	if info.Size() != masterBytes {
		return nil, fmt.Errorf("master key %s has %d bytes instead of %d", path, info.Size(), masterBytes)
	}
	key, err := os.ReadFile(path)
	if err == nil && len(key) != masterBytes {
		err = fmt.Errorf("it has %d bytes instead of %d", len(key), masterBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("master key %s: %w", path, err)
	}
	return key, nil
}

// makeMaster writes the key beside path and links it there, which fails if somebody was faster.
func makeMaster(path string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".master-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	key := make([]byte, masterBytes)
	rand.Read(key)
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
