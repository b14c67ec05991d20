package backup

import (
	"archive/tar"
	"bytes"
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
	"time"

	"fcd/store/sqlite"
)

// Names in the archive.
const (
	manifestName = "fcd-backup.json"
	sumsName     = "SHA256SUMS"
	storeName    = "store/store.db"
	zipsName     = "packages/zip"
)

// keptFiles are copied as they stand; they are written once and never changed. One that is missing is left out.
var keptFiles = [...]string{"account.json", "master.key"}

// manifest says what an archive is.
type manifest struct {
	Format  int       `json:"format"`
	Schema  int       `json:"schema"`
	Created time.Time `json:"created"`
}

// format is what this binary writes; it reads no later one.
const format = 1

// Write copies the state in dataDir to file, which must not exist. The file is whole and on disk when Write returns nil,
// and is not there otherwise; a disk that turns read-only at the very end may keep a whole one all the same.
func Write(ctx context.Context, dataDir, file string) (err error) {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s exists", file)
	}
	out, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Close(), os.Remove(out.Name()))
		}
	}()
	if err := write(ctx, dataDir, out); err != nil {
		return fmt.Errorf("back up %s: %w", dataDir, err)
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := os.Link(out.Name(), file); err != nil { // unlike a rename it replaces nothing
		return err
	}
	if err := syncDir(filepath.Dir(file)); err != nil { // the name may not be on the disk: there is to be none then
		return errors.Join(err, os.Remove(file))
	}
	if err := os.Remove(out.Name()); err != nil { // a second name for a backup that is whole, and a secret
		return errors.Join(err, os.Remove(file))
	}
	return out.Close()
}

func write(ctx context.Context, dataDir string, out io.Writer) error {
	zipped := gzip.NewWriter(out)
	a := &archive{ctx: ctx, tar: tar.NewWriter(zipped)}
	// The store first: packages are on disk before a record names them, and stay for an hour after the last one is gone.
	if err := a.addStore(ctx, dataDir); err != nil {
		return err
	}
	for _, name := range keptFiles {
		if err := a.addFile(name, filepath.Join(dataDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := a.addPackages(filepath.Join(dataDir, filepath.FromSlash(zipsName))); err != nil {
		return err
	}
	if err := a.add(sumsName, int64(a.sums.Len()), bytes.NewReader(a.sums.Bytes())); err != nil {
		return err
	}
	return errors.Join(a.tar.Close(), zipped.Close())
}

// archive is a tar in the making, with the sums of what is in it.
type archive struct {
	ctx  context.Context
	tar  *tar.Writer
	sums bytes.Buffer
}

// addStore copies the database beside itself first: a tar needs to know how long a file is.
func (a *archive) addStore(ctx context.Context, dataDir string) error {
	look, err := sqlite.Inspect(ctx, filepath.Join(dataDir, "store"))
	if err != nil {
		return err
	}
	defer look.Close()
	schema, err := look.Schema()
	if err != nil {
		return err
	}
	about, err := json.Marshal(manifest{Format: format, Schema: schema, Created: time.Now().UTC()})
	if err != nil {
		return err
	}
	if err := a.add(manifestName, int64(len(about)), bytes.NewReader(about)); err != nil {
		return err
	}
	work, err := os.MkdirTemp(dataDir, "backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	copied := filepath.Join(work, "store.db")
	if err := look.Copy(ctx, copied); err != nil {
		return err
	}
	return a.addFile(storeName, copied)
}

func (a *archive) addPackages(dir string) error {
	return filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // swept meanwhile: no record names it
			return nil
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		if err := a.addFile(path.Join(zipsName, filepath.ToSlash(rel)), file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

func (a *archive) addFile(name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return a.add(name, info.Size(), f)
}

func (a *archive) add(name string, size int64, r io.Reader) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(a.tar, sum), r); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if name != sumsName {
		fmt.Fprintf(&a.sums, "%s  %s\n", hex.EncodeToString(sum.Sum(nil)), name)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
