package install

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// apt is the client of the Debian archive. It is used without root and without touching the host's package state: single
// files are fetched, and the index of a suite, where it is needed, is kept in a folder of our own.
type apt struct {
	get, cache, helper string // the programs

	mu     sync.Mutex
	mirror string // found once
}

// debianKeys is where Debian hosts keep the keys that the archive's indexes are signed with.
const debianKeys = "/usr/share/keyrings/debian-archive-keyring.gpg"

// fetch brings a package by its path in the archive. The checksum is given along: apt refuses other bytes, and goes on
// with a part that is there.
func (a *apt) fetch(ctx context.Context, p Package, file string, progress func(int64)) error {
	mirror, err := a.archive(ctx)
	if err != nil {
		return err
	}
	stop := watch(file, p.Size, progress)
	defer stop()
	err = runClient(ctx, a.helper, "download-file", mirror+p.Path, file, "SHA256:"+p.SHA256)
	if os.Remove(file+".FAILED") == nil { // apt's name for bytes that are not the promised ones
		return fmt.Errorf("%s: its bytes differ from the pinned checksum: %w", p.File(), err)
	}
	return err
}

// archive finds the Debian archive among the package sources of the host: its folder is called debian.
func (a *apt) archive(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mirror != "" {
		return a.mirror, nil
	}
	out, err := clientOutput(ctx, a.get, "indextargets", "--format", "$(COMPONENT) $(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		component, uri, _ := strings.Cut(strings.TrimSpace(line), " ")
		if uri = strings.TrimSuffix(uri, "/"); component == "main" && strings.HasSuffix(uri, "/debian") {
			a.mirror = uri + "/"
			return a.mirror, nil
		}
	}
	return "", errNoArchive
}

// newest reads the signed index of the package's suite.
func (a *apt) newest(ctx context.Context, p Package) (Package, error) {
	mirror, err := a.archive(ctx)
	if err != nil {
		return Package{}, err
	}
	dir, err := os.MkdirTemp("", "fcd-apt-")
	if err != nil {
		return Package{}, err
	}
	defer os.RemoveAll(dir)
	options, err := aptState(dir, mirror, p.Suite)
	if err != nil {
		return Package{}, err
	}
	if err := runClient(ctx, a.get, append(options, "update", "--error-on=any")...); err != nil {
		return Package{}, err
	}
	out, err := clientOutput(ctx, a.cache, append(options, "show", "--no-all-versions", p.Name)...)
	if err != nil {
		return Package{}, err
	}
	return readIndexEntry(p, out)
}

// aptState makes a folder in which apt knows one suite and nothing of this host, and the options that lead it there.
func aptState(dir, mirror, suite string) ([]string, error) {
	for _, name := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return nil, err
		}
	}
	signed := ""
	if _, err := os.Stat(debianKeys); err == nil {
		signed = "signed-by=" + debianKeys + " "
	}
	source := fmt.Sprintf("deb [%sarch=amd64] %s %s main\n", signed, mirror, suite)
	if err := os.WriteFile(filepath.Join(dir, "sources.list"), []byte(source), 0o644); err != nil {
		return nil, err
	}
	settings := fmt.Sprintf(`Dir::State "%[1]s/state";
Dir::State::status "/dev/null";
Dir::Cache "%[1]s/cache";
Dir::Etc::sourcelist "%[1]s/sources.list";
Dir::Etc::sourceparts "-";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`, dir)
	file := filepath.Join(dir, "apt.conf")
	return []string{"-q", "-c=" + file}, os.WriteFile(file, []byte(settings), 0o644)
}

// readIndexEntry takes version, path, size and checksum of p's successor from a paragraph of a package index.
func readIndexEntry(p Package, paragraph string) (Package, error) {
	found := Package{Name: p.Name, Suite: p.Suite}
	for line := range strings.Lines(paragraph) {
		if strings.TrimSpace(line) == "" {
			break // the paragraph's end
		}
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Version":
			found.Version = value
		case "Filename":
			found.Path = value
		case "SHA256":
			found.SHA256 = value
		case "Size":
			found.Size, _ = strconv.ParseInt(value, 10, 64)
		}
	}
	if found.Version == "" || found.Path == "" || len(found.SHA256) != 64 || found.Size <= 0 {
		return Package{}, fmt.Errorf("%s: the index of %s has no complete entry", p.Name, p.Suite)
	}
	return found, nil
}
