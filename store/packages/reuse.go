package packages

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// A model is a stored package whose files another package may share: its zip and its tree, which was made from that zip.
type model struct {
	file   *os.File // the zip
	zip    *window  // of it
	tree   *os.Root
	files  map[string]*zip.File // by their names in the zip
	spared bool                 // the new tree has links to all of them already
}

// openModel opens the package of a sum. It is nil if there is none, or none that can be used: then nothing is shared.
func (p *Packages) openModel(sum string) *model {
	if checkSum(sum) != nil {
		return nil
	}
	f, err := os.Open(p.zipPath(sum))
	if err != nil {
		return nil
	}
	m := &model{file: f, zip: &window{file: f}, files: map[string]*zip.File{}}
	if m.tree, err = os.OpenRoot(p.dirPath(sum)); err != nil {
		m.close()
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		m.close()
		return nil
	}
	z, err := zip.NewReader(m.zip, info.Size())
	if err != nil {
		m.close()
		return nil
	}
	for _, file := range z.File {
		m.files[file.Name] = file
	}
	return m
}

func (m *model) close() {
	if m == nil {
		return
	}
	m.file.Close()
	if m.tree != nil {
		m.tree.Close()
	}
}

// sharers is how many entries are shared at the same time: most of it is waiting for locks of the file system.
const sharers = 2

// share makes those entries that the model has as well, and returns the others. Together they hold no more than they may,
// as check has seen.
func (u *unpacker) share(ctx context.Context, zip io.ReaderAt, old *model, entries []entry) ([]entry, error) {
	source, err := old.tree.Open(".")
	if err != nil {
		return entries, nil
	}
	defer source.Close()
	target, err := u.root.Open(".")
	if err != nil {
		return nil, internal("unpack", err)
	}
	defer target.Close()
	var parts [sharers][]entry // of entries, which end as the rest of them
	var shared [sharers]int64  // bytes
	all, ctx := errgroup.WithContext(ctx)
	for i := range parts {
		part := entries[i*len(entries)/sharers : (i+1)*len(entries)/sharers]
		all.Go(func() error {
			l := &linker{old: old, zip: zip, source: int(source.Fd()), target: int(target.Fd()), dir: -1, made: map[string]bool{".": true}}
			defer l.close()
			for _, e := range part {
				if err := ctx.Err(); err != nil {
					return err
				}
				if e.kind == regular && l.link(e) {
					shared[i] += int64(e.file.UncompressedSize64)
				} else {
					parts[i] = append(parts[i], e)
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	for _, n := range shared {
		u.left -= n
	}
	return slices.Concat(parts[:]...), nil
}

// A linker gives a new tree files of a model's, as hard links. The new tree has no symbolic links yet, so that no path
// leaves it.
type linker struct {
	old            *model
	zip            io.ReaderAt     // the new package
	source, target int             // the trees
	made           map[string]bool // directories of the new one

	name string // of the directory of the last link, below both trees
	dir  int    // that of the old one; -1: none

	ours, theirs [32 << 10]byte
}

func (l *linker) close() {
	if l.dir >= 0 {
		unix.Close(l.dir)
	}
	l.dir = -1
}

// link makes the entry's file a link to the model's if that is the same. False means that it was not made: it differs, or
// the model's is going at this moment, or has too many links.
func (l *linker) link(e entry) bool {
	if !l.same(e.file) {
		return false
	}
	if l.old.spared {
		return true
	}
	name, leaf := path.Dir(e.name), path.Base(e.name)
	if l.dir < 0 || l.name != name {
		l.close()
		if !l.mkdir(name) {
			return false
		}
		var err error
		if l.dir, err = l.open(name); err != nil {
			l.dir = -1
			return false
		}
		l.name = name
	}
	return unix.Linkat(l.dir, leaf, l.target, e.name, 0) == nil
}

// open opens a directory of the model's tree, by no symbolic link.
func (l *linker) open(name string) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(l.source, name, &how)
	if err == nil || !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
		return fd, err
	}
	// An old kernel, or a container's filter.
	dir, err := l.old.tree.Open(name)
	if err != nil {
		return -1, err
	}
	defer dir.Close()
	return unix.FcntlInt(dir.Fd(), unix.F_DUPFD_CLOEXEC, 0)
}

// mkdir makes a directory of the new tree, and its parents, with mode 0755 whatever the umask. Another linker may make the
// same ones; check has seen that nothing else has their names.
func (l *linker) mkdir(name string) bool {
	if l.made[name] {
		return true
	}
	if !l.mkdir(path.Dir(name)) {
		return false
	}
	switch err := unix.Mkdirat(l.target, name, 0o755); {
	case err == nil:
		if unix.Fchmodat(l.target, name, 0o755, 0) != nil {
			return false
		}
	case !errors.Is(err, unix.EEXIST):
		return false
	}
	l.made[name] = true
	return true
}

// same tells whether the model has the file with the same mode and the same bytes in its zip, and so the same content. A
// checksum would not do: whoever sends a package chooses its checksums.
func (l *linker) same(f *zip.File) bool {
	old := l.old.files[f.Name]
	if old == f { // the model itself
		return true
	}
	if old == nil || old.Method != f.Method || old.Flags&1 != f.Flags&1 || old.Mode() != f.Mode() || old.CRC32 != f.CRC32 ||
		old.CompressedSize64 != f.CompressedSize64 || old.UncompressedSize64 != f.UncompressedSize64 {
		return false
	}
	at, err := f.DataOffset()
	if err != nil {
		return false
	}
	oldAt, err := old.DataOffset()
	if err != nil {
		return false
	}
	for left := int64(f.CompressedSize64); left > 0; {
		n := int(min(left, int64(len(l.ours))))
		if !read(l.zip, l.ours[:n], at) || !read(l.old.zip, l.theirs[:n], oldAt) || !bytes.Equal(l.ours[:n], l.theirs[:n]) {
			return false
		}
		at, oldAt, left = at+int64(n), oldAt+int64(n), left-int64(n)
	}
	return true
}

// read fills b. The end of the file may be told along with the last byte.
func read(r io.ReaderAt, b []byte, at int64) bool {
	n, _ := r.ReadAt(b, at)
	return n == len(b)
}

// A window reads a file in large pieces: a zip is mostly read from its begin to its end, a little at a time, and by some at
// once at different places. It may be used concurrently.
type window struct {
	file io.ReaderAt

	mu     sync.Mutex
	pieces [2 * sharers]piece // the one used last is the first
}

type piece struct {
	at  int64  // where in the file buf begins
	buf []byte // what was read there
}

// windowSize is what is read ahead, in bytes.
const windowSize = 256 << 10

// ReadAt is the file's.
func (w *window) ReadAt(b []byte, at int64) (int, error) {
	if len(b) >= windowSize {
		return w.file.ReadAt(b, at)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.pieces[:], func(p piece) bool { return at >= p.at && at+int64(len(b)) <= p.at+int64(len(p.buf)) })
	if i < 0 {
		i = len(w.pieces) - 1
		p := &w.pieces[i]
		if p.buf == nil {
			p.buf = make([]byte, 0, windowSize)
		}
		n, err := w.file.ReadAt(p.buf[:windowSize], at)
		if n < len(b) {
			p.buf = p.buf[:0]
			return copy(b, p.buf[:n]), err
		}
		p.at, p.buf = at, p.buf[:n]
	}
	p := w.pieces[i]
	copy(w.pieces[1:i+1], w.pieces[:i])
	w.pieces[0] = p
	return copy(b, p.buf[at-p.at:]), nil
}
