package packages

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"fcd/fc"
)

// Bounds that no honest package meets.
const (
	maxName       = 2048    // bytes of an entry's path
	maxElement    = 255     // bytes of one element of it, as file systems have it
	maxDepth      = 64      // elements of it
	maxLink       = 1024    // bytes of a symbolic link's target
	ratioFreeSize = 1 << 20 // the ratio counts above this unpacked size
)

// kind is what an entry makes.
type kind int

const (
	regular kind = iota
	directory
	link
)

// entry is a checked entry of a zip.
type entry struct {
	file *zip.File
	name string // clean, relative, without a trailing slash
	kind kind
	exec bool
}

func refuse(format string, args ...any) error { return fc.Errorf(fc.InvalidArgument, format, args...) }

// unreadable tells a zip that is wrong, which is refused, from a disk that does not give it back.
func unreadable(err error, format string, args ...any) error {
	// At a place that the zip names and no file can have, the kernel says these two, and package os an error of its own.
	var disk syscall.Errno
	if errors.As(err, &disk) && disk != syscall.EINVAL && disk != syscall.EOVERFLOW {
		return internal("unpack", err)
	}
	var read *fs.PathError
	if errors.As(err, &read) {
		err = read.Err
	}
	return refuse("%s: %v", fmt.Sprintf(format, args...), err)
}

// unpack makes the directory tree from the zip file. It checks every entry's claims before it writes the first, and
// what they really hold while it writes. Files that old has as well are taken from its tree; nil has none. If it is spared,
// the tree is there and is its spare. On error the tree may be partly there; the caller removes it.
func unpack(ctx context.Context, file, tree string, old *model, lim fc.Limits) error {
	f, err := os.Open(file)
	if err != nil {
		return internal("unpack", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return internal("unpack", err)
	}
	if err := countEntries(f, info.Size(), lim.MaxPackageEntries); err != nil {
		return err
	}
	in := &window{file: f}
	z, err := zip.NewReader(in, info.Size())
	if err != nil {
		return unreadable(err, "code is not a zip file that can be read")
	}
	entries, err := check(z.File, info.Size(), lim)
	if err != nil {
		return err
	}
	u, err := newUnpacker(tree)
	if err != nil {
		return internal("unpack", err)
	}
	defer u.root.Close()
	u.left = allowance(info.Size(), lim)
	if old == nil {
		return u.all(ctx, entries)
	}
	others, err := u.share(ctx, in, old, entries)
	if err == nil && old.spared {
		err = u.trim(old, entries, others)
	}
	if err != nil {
		return err
	}
	return u.all(ctx, others)
}

// newUnpacker opens the tree, which it makes if it is not there. The caller closes its root.
func newUnpacker(tree string) (*unpacker, error) {
	if err := os.Mkdir(tree, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	root, err := os.OpenRoot(tree)
	if err != nil {
		return nil, err
	}
	return &unpacker{root: root, made: map[string]bool{}}, nil
}

// allowance is how many bytes a zip of this size may unpack to.
func allowance(zipSize int64, lim fc.Limits) int64 {
	return min(lim.MaxUnpackedBytes, max(zipSize*lim.MaxUnpackRatio, ratioFreeSize))
}

// check looks at everything that the zip's directory says.
func check(files []*zip.File, zipSize int64, lim fc.Limits) ([]entry, error) {
	if len(files) > lim.MaxPackageEntries {
		return nil, refuse("code package has more than %d entries", lim.MaxPackageEntries)
	}
	var total uint64
	kinds := map[string]kind{}
	var entries []entry
	for _, f := range files {
		e, err := checkEntry(f)
		if err != nil {
			return nil, err
		}
		if e.name == "." {
			continue
		}
		if old, ok := kinds[e.name]; ok && (old != directory || e.kind != directory) {
			return nil, refuse("code package has two entries named %q", clip(e.name))
		}
		kinds[e.name] = e.kind
		entries = append(entries, e)
		if total += f.UncompressedSize64; total > uint64(lim.MaxUnpackedBytes) || f.UncompressedSize64 > uint64(lim.MaxUnpackedBytes) {
			return nil, refuse("code package unpacks to more than %d bytes (entry %q)", lim.MaxUnpackedBytes, clip(e.name))
		}
	}
	if most := allowance(zipSize, lim); total > uint64(most) {
		return nil, refuse("code package of %d bytes unpacks to %d bytes, more than %d times its size", zipSize, total, lim.MaxUnpackRatio)
	}
	return entries, checkParents(entries, kinds)
}

// checkParents refuses entries below something that is not a directory.
func checkParents(entries []entry, kinds map[string]kind) error {
	for _, e := range entries {
		for dir := path.Dir(e.name); dir != "."; dir = path.Dir(dir) {
			if k, ok := kinds[dir]; ok && k != directory {
				return refuse("entry %q of the code package lies below %q, which is not a directory", clip(e.name), clip(dir))
			}
		}
	}
	return nil
}

func checkEntry(f *zip.File) (entry, error) {
	name, err := cleanName(f.Name)
	if err != nil {
		return entry{}, err
	}
	switch {
	case f.Flags&1 != 0:
		return entry{}, refuse("entry %q of the code package is encrypted", clip(f.Name))
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return entry{}, refuse("entry %q of the code package has compression method %d; only stored and deflated are supported",
			clip(f.Name), f.Method)
	}
	e := entry{file: f, name: name, exec: f.Mode()&0o111 != 0}
	switch mode := f.Mode(); {
	case mode.IsDir() || strings.HasSuffix(f.Name, "/"):
		e.kind = directory
	case mode.Type() == fs.ModeSymlink:
		e.kind = link
		if f.UncompressedSize64 > maxLink {
			return entry{}, refuse("symbolic link %q of the code package has a target of %d bytes", clip(f.Name), f.UncompressedSize64)
		}
	case mode.Type() != 0:
		return entry{}, refuse("entry %q of the code package is not a file, directory or symbolic link (%s)", clip(f.Name), mode)
	}
	if name == "." && e.kind != directory {
		return entry{}, refuse("entry %q of the code package names the package itself", clip(f.Name))
	}
	return e, nil
}

// cleanName is the entry's path without needless elements.
func cleanName(name string) (string, error) {
	const where = "of the code package"
	switch {
	case name == "":
		return "", refuse("an entry %s has no name", where)
	case strings.IndexByte(name, 0) >= 0:
		return "", refuse("entry %q %s has a NUL in its name", clip(name), where)
	case strings.Contains(name, `\`):
		return "", refuse("entry %q %s has a backslash in its name; use forward slashes", clip(name), where)
	case strings.HasPrefix(name, "/"):
		return "", refuse("entry %q %s has an absolute path", clip(name), where)
	case len(name) > maxName:
		return "", refuse("entry %q %s has a path of %d bytes, more than %d", clip(name), where, len(name), maxName)
	}
	elements := strings.Split(path.Clean(name), "/")
	for _, e := range strings.Split(name, "/") {
		switch {
		case e == "..":
			return "", refuse("entry %q %s has a path with ..", clip(name), where)
		case len(e) > maxElement:
			return "", refuse("entry %q %s has an element of %d bytes, more than %d", clip(name), where, len(e), maxElement)
		}
	}
	if len(elements) > maxDepth {
		return "", refuse("entry %q %s lies %d directories deep, more than %d", clip(name), where, len(elements), maxDepth)
	}
	return strings.Join(elements, "/"), nil
}

// clip keeps messages short.
func clip(name string) string {
	if len(name) > 120 {
		return name[:120] + "…"
	}
	return name
}

// unpacker writes checked entries into a root that nothing can leave.
type unpacker struct {
	root *os.Root
	made map[string]bool // directories
	left int64           // bytes that may still be written
}

func (u *unpacker) all(ctx context.Context, entries []entry) error {
	var links []entry
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := u.write(e); err != nil {
			return err
		}
		if e.kind == link {
			links = append(links, e)
		}
	}
	for _, e := range links {
		if err := u.checkLink(e.name); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) write(e entry) error {
	if e.kind == directory {
		return u.mkdir(e.name)
	}
	if err := u.mkdir(path.Dir(e.name)); err != nil {
		return err
	}
	if e.kind == link {
		return u.link(e)
	}
	return u.file(e)
}

// mkdir makes a directory and its parents with mode 0755 whatever the umask.
func (u *unpacker) mkdir(name string) error {
	if u.made[name] {
		return nil
	}
	if name != "." {
		if err := u.mkdir(path.Dir(name)); err != nil {
			return err
		}
		// What is there already is a directory, which another unpacker of the tree has made: check has seen to that.
		if err := u.root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return internal("unpack", err)
		}
	}
	if err := u.root.Chmod(name, 0o755); err != nil {
		return internal("unpack", err)
	}
	u.made[name] = true
	return nil
}

func (u *unpacker) file(e entry) (err error) {
	perm := fs.FileMode(0o644)
	if e.exec {
		perm = 0o755
	}
	f, err := u.root.OpenFile(e.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return internal("unpack", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = internal("unpack", cerr)
		}
	}()
	if err := f.Chmod(perm); err != nil {
		return internal("unpack", err)
	}
	return u.copy(f, e)
}

// copy writes what an entry really holds.
func (u *unpacker) copy(w io.Writer, e entry) error {
	r, err := e.file.Open()
	if err != nil {
		return unreadable(err, "entry %q of the code package cannot be read", clip(e.name))
	}
	defer r.Close()
	in := &source{r: io.LimitReader(r, u.left+1)}
	n, err := io.Copy(w, in)
	switch {
	case in.err != nil:
		return unreadable(in.err, "entry %q of the code package cannot be read", clip(e.name))
	case err != nil:
		return internal("unpack", err)
	case n > u.left:
		return refuse("code package unpacks to more than it may (entry %q)", clip(e.name))
	}
	u.left -= n
	return nil
}

// source tells a damaged zip from a full disk.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// link makes a symbolic link whose target is relative and does not climb out by its text.
func (u *unpacker) link(e entry) error {
	var b strings.Builder
	if err := u.copy(&b, e); err != nil {
		return err
	}
	target := b.String()
	switch {
	case target == "" || strings.IndexByte(target, 0) >= 0 || len(target) > maxLink:
		return refuse("symbolic link %q of the code package has no usable target", clip(e.name))
	case path.IsAbs(target):
		return refuse("symbolic link %q of the code package leaves it: %q is absolute", clip(e.name), clip(target))
	}
	if to := path.Join(path.Dir(e.name), target); to == ".." || strings.HasPrefix(to, "../") {
		return leaves(e.name, target)
	}
	if err := u.root.Symlink(target, e.name); err != nil {
		return internal("unpack", err)
	}
	return nil
}

func leaves(name, target string) error {
	return refuse("symbolic link %q of the code package leaves it: %q", clip(name), clip(target))
}

// checkLink follows a link through the finished tree: links may climb out together though each looks harmless.
func (u *unpacker) checkLink(name string) error {
	_, err := u.root.Stat(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	target, _ := u.root.Readlink(name)
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return refuse("symbolic link %q of the code package leads nowhere in it: %q: %v", clip(name), clip(target), fmt.Sprint(err))
}
