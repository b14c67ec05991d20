// Package packages keeps code packages (zip files) by the SHA-256 of their bytes, and their unpacked trees.
//
//	<dir>/zip/<aa>/<sha256>   the bytes as they were sent, flushed to disk before Put returns
//	<dir>/dir/<sha256>/       the unpacked tree; there is one or there is none, never half of one
//	<dir>/tmp/                what is being made; emptied when the packages are opened
//
// Put accepts a package only after it has unpacked it completely, so a package that has a name can be run:
//
//	p, err := packages.New(packages.Options{Dir: "/var/lib/fcd/packages"})
//	pkg, err := p.Put(ctx, body, before)    // *fc.Error InvalidArgument for what is not a harmless zip
//	dir, err := p.Dir(ctx, pkg.SHA256)      // to be mounted read-only into a sandbox
//
// Directories and files are readable by everyone (0755, 0644, and 0755 for executables), so the parent directory is
// kept at 0700. Unpacked trees are not flushed: they are dropped when the machine has been restarted, and made again
// from the zip when they are asked for. Trees may share files (reuse.go), which nobody changes, and one may be
// made ahead (spare.go). One process uses a directory at a time; the store's lock sees to that.
package packages

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"fcd/fc"
)

// Options say where packages live and what they may hold. Only Dir is required.
type Options struct {
	Dir    string        // made with mode 0700 if it does not exist
	Limits fc.Limits     // MaxCodeZipBytes, MaxUnpackedBytes, MaxPackageEntries, MaxUnpackRatio; the zero value = fc.DefaultLimits
	Grace  time.Duration // how long a package that nobody refers to is kept; 1 h
	Now    func() time.Time

	SpareFiles int           // a package of so many files has a spare (spare.go); 200
	SpareAfter time.Duration // how long after the package it is made; 250 ms
}

// Package names a stored package. CRC64 is the CRC-64/XZ of its bytes as an unsigned decimal, Size their number.
type Package struct {
	SHA256 string
	CRC64  string
	Size   int64
}

// Packages is a directory of packages. All methods may be called concurrently; Close is the last.
type Packages struct {
	opt    Options
	flight singleflight.Group // unpacking, by sum
	spares sync.WaitGroup     // what makes them

	mu     sync.Mutex           // held while a package appears or goes
	unused map[string]time.Time // since when Sweep has seen a package without a reference
	spare  *spare               // nil: none
	closed bool
}

var crcTable = crc64.MakeTable(crc64.ECMA)

// New opens the directory and removes what an earlier process left unfinished.
func New(opt Options) (*Packages, error) {
	if opt.Dir == "" {
		return nil, errors.New("packages need a directory")
	}
	if opt.Limits == (fc.Limits{}) {
		opt.Limits = fc.DefaultLimits()
	}
	if opt.Grace == 0 {
		opt.Grace = time.Hour
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	opt.SpareFiles = cmp.Or(opt.SpareFiles, 200)
	opt.SpareAfter = cmp.Or(opt.SpareAfter, 250*time.Millisecond)
	p := &Packages{opt: opt, unused: map[string]time.Time{}}
	if err := p.prepare(); err != nil {
		return nil, fmt.Errorf("open packages in %s: %w", opt.Dir, err)
	}
	return p, nil
}

func (p *Packages) prepare() error {
	if err := os.MkdirAll(p.opt.Dir, 0o700); err != nil {
		return err
	}
	if err := os.RemoveAll(p.path("tmp")); err != nil {
		return err
	}
	if err := p.dropAfterRestart(); err != nil {
		return err
	}
	for _, name := range []string{"tmp", "zip", "dir"} {
		if err := os.MkdirAll(p.path(name), 0o700); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(p.path("zip")), syncDir(p.opt.Dir))
}

// dropAfterRestart removes the unpacked trees of an earlier run of the machine: a power cut may have emptied their files.
func (p *Packages) dropAfterRestart() error {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		boot = nil // without an identity every start drops them
	}
	name := p.path("boot")
	if old, err := os.ReadFile(name); err == nil && len(boot) > 0 && string(old) == string(boot) {
		return nil
	}
	if err := os.RemoveAll(p.path("dir")); err != nil {
		return err
	}
	return os.WriteFile(name, boot, 0o600)
}

// Close ends what goes on in the background.
func (p *Packages) Close() error {
	p.mu.Lock()
	p.closed = true
	if p.spare != nil {
		p.spare.stop()
	}
	p.mu.Unlock()
	p.spares.Wait()
	return nil
}

func (p *Packages) path(elem ...string) string {
	return filepath.Join(append([]string{p.opt.Dir}, elem...)...)
}

func (p *Packages) zipPath(sum string) string { return p.path("zip", sum[:2], sum) }

func (p *Packages) dirPath(sum string) string { return p.path("dir", sum) }

// checkSum keeps anything but a sum out of file names.
func checkSum(sum string) error {
	if len(sum) != sha256.Size*2 || strings.Trim(sum, "0123456789abcdef") != "" {
		return fmt.Errorf("%q is not a SHA-256 in lower-case hex", sum)
	}
	return nil
}

// Put stores a package. It is on disk when Put returns and stays for Options.Grace even if nothing refers to it. before
// is the sum of a package that it probably resembles, such as the last version of the same function, or "": what is the
// same in both is not unpacked again. Errors are *fc.Error InvalidArgument, naming the entry, for whatever is not a zip
// that can be unpacked safely within the limits; nothing of it is left then.
func (p *Packages) Put(ctx context.Context, r io.Reader, before string) (Package, error) {
	work, err := os.MkdirTemp(p.path("tmp"), "put-")
	if err != nil {
		return Package{}, internal("Put", err)
	}
	defer os.RemoveAll(work)
	opened := make(chan *model, 1)
	go func() { opened <- p.openModel(before) }()
	zip := filepath.Join(work, "zip")
	pkg, f, err := p.receive(ctx, zip, r)
	old := <-opened
	defer old.close()
	if err != nil {
		return Package{}, err
	}
	defer f.Close()
	if p.keep(pkg) {
		return pkg, nil
	}
	flushed := make(chan error, 1) // while it is being unpacked
	go func() { flushed <- f.Sync() }()
	tree := filepath.Join(work, "tree")
	if old != nil {
		spare := p.takeSpare(before)
		old.spared = spare != "" && os.Rename(spare, tree) == nil
	}
	err = unpack(ctx, zip, tree, old, p.opt.Limits)
	if ferr := errors.Join(<-flushed, f.Close()); err == nil && ferr != nil {
		err = internal("Put", ferr)
	}
	if err != nil {
		return Package{}, err
	}
	if err := p.publish(pkg.SHA256, zip, tree); err != nil {
		return Package{}, internal("Put", err)
	}
	if old != nil && len(old.files) >= p.opt.SpareFiles {
		p.keepSpare(pkg.SHA256)
	}
	return pkg, nil
}

// receive writes the stream to a file, which is not flushed.
func (p *Packages) receive(ctx context.Context, file string, r io.Reader) (_ Package, _ *os.File, err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Package{}, nil, internal("Put", err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	sum, crc, max := sha256.New(), crc64.New(crcTable), p.opt.Limits.MaxCodeZipBytes
	in := &input{ctx: ctx, r: io.LimitReader(r, max+1)}
	n, err := io.CopyBuffer(beside{sum, io.MultiWriter(crc, f)}, in, make([]byte, 256<<10))
	switch {
	case in.err != nil:
		return Package{}, nil, in.err
	case err != nil:
		return Package{}, nil, internal("Put", err)
	case n > max:
		return Package{}, nil, fc.Errorf(fc.InvalidArgument, "code package is larger than %d bytes", max)
	}
	return Package{SHA256: hex.EncodeToString(sum.Sum(nil)), CRC64: strconv.FormatUint(crc.Sum64(), 10), Size: n}, f, nil
}

// beside writes the same to a hash and to another writer at a time.
type beside struct {
	hash  hash.Hash
	other io.Writer
}

func (b beside) Write(p []byte) (int, error) {
	var hashing sync.WaitGroup
	hashing.Go(func() { b.hash.Write(p) }) // which never fails
	defer hashing.Wait()
	return b.other.Write(p)
}

// input tells the reader's errors from the writer's and ends with its context.
type input struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (i *input) Read(b []byte) (int, error) {
	if i.err = i.ctx.Err(); i.err != nil {
		return 0, i.err
	}
	n, err := i.r.Read(b)
	if err != nil && err != io.EOF {
		i.err = err
	}
	return n, err
}

// keep tells whether a package is there already, and lets it live on.
func (p *Packages) keep(pkg Package) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if info, err := os.Stat(p.zipPath(pkg.SHA256)); err != nil || info.Size() != pkg.Size {
		return false
	}
	// It may have been put by a process that was killed before it flushed the names.
	if syncDir(filepath.Dir(p.zipPath(pkg.SHA256))) != nil {
		return false
	}
	delete(p.unused, pkg.SHA256)
	return true
}

// publish gives a received zip and its tree their names. The zip's is flushed; a record may refer to it afterwards.
func (p *Packages) publish(sum, zip, tree string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.unused, sum)
	if err := rename(tree, p.dirPath(sum)); err != nil {
		return err
	}
	shelf := filepath.Dir(p.zipPath(sum))
	if err := os.Mkdir(shelf, 0o700); err == nil {
		err = syncDir(p.path("zip"))
		if err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Rename(zip, p.zipPath(sum)); err != nil {
		return err
	}
	return syncDir(shelf)
}

// rename moves a tree to its name unless there is one already, which has the same content.
func rename(tree, name string) error {
	err := os.Rename(tree, name)
	if err != nil && (errors.Is(err, fs.ErrExist) || isNotEmpty(err)) {
		return nil
	}
	return err
}

// Dir is the unpacked tree of a package, complete, to be used read-only. It is unpacked if need be; concurrent callers
// share the work, which goes on when one of them gives up. fs.ErrNotExist if there is no such package.
func (p *Packages) Dir(ctx context.Context, sum string) (string, error) {
	if err := checkSum(sum); err != nil {
		return "", err
	}
	dir := p.dirPath(sum)
	if p.present(sum, dir) {
		return dir, nil
	}
	done := p.flight.DoChan(sum, func() (any, error) { return nil, p.unpackAgain(context.WithoutCancel(ctx), sum) })
	select {
	case r := <-done:
		if r.Err != nil {
			return "", fmt.Errorf("unpack code package %s: %w", sum, r.Err)
		}
		return dir, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (p *Packages) present(sum, dir string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := os.Stat(dir); err != nil {
		return false
	}
	delete(p.unused, sum)
	return true
}

// unpackAgain makes the tree from the stored zip, whose bytes it checks first.
func (p *Packages) unpackAgain(ctx context.Context, sum string) error {
	if p.present(sum, p.dirPath(sum)) {
		return nil
	}
	if err := p.verify(sum); err != nil {
		return err
	}
	work, err := os.MkdirTemp(p.path("tmp"), "dir-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	tree := filepath.Join(work, "tree")
	if err := unpack(ctx, p.zipPath(sum), tree, nil, p.opt.Limits); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.unused, sum)
	return rename(tree, p.dirPath(sum))
}

// verify reads the stored zip and compares its sum.
func (p *Packages) verify(sum string) error {
	f, err := os.Open(p.zipPath(sum))
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fmt.Errorf("its bytes have changed on disk: SHA-256 is now %s", got)
	}
	return nil
}

// Open gives the package's bytes and their number; the caller closes them. fs.ErrNotExist if there is no such package.
func (p *Packages) Open(sum string) (io.ReadSeekCloser, int64, error) {
	if err := checkSum(sum); err != nil {
		return nil, 0, err
	}
	f, err := os.Open(p.zipPath(sum))
	if err != nil {
		return nil, 0, fmt.Errorf("code package %s: %w", sum, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

func internal(method string, err error) error { return fc.Internal("store/packages."+method, err) }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
