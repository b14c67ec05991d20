package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"
)

// downloads is the folder of packages that are fetched, below Options.Dir.
const downloads = ".downloads"

// lockName is the file, below Options.Dir, whose lock the process holds that installs.
const lockName = ".lock"

// path is where a package lies once its checksum was found right.
func (i *Installer) path(p Package) string {
	return filepath.Join(i.dir, downloads, p.SHA256[:16]+"-"+p.File())
}

// fetchAll brings all packages of a bundle. What it gives are the pins, or what stands in for them.
func (i *Installer) fetchAll(ctx context.Context, b bundle) ([]Package, error) {
	if err := os.MkdirAll(filepath.Join(i.dir, downloads), 0o755); err != nil {
		return nil, err
	}
	var all []Package
	done := int64(0)
	for _, pin := range b.packages {
		report := func(have int64) {
			i.o.Progress(Progress{Runtime: b.runtime, Stage: Fetching, Package: pin.Name, Done: done + have, Total: b.size()})
		}
		report(0)
		p, err := i.fetchOrNewer(ctx, pin, report)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
		done += pin.Size
	}
	return all, nil
}

// fetchOrNewer brings a pin or, by the operator's word, what the archive has in its place.
func (i *Installer) fetchOrNewer(ctx context.Context, pin Package, progress func(int64)) (Package, error) {
	err := i.fetch(ctx, pin, progress)
	if !errors.Is(err, ErrNotServed) {
		return pin, err
	}
	if !i.o.AcceptNew {
		return pin, fmt.Errorf("%w; --accept-new takes the version that is served now", err)
	}
	p, newer := i.o.source.Newest(ctx, pin)
	if newer != nil {
		return pin, errors.Join(err, newer)
	}
	i.o.Log.Info("a pinned package is gone, another version takes its place", zap.Stringer("pinned", pin), zap.Stringer("taken", p),
		zap.String("sha256", p.SHA256))
	return p, i.fetch(ctx, p, progress)
}

// fetch brings one package, or what is missing of it, and holds it against its checksum.
func (i *Installer) fetch(ctx context.Context, p Package, progress func(int64)) error {
	file := i.path(p)
	if _, err := os.Stat(file); err == nil {
		progress(p.Size)
		return nil
	}
	part := file + ".part"
	if err := i.o.source.Fetch(ctx, p, part, progress); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	sum, err := sumOf(part)
	if err != nil {
		return err
	}
	if sum != p.SHA256 {
		return errors.Join(fmt.Errorf("%s: its checksum is %s, wanted %s", p, sum, p.SHA256), os.Remove(part))
	}
	if err := syncFile(part); err != nil { // the name alone will tell that it is whole
		return err
	}
	return os.Rename(part, file)
}

// Clean removes the packages that were kept for further runtimes. Parts of packages stay: somebody may go on with them.
func (i *Installer) Clean(ctx context.Context) error {
	unlock, err := lock(ctx, filepath.Join(i.dir, lockName), func() {})
	if err != nil {
		return err
	}
	defer unlock()
	dir := filepath.Join(i.dir, downloads)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext == ".deb" || ext == ".tgz" {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
