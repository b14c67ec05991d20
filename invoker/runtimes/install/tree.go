package install

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Bounds of one root file system; java8, the biggest, has 1,500 files and 130 MiB.
const (
	maxTreeFiles = 50_000
	maxTreeBytes = 1 << 30
)

// tree is a root file system that is being filled. Every access goes through an os.Root: a name or a link that would
// lead out of it is an error, whatever the packages hold.
type tree struct {
	root  *os.Root
	files int
	bytes int64
}

// newTree lays out dir: the folders of a merged /usr, the links to them, made before anything is unpacked since old
// packages still ship /lib, and the empty folders that a sandbox mounts on.
func newTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	t := &tree{root: root}
	for _, name := range []string{"usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "etc", "proc", "dev", "tmp", "code", "var/fc"} {
		if err := t.mkdir(name); err != nil {
			root.Close()
			return nil, err
		}
	}
	for _, name := range []string{"bin", "lib", "lib64", "sbin"} {
		if err := root.Symlink("usr/"+name, name); err != nil {
			root.Close()
			return nil, err
		}
	}
	return t, nil
}

func (t *tree) close() error { return t.root.Close() }

// mkdir makes a folder and those above it; links to folders count as folders.
func (t *tree) mkdir(name string) error {
	if info, err := t.root.Stat(name); err == nil {
		if info.IsDir() {
			return nil
		}
		return fmt.Errorf("%s is in the way: it is no folder", name)
	}
	if parent := path.Dir(name); parent != "." {
		if err := t.mkdir(parent); err != nil {
			return err
		}
	}
	if err := t.root.Mkdir(name, 0o755); err != nil {
		return err
	}
	return t.root.Chmod(name, 0o755) // whatever the umask
}

// unpack takes over what pick gives a name to; "" leaves an entry out. Files, folders and links only: an archive with
// anything else, with a name that leads out of the tree or with too much in it is refused.
func (t *tree) unpack(archive *tar.Reader, pick func(name string) string) error {
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := cleanName(h.Name)
		if err != nil {
			return err
		}
		if t.files++; t.files > maxTreeFiles {
			return fmt.Errorf("more than %d files", maxTreeFiles)
		}
		if name = pick(name); name == "" || name == "." {
			continue
		}
		if err := t.entry(h, name, archive, pick); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
}

func (t *tree) entry(h *tar.Header, name string, content io.Reader, pick func(string) string) error {
	if h.Typeflag == tar.TypeDir {
		return t.mkdir(name)
	}
	if err := t.mkdir(path.Dir(name)); err != nil {
		return err
	}
	if err := t.clear(name); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return t.file(h, name, content)
	case tar.TypeSymlink:
		return t.link(h.Linkname, name)
	case tar.TypeLink:
		to, err := cleanName(h.Linkname)
		if err != nil {
			return err
		}
		if to = pick(to); to == "" {
			return fmt.Errorf("it is a link to %q, which is left out", h.Linkname)
		}
		return t.root.Link(to, name)
	}
	return fmt.Errorf("type %q is neither file, folder nor link", h.Typeflag)
}

// clear removes a file or link that an earlier package put where one is to come. A folder stays, and is an error.
func (t *tree) clear(name string) error {
	info, err := t.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := t.root.Stat(name); info.IsDir() || err == nil && isLayout(name) {
		return errors.New("a folder is in the way")
	}
	return t.root.Remove(name)
}

// isLayout names the links that newTree made, which no package may replace.
func isLayout(name string) bool {
	return name == "bin" || name == "lib" || name == "lib64" || name == "sbin"
}

// file writes a file that everybody may read, and run if its owner could, and nobody but the installing user may change.
func (t *tree) file(h *tar.Header, name string, content io.Reader) error {
	if t.bytes += h.Size; h.Size < 0 || t.bytes > maxTreeBytes {
		return fmt.Errorf("more than %d bytes in all", int64(maxTreeBytes))
	}
	f, err := t.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	mode := fs.FileMode(0o644)
	if h.Mode&0o100 != 0 {
		mode = 0o755
	}
	if err := errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	return t.root.Chtimes(name, h.ModTime, h.ModTime)
}

// link makes a symbolic link. An absolute one means the tree's root, as it will inside; a relative one must not lead above it.
func (t *tree) link(to, name string) error {
	if !path.IsAbs(to) {
		if _, err := cleanName(path.Join(path.Dir(name), to)); err != nil {
			return fmt.Errorf("link to %q: %w", to, err)
		}
	}
	return t.root.Symlink(to, name)
}

// write puts a file of our own.
func (t *tree) write(name string, content []byte) error {
	if err := t.mkdir(path.Dir(name)); err != nil {
		return err
	}
	if err := t.clear(name); err != nil {
		return err
	}
	if err := t.root.WriteFile(name, content, 0o644); err != nil {
		return err
	}
	return t.root.Chmod(name, 0o644)
}

// linkMissing makes a link of our own where no package made something.
func (t *tree) linkMissing(to, name string) error {
	if _, err := t.root.Lstat(name); err == nil {
		return nil
	}
	if err := t.mkdir(path.Dir(name)); err != nil {
		return err
	}
	return t.link(to, name)
}

// cleanName makes a name of an archive relative to the tree's root.
func cleanName(name string) (string, error) {
	clean := path.Clean(name)
	if name == "" || path.IsAbs(name) || clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains(name, "\x00") {
		return "", fmt.Errorf("name %q leads out of the folder", name)
	}
	return clean, nil
}
