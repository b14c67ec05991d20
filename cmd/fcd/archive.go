package main

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
)

// zipDir packs the folder as a code package: regular files and symbolic links, with their modes, in a stable order.
// Version control and editor leavings are left out.
func zipDir(dir string) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if e.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		return zipFile(w, dir, path, e)
	})
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func zipFile(w *zip.Writer, dir, path string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return err
	}
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	header, err := zip.FileInfoHeader(info)
	if err != nil {
		return err
	}
	header.Name, header.Method = filepath.ToSlash(name), zip.Deflate
	entry, err := w.CreateHeader(header)
	if err != nil {
		return err
	}
	content, err := content(path, info.Mode())
	if err != nil {
		return err
	}
	_, err = entry.Write(content)
	return err
}

// content is what a zip keeps of a file: a symbolic link's target, else its bytes.
func content(path string, mode fs.FileMode) ([]byte, error) {
	if mode&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		return []byte(target), err
	}
	return os.ReadFile(path)
}
