package runtimes

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// BootstrapMount is where a sandbox shows the bootstraps.
const BootstrapMount = "/var/fc/bootstrap"

//go:embed nodejs/bootstrap.js nodejs/rehearsal.js python/bootstrap.py java/bootstrap.jar
var bootstraps embed.FS

// writeBootstraps puts the embedded bootstraps into a folder of dir that is named for their content, so that daemons of
// different versions may share dir, and gives the folder's path. What is there already is compared byte by byte and
// replaced if it differs. The folder appears whole or not at all.
func writeBootstraps(dir string) (string, error) {
	name, err := bootstrapName()
	if err != nil {
		return "", err
	}
	target := filepath.Join(dir, name)
	if sameBootstraps(target) {
		return target, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	if err := copyBootstraps(temp); err != nil {
		return "", err
	}
	if err := replaceDir(temp, target); err != nil && !sameBootstraps(target) {
		return "", err
	}
	return target, nil
}

// bootstrapName is a digest of all bootstraps.
func bootstrapName() (string, error) {
	sum := sha256.New()
	err := eachBootstrap(func(path string, content []byte) error {
		fmt.Fprintf(sum, "%s %d\n", path, len(content))
		sum.Write(content)
		return nil
	})
	return hex.EncodeToString(sum.Sum(nil))[:16], err
}

func eachBootstrap(do func(path string, content []byte) error) error {
	return fs.WalkDir(bootstraps, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := bootstraps.ReadFile(path)
		if err != nil {
			return err
		}
		return do(path, content)
	})
}

// copyBootstraps writes the files readable for every user: an instance runs under one of its own.
func copyBootstraps(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	return eachBootstrap(func(path string, content []byte) error {
		file := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
		return errors.Join(os.Chmod(filepath.Dir(file), 0o755), os.Chmod(file, 0o644)) // whatever the umask
	})
}

func sameBootstraps(dir string) bool {
	err := eachBootstrap(func(path string, content []byte) error {
		have, err := os.ReadFile(filepath.Join(dir, path))
		if err == nil && !bytes.Equal(have, content) {
			err = fmt.Errorf("%s differs", path)
		}
		return err
	})
	return err == nil
}

// replaceDir moves temp to target, away with what was there.
func replaceDir(temp, target string) error {
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	return os.Rename(temp, target)
}
