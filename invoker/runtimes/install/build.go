package install

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"fcd/invoker/runtimes"
)

// build fills the folder temp with a complete root, receipt and all.
func (i *Installer) build(ctx context.Context, b bundle, packages []Package, temp string) (runtimes.Receipt, error) {
	t, err := newTree(temp)
	if err != nil {
		return runtimes.Receipt{}, err
	}
	defer t.close()
	done := int64(0)
	for _, p := range packages {
		i.o.Progress(Progress{Runtime: b.runtime, Stage: Unpacking, Package: p.Name, Done: done, Total: b.size()})
		if err := errors.Join(ctx.Err(), unpackFile(t, p, i.path(p))); err != nil {
			return runtimes.Receipt{}, fmt.Errorf("%s: %w", p.File(), err)
		}
		done += p.Size
	}
	prepare := []func(*tree) error{prepareCommon}
	if b.prepare != nil {
		prepare = append(prepare, b.prepare)
	}
	for _, f := range prepare {
		if err := f(t); err != nil {
			return runtimes.Receipt{}, err
		}
	}
	if !hasProgram(temp, b.program) {
		return runtimes.Receipt{}, fmt.Errorf("no %s in its packages", b.program)
	}
	i.o.Progress(Progress{Runtime: b.runtime, Stage: Settling, Done: done, Total: b.size()})
	version, notes, err := settle(ctx, b, temp)
	if err != nil {
		return runtimes.Receipt{}, err
	}
	r := newReceipt(b, packages, version, notes)
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return r, err
	}
	return r, t.write(runtimes.ReceiptName, append(text, '\n'))
}

func newReceipt(b bundle, packages []Package, version string, notes []string) runtimes.Receipt {
	r := runtimes.Receipt{Runtime: b.runtime, Version: version, Build: packages[0].Version, Source: packages[0].String(),
		Program: b.program, Pins: b.digest(), Notes: notes, Installed: time.Now().UTC()}
	for _, p := range packages {
		r.Packages = append(r.Packages, runtimes.Piece{Name: p.String(), SHA256: p.SHA256})
	}
	return r
}

// unpackFile adds a package to the tree.
func unpackFile(t *tree, p Package, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if p.Suite != "" {
		archive, err := debFiles(bufio.NewReaderSize(f, 1<<16))
		if err != nil {
			return err
		}
		return t.unpack(archive, pickDebian)
	}
	plain, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	return t.unpack(tar.NewReader(plain), pickNode)
}

// sumOf is the SHA-256 of a file, hex.
func sumOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// hasProgram tells whether the interpreter is in the root. It is no link there.
func hasProgram(root, program string) bool {
	info, err := os.Lstat(filepath.Join(root, program))
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// refreshTrust brings the certificates of a root up to those of the host.
func refreshTrust(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	t := &tree{root: root}
	defer t.close()
	want, err := readBundle(hostBundles)
	if err != nil {
		return nil // it has those of its installation
	}
	if have, err := root.ReadFile(bundleName); err == nil && string(have) == string(want) {
		return nil
	}
	return t.trust()
}
