package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"fcd/store/sqlite"
)

// Restore makes dataDir of a file that Write has made. It refuses a directory that holds anything, a file that was cut
// or changed, and one of a newer fcd. The directory is there as a whole or not at all: it is put together and checked
// beside its place, flushed, and renamed.
func Restore(ctx context.Context, file, dataDir string) (err error) {
	if dataDir, err = filepath.Abs(dataDir); err != nil {
		return err
	}
	if err := mustBeEmpty(dataDir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dataDir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dataDir), "."+filepath.Base(dataDir)+"-restore-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(work))
		}
	}()
	if err := unpack(ctx, file, work); err != nil {
		return fmt.Errorf("restore %s: %w", file, err)
	}
	if err := settle(ctx, work); err != nil {
		return fmt.Errorf("restore %s: %w", file, err)
	}
	if err := os.Remove(dataDir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // somebody was faster
	}
	if err := os.Rename(work, dataDir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dataDir))
}

func mustBeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: restore into a new directory", dir)
	}
	return err
}

// settle opens what was unpacked as a daemon would, which checks it and brings it up to date, and flushes it.
func settle(ctx context.Context, dir string) error {
	s, err := sqlite.Open(ctx, sqlite.Options{Dir: filepath.Join(dir, "store"), CheckOnOpen: true, AllowNetworkFS: true})
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	problems, err := Check(ctx, dir)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncDir(name) // a file is flushed the same way
	})
}

// packageName is where a package may stand.
var packageName = regexp.MustCompile(`^packages/zip/[0-9a-f]{2}/[0-9a-f]{64}$`)

func known(name string) bool {
	for _, k := range append(keptFiles[:], manifestName, storeName) {
		if name == k {
			return true
		}
	}
	return packageName.MatchString(name)
}

// unpack writes the archive's files below dir and holds them against the sums at its end.
func unpack(ctx context.Context, file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("it is no backup of fcd's: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	in := tar.NewReader(unzipped)
	sums := map[string]string{}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := in.Next()
		if err == io.EOF {
			return errors.New("it was cut: the sums at its end are missing")
		}
		if err != nil {
			return fmt.Errorf("it was cut or changed: %w", err)
		}
		if h.Name == sumsName {
			b, err := io.ReadAll(in)
			if err != nil {
				return err
			}
			if err := compare(string(b), sums); err != nil {
				return err
			}
			return root.Remove(manifestName) // its part is played
		}
		if h.Typeflag != tar.TypeReg || !known(h.Name) || sums[h.Name] != "" {
			return fmt.Errorf("it holds %q, which no backup does", h.Name)
		}
		if sums[h.Name], err = extract(root, h.Name, in); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		if h.Name == manifestName {
			if err := readManifest(root); err != nil {
				return err
			}
		}
	}
}

func readManifest(root *os.Root) error {
	b, err := root.ReadFile(manifestName)
	if err != nil {
		return err
	}
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Format > format {
		return fmt.Errorf("it has format %d and this binary knows up to %d: restore it with a newer fcd", m.Format, format)
	}
	return nil
}

func extract(root *os.Root, name string, r io.Reader) (sum string, err error) {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return "", err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), r)
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
}

// compare holds what was unpacked against the list that was written with it.
func compare(list string, got map[string]string) error {
	n := 0
	for line := range strings.Lines(list) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || got[name] != sum {
			return fmt.Errorf("%s was changed since it was backed up", name)
		}
		n++
	}
	if n != len(got) || got[storeName] == "" {
		return errors.New("its list of files does not fit what it holds")
	}
	return nil
}
