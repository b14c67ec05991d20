package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"fcd/invoker/runtimes"
)

// Options configure an Installer. Dir is required.
type Options struct {
	// Dir is the folder below which the runtimes are kept. It is made if it is missing.
	Dir string
	// From is where packages come from: "" = the package clients of the host (npm, apt); else a folder or an http or
	// https URL that holds them under their file names.
	From string
	// AcceptNew takes, where a pinned Debian package is gone from the archive, the one that is there now, with the
	// checksum of the signed index.
	AcceptNew bool
	// Progress is told how far an installation is; nil = nobody. It is called from one goroutine at a time.
	Progress func(Progress)
	Log      *zap.Logger

	source  Source   // for tests; nil = by From
	bundles []bundle // for tests; nil = bundles()
}

// Stage is what an installation is doing.
type Stage string

// The stages, in this order.
const (
	Waiting   Stage = "waiting"   // for another process that installs
	Fetching  Stage = "fetching"  // Done and Total are bytes of packages
	Unpacking Stage = "unpacking" // Done and Total are bytes of packages
	Settling  Stage = "settling"  // trying the interpreter out
)

// Progress is how far one runtime's installation is.
type Progress struct {
	Runtime     string
	Stage       Stage
	Package     string // the one at work, "" in other stages than Fetching and Unpacking
	Done, Total int64
}

// Installer installs runtimes. It may be used concurrently, by several processes too: they take turns.
type Installer struct {
	o   Options
	dir string
}

// New checks the options and makes the folder. A source that cannot be one is an error; one that is not reachable is not.
func New(o Options) (*Installer, error) {
	if o.Dir == "" {
		return nil, errors.New("install: Options.Dir is missing")
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.bundles == nil {
		o.bundles = bundles()
	}
	if o.source == nil && o.From == "" {
		o.source = newClients()
	}
	if o.source == nil {
		var err error
		if o.source, err = newSource(o.From); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	return &Installer{o: o, dir: dir}, os.MkdirAll(dir, 0o755)
}

// Install makes the runtime's root if it is not there as pinned, and gives its receipt. fresh tells whether there was
// something to do. After an error or a cancelled ctx nothing of the root is visible, and what was fetched is kept for
// the next call. A root that is visible is on the disk; an error of the disk names Options.Dir. An unknown name lists the
// known ones.
func (i *Installer) Install(ctx context.Context, runtime string) (receipt runtimes.Receipt, fresh bool, err error) {
	at := slices.IndexFunc(i.o.bundles, func(b bundle) bool { return b.runtime == runtime })
	if at < 0 {
		return receipt, false, fmt.Errorf("runtime %q cannot be installed; those that can: %s", runtime, strings.Join(i.names(), ", "))
	}
	b := i.o.bundles[at]
	unlock, err := lock(ctx, filepath.Join(i.dir, lockName), func() { i.o.Progress(Progress{Runtime: runtime, Stage: Waiting}) })
	if err != nil {
		return receipt, false, err
	}
	defer unlock()
	root, receipt, err := runtimes.Installed(i.dir, runtime)
	if err != nil {
		i.o.Log.Warn("receipt of an installed runtime is not readable: it is installed anew", zap.String("runtime", runtime), zap.Error(err))
	}
	if err == nil && root != "" && receipt.Pins == b.digest() && hasProgram(root, b.program) {
		return receipt, false, i.named(refreshTrust(root))
	}
	receipt, err = i.install(ctx, b)
	if err != nil {
		return receipt, false, fmt.Errorf("runtime %s: %w", runtime, i.named(err))
	}
	return receipt, true, nil
}

func (i *Installer) names() []string {
	var names []string
	for _, b := range i.o.bundles {
		names = append(names, b.runtime)
	}
	slices.Sort(names)
	return names
}

func (i *Installer) install(ctx context.Context, b bundle) (runtimes.Receipt, error) {
	packages, err := i.fetchAll(ctx, b)
	if err != nil {
		return runtimes.Receipt{}, err
	}
	parent := filepath.Join(i.dir, b.runtime)
	if err := errors.Join(os.MkdirAll(parent, 0o755), sweep(parent)); err != nil {
		return runtimes.Receipt{}, err
	}
	temp, err := os.MkdirTemp(parent, newPrefix)
	if err != nil {
		return runtimes.Receipt{}, err
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil {
		return runtimes.Receipt{}, err
	}
	receipt, err := i.build(ctx, b, packages, temp)
	if err != nil {
		return receipt, err
	}
	if err := flush(temp); err != nil {
		return receipt, err
	}
	return receipt, replace(temp, filepath.Join(parent, receipt.Build))
}

// What unfinished roots and replaced ones are called, until they are removed.
const (
	newPrefix = ".new-"
	oldPrefix = ".old-"
)

// sweep removes what an interrupted installation left. The lock is held, so nobody is at it.
func sweep(parent string) error {
	entries, err := os.ReadDir(parent)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newPrefix) || strings.HasPrefix(e.Name(), oldPrefix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(parent, e.Name())))
		}
	}
	return err
}

// replace puts temp where target is. Instances that run in the old root keep it.
func replace(temp, target string) error {
	old := filepath.Join(filepath.Dir(target), oldPrefix+filepath.Base(target))
	if err := os.Rename(target, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(temp, target); err != nil {
		return errors.Join(err, os.Rename(old, target))
	}
	return errors.Join(syncFile(filepath.Dir(target)), os.RemoveAll(old))
}
