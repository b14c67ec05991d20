package local

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// Folder is a function's folder as it is deployed. Scanning it again reads only the files that have changed, and packing
// it again compresses only those. It is not safe for concurrent use.
type Folder struct {
	dir   string
	files map[string]*file // by path
}

// NewFolder is the folder at dir; nothing is read before Scan.
func NewFolder(dir string) *Folder { return &Folder{dir: filepath.Clean(dir)} }

// file is one entry of a folder. It does not change once it is in a Snapshot, but for packed.
type file struct {
	path  string // slashes, below the folder
	state state
	sum   [sha256.Size]byte
	// What a zip holds of it. Small enough to be kept: code packages are.
	packed []byte
	header zip.FileHeader
}

// state tells whether a file has been written since it was read.
type state struct {
	mode          fs.FileMode
	size          int64
	mtime, ctime  syscall.Timespec
	device, inode uint64
}

// Snapshot is what a folder held at one moment.
type Snapshot struct {
	Sum   string // of all names, modes and bytes: the same for the same code
	Bytes int64
	files []*file // sorted as a walk goes
}

// Paths are the files of the snapshot, with slashes, below the folder.
func (s *Snapshot) Paths() []string {
	paths := make([]string, len(s.files))
	for i, f := range s.files {
		paths[i] = f.path
	}
	return paths
}

// Changed counts the files of the snapshot that an earlier one of the same Folder does not have as they are, and those
// that it alone has.
func (s *Snapshot) Changed(earlier *Snapshot) int {
	had := make(map[string]*file, len(earlier.files))
	for _, f := range earlier.files {
		had[f.path] = f
	}
	n := 0
	for _, f := range s.files {
		old := had[f.path]
		if old == nil || old != f && (old.sum != f.sum || old.state.mode != f.state.mode) {
			n++
		}
		delete(had, f.path)
	}
	return n + len(had)
}

// leftOut tells what neither is code nor shall start a deployment: version control and what editors leave while they save.
func leftOut(name string) bool {
	switch {
	case name == ".git", name == ".hg", name == ".svn", name == ".DS_Store", name == "__pycache__", name == "4913":
		return true
	case strings.HasSuffix(name, "~"), strings.HasPrefix(name, ".#"), strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#"):
		return true
	}
	swap, _ := path.Match(".*.sw?", name) // the pattern is well-formed
	return swap
}

// readers is how many files are looked at at a time: for a large folder that is most of a Scan.
const readers = 2

// Scan reads what has changed since the last Scan. A file that goes while it is being read is left out: a later change
// tells of it.
func (f *Folder) Scan() (*Snapshot, error) {
	names, err := f.names()
	if err != nil {
		return nil, err
	}
	found := make([]*file, len(names)) // nil: it has gone
	var all errgroup.Group
	for part := range readers {
		all.Go(func() error {
			for i := part * len(names) / readers; i < (part+1)*len(names)/readers; i++ {
				var err error
				if found[i], err = f.read(names[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	s := &Snapshot{files: slices.DeleteFunc(found, func(read *file) bool { return read == nil })}
	f.files = make(map[string]*file, len(s.files))
	for _, read := range s.files {
		f.files[read.path] = read
		s.Bytes += read.state.size
	}
	s.Sum = s.sum()
	return s, nil
}

// names are the files and symbolic links of the folder that count.
func (f *Folder) names() (names []string, err error) {
	err = filepath.WalkDir(f.dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != f.dir:
			return nil
		case err != nil:
			return err
		case leftOut(e.Name()) && name != f.dir && e.IsDir():
			return filepath.SkipDir
		case leftOut(e.Name()) || !e.Type().IsRegular() && e.Type() != fs.ModeSymlink:
			return nil
		}
		names = append(names, name)
		return nil
	})
	return names, err
}

// read looks at one file, which may have gone: fs.ErrNotExist. It may be used concurrently.
func (f *Folder) read(name string) (*file, error) {
	rel := filepath.ToSlash(strings.TrimPrefix(name[len(f.dir):], string(filepath.Separator)))
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeSymlink { // by now
		return nil, fs.ErrNotExist
	}
	now := stateOf(info)
	if old := f.files[rel]; old != nil && old.state == now {
		return old, nil
	}
	content, err := content(name, info.Mode())
	if err != nil {
		return nil, err
	}
	read := &file{path: rel, state: now, sum: sha256.Sum256(content)}
	if old := f.files[rel]; old != nil && old.sum == read.sum && old.state.mode == now.mode {
		read.packed, read.header = old.packed, old.header // touched only
		return read, nil
	}
	if err := read.pack(content); err != nil {
		return nil, err
	}
	return read, nil
}

func stateOf(info fs.FileInfo) state {
	s := state{mode: info.Mode(), size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.mtime, s.ctime, s.device, s.inode = sys.Mtim, sys.Ctim, sys.Dev, sys.Ino
	}
	return s
}

// content is what a zip keeps of a file: a symbolic link's target, else its bytes.
func content(name string, mode fs.FileMode) ([]byte, error) {
	if mode&fs.ModeSymlink != 0 {
		target, err := os.Readlink(name)
		return []byte(target), err
	}
	return os.ReadFile(name)
}

// pack compresses the file, quickly rather than well.
func (f *file) pack(content []byte) error {
	f.header = zip.FileHeader{Name: f.path, CRC32: crc32.ChecksumIEEE(content), UncompressedSize64: uint64(len(content))}
	f.header.SetMode(f.state.mode)
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	f.packed, f.header.Method = out.Bytes(), zip.Deflate
	if out.Len() >= len(content) {
		f.packed, f.header.Method = content, zip.Store
	}
	f.header.CompressedSize64 = uint64(len(f.packed))
	return nil
}

func (s *Snapshot) sum() string {
	h := sha256.New()
	for _, f := range s.files {
		fmt.Fprintf(h, "%q %o %x\n", f.path, f.state.mode, f.sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Zip is the snapshot as a code package: regular files and symbolic links, with their modes, in a stable order.
func (s *Snapshot) Zip() ([]byte, error) {
	size := 22 // its end
	for _, f := range s.files {
		const perFile = 150 // a header before it, a second in the directory, and what marks its end
		size += len(f.packed) + 2*len(f.path) + perFile
	}
	out := bytes.NewBuffer(make([]byte, 0, size))
	w := zip.NewWriter(out)
	for _, f := range s.files {
		header := f.header
		entry, err := w.CreateRaw(&header)
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write(f.packed); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
