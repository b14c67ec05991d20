package packages

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

func isNotEmpty(err error) bool { return errors.Is(err, syscall.ENOTEMPTY) }

// Sweep removes packages that nothing refers to. A package goes when inUse has said no to it in every sweep for
// Options.Grace and neither Put nor Dir was asked for it since, so a record that is about to name it, or an instance
// that still runs it, has time. Call it about once an hour; a restart begins the time anew.
func (p *Packages) Sweep(ctx context.Context, inUse func(sha256 string) bool) error {
	p.sweepSpare(inUse)
	zips, err := filepath.Glob(p.path("zip", "??", "*"))
	if err != nil {
		return err
	}
	trees, err := filepath.Glob(p.path("dir", "*"))
	if err != nil {
		return err
	}
	sums := map[string]bool{}
	for _, file := range append(zips, trees...) {
		sums[filepath.Base(file)] = true
	}
	for sum := range sums {
		if err := ctx.Err(); err != nil {
			return err
		}
		if checkSum(sum) != nil {
			continue
		}
		if err := p.sweep(sum, inUse); err != nil {
			return err
		}
	}
	return nil
}

// sweep decides about one package and removes it if its time has come.
func (p *Packages) sweep(sum string, inUse func(string) bool) error {
	trash, err := p.discard(sum, inUse)
	if err != nil || trash == "" {
		return err
	}
	return os.RemoveAll(trash)
}

// discard takes a package's names away and returns where its tree is now, "" if the package stays.
func (p *Packages) discard(sum string, inUse func(string) bool) (trash string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if inUse(sum) {
		delete(p.unused, sum)
		return "", nil
	}
	now := p.opt.Now()
	since, marked := p.unused[sum]
	if !marked {
		p.unused[sum] = now
		return "", nil
	}
	if now.Sub(since) < p.opt.Grace {
		return "", nil
	}
	delete(p.unused, sum)
	if err := os.Remove(p.zipPath(sum)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if trash, err = os.MkdirTemp(p.path("tmp"), "old-"); err != nil {
		return "", err
	}
	if err := os.Rename(p.dirPath(sum), filepath.Join(trash, "tree")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return trash, nil
}

// sweepSpare removes the spare of a package that nothing refers to.
func (p *Packages) sweepSpare(inUse func(string) bool) {
	p.mu.Lock()
	s := p.spare
	if s == nil || inUse(s.of) {
		p.mu.Unlock()
		return
	}
	p.spare = nil
	p.mu.Unlock()
	p.drop(s)
}
