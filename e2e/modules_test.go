package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// npm is the folder of the real JavaScript clients: what FCD_TEST_NPM names, or where `make test` puts them.
func npm(t testing.TB) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("FCD_TEST_NPM"), filepath.Join("..", ".cache", "clients")} {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", "ali-oss")); dir != "" && err == nil {
			return dir
		}
	}
	t.Skip("the JavaScript clients are not there: FCD_TEST_NPM names no folder with node_modules (make test fetches them)")
	return ""
}

// withModule zips index.js together with a package of npm and all that it needs, as a developer's package has it.
func withModule(t testing.TB, source, name string) []byte {
	t.Helper()
	dir := npm(t)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	must(t, addFile(z, "index.js", []byte(source)))
	packages, err := closure(dir, name)
	must(t, err)
	for _, p := range packages {
		must(t, addPackage(z, dir, p))
	}
	must(t, z.Close())
	return b.Bytes()
}

// closure is the package and what it depends on, by the lock file beside node_modules.
func closure(dir, name string) ([]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]struct{ Dependencies map[string]string }
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		return nil, fmt.Errorf("package-lock.json: %w", err)
	}
	seen := map[string]bool{}
	for next := []string{name}; len(next) > 0; next = next[1:] {
		if !seen[next[0]] {
			seen[next[0]] = true
			next = slices.AppendSeq(next, maps.Keys(lock.Packages["node_modules/"+next[0]].Dependencies))
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// addPackage puts the code of a package into the zip, without what only browsers, tools and readers need.
func addPackage(z *zip.Writer, dir, name string) error {
	top := filepath.Join(dir, "node_modules", name)
	return filepath.WalkDir(top, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == filepath.Join(top, "dist") && (name == "ali-oss" || name == "protobufjs") {
			return filepath.SkipDir
		}
		kinds := []string{".js", ".mjs", ".cjs", ".json", ".proto"}
		if !e.Type().IsRegular() || !slices.Contains(kinds, filepath.Ext(path)) || strings.HasSuffix(path, ".min.js") {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return addFile(z, inside, content)
	})
}
