package runtimes

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"go.uber.org/zap"

	"fcd/fc"
)

// Options configure a Table. BootstrapDir is required.
type Options struct {
	// BootstrapDir is the folder of the host below which the bootstraps are written. Instances run under users of their
	// own and reach it through a mount, so it may lie below a folder that is closed to others.
	BootstrapDir string
	// Settings are the operator's changes, by runtime name. An unknown name is an error.
	Settings map[string]Settings
	// InstallDir is where package install keeps its runtimes. One that is there serves unless the operator's Settings name
	// a root or a command. "" = none is looked for.
	InstallDir string
	// HostDirs are where interpreters of the host are looked for. Default /usr/bin and /usr/local/bin: of the host, a
	// sandbox shows /usr alone, so an interpreter elsewhere, a version manager's for example, would not start.
	HostDirs []string
	// Only names the runtimes to look for, which saves the time of asking the other interpreters; those are in the table
	// and not ready. Empty: all.
	Only []string
	Log  *zap.Logger
}

// Settings are what an operator may change of a runtime. The zero value changes nothing.
type Settings struct {
	// Root is a directory that holds the runtime's own /usr and /etc; "" = the host's /usr.
	Root string
	// Command is the interpreter and its first arguments, its path absolute as seen inside; empty = the usual name is
	// looked for in the usual places.
	Command []string
	// Args stand between the interpreter and the bootstrap.
	Args []string
	// Env is added to the environment of every instance; it wins over the runtime's own variables.
	Env map[string]string
	// Fallbacks are runtimes that serve in place of this one while it is not installed, the first ready one wins. Code
	// written for one version need not run on another, so the default is none.
	Fallbacks []string
	// AllowNewer accepts an interpreter that is newer than the runtime's versions.
	AllowNewer bool
}

// Table holds the runtimes that functions may name. It does not change after New and may be used concurrently.
type Table struct {
	runtimes map[string]*Runtime // by name, without aliases
}

// aliases are names that functions may use besides those of the rows.
var aliases = map[string]string{"nodejs4.4": "nodejs6"}

// New writes the bootstraps, looks for the interpreters and asks each for its version. A runtime whose interpreter is
// missing or of a wrong version is in the table, not ready, with the reason; that is no error of New.
func New(o Options) (*Table, error) {
	if o.BootstrapDir == "" {
		return nil, errors.New("runtimes: Options.BootstrapDir is missing")
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.HostDirs == nil {
		o.HostDirs = []string{"/usr/bin", "/usr/local/bin"}
	}
	if err := checkSettings(o.Settings); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.BootstrapDir)
	if err != nil {
		return nil, err
	}
	if dir, err = writeBootstraps(dir); err != nil {
		return nil, fmt.Errorf("bootstraps of the runtimes: %w", err)
	}
	if o.InstallDir != "" {
		if o.InstallDir, err = filepath.Abs(o.InstallDir); err != nil {
			return nil, err
		}
	}
	t := &Table{runtimes: map[string]*Runtime{}}
	f := finder{hostDirs: o.HostDirs, installDir: o.InstallDir, versions: map[string]func() (string, error){}}
	for _, row := range rows {
		t.runtimes[row.name] = &Runtime{Name: row.name, row: row, settings: o.Settings[row.name], bootstrapDir: dir}
	}
	t.probe(&f, o.wanted())
	t.fallBack()
	for _, name := range t.Names() {
		s := t.runtimes[name].Probe()
		o.Log.Debug("runtime", zap.String("name", s.Name), zap.Bool("ready", s.Ready), zap.String("version", s.Version),
			zap.String("path", s.Path), zap.String("origin", s.Origin), zap.String("reason", s.Reason))
	}
	return t, nil
}

// checkSettings refuses names that the table does not have and paths that cannot be meant.
func checkSettings(settings map[string]Settings) error {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		s := settings[name]
		if !slices.ContainsFunc(rows, func(r row) bool { return r.name == name }) {
			return fmt.Errorf("runtimes: unknown runtime %q", name)
		}
		if s.Root != "" && !filepath.IsAbs(s.Root) {
			return fmt.Errorf("runtimes: root %q of %s is not absolute", s.Root, name)
		}
		if len(s.Command) > 0 && !filepath.IsAbs(s.Command[0]) {
			return fmt.Errorf("runtimes: command %q of %s is not absolute", s.Command[0], name)
		}
		for _, other := range s.Fallbacks {
			if !slices.ContainsFunc(rows, func(r row) bool { return r.name == other }) {
				return fmt.Errorf("runtimes: fallback %q of %s is an unknown runtime", other, name)
			}
		}
	}
	return nil
}

// wanted tells whether a runtime is to be looked for: it was asked for or may serve in place of one that was.
func (o *Options) wanted() func(name string) bool {
	want := map[string]bool{}
	for _, name := range o.Only {
		if real, ok := aliases[name]; ok {
			name = real
		}
		want[name] = true
		for _, other := range o.Settings[name].Fallbacks {
			want[other] = true
		}
	}
	return func(name string) bool { return len(want) == 0 || want[name] }
}

// probe finds and asks the wanted interpreters, all at once.
func (t *Table) probe(f *finder, wanted func(string) bool) {
	var wg sync.WaitGroup
	for name, r := range t.runtimes {
		if wanted(name) {
			wg.Go(func() { r.find(f) })
		} else {
			r.status = Status{Name: name, Reason: fmt.Sprintf("runtime %s was not looked for", name)}
		}
	}
	wg.Wait()
}

// fallBack lets ready runtimes serve for those whose operator named them as fallbacks. One step, no chains.
func (t *Table) fallBack() {
	served := map[string]*Runtime{}
	for name, r := range t.runtimes {
		if r.status.Ready {
			continue
		}
		for _, other := range r.settings.Fallbacks {
			if t.runtimes[other].status.Ready {
				served[name] = t.runtimes[other].standInFor(name)
				break
			}
		}
	}
	maps.Copy(t.runtimes, served)
}

// Get gives the runtime of a name or an alias, ready or not. An unknown name is *fc.Error InvalidArgument.
func (t *Table) Get(name string) (*Runtime, error) {
	if real, ok := aliases[name]; ok {
		name = real
	}
	if r, ok := t.runtimes[name]; ok {
		return r, nil
	}
	return nil, fc.Errorf(fc.InvalidArgument, "Runtime is set to an invalid value (actual: '%s')", name)
}

// Names are the runtimes of the table, sorted, without aliases.
func (t *Table) Names() []string { return slices.Sorted(maps.Keys(t.runtimes)) }

// Statuses are the states of all runtimes, sorted by name.
func (t *Table) Statuses() []Status {
	var all []Status
	for _, name := range t.Names() {
		all = append(all, t.runtimes[name].status)
	}
	return all
}
