// Package npm gives tests the real JavaScript clients, as the packages of functions hold them: what `make test` has
// fetched, or what FCD_TEST_NPM names.
package npm

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Dir is the folder that holds node_modules. The test is skipped where there is none.
func Dir(t testing.TB) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("FCD_TEST_NPM"), filepath.Join("..", ".cache", "clients"), filepath.Join("..", "..", ".cache", "clients")} {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", "ali-oss")); dir != "" && err == nil {
			return dir
		}
	}
	t.Skip("the JavaScript clients are not there: FCD_TEST_NPM names no folder with node_modules (make test fetches them)")
	return ""
}

// Add puts a package of Dir and all that it needs into a zip, below node_modules.
func Add(t testing.TB, z *zip.Writer, name string) {
	t.Helper()
	dir := Dir(t)
	packages, err := closure(dir, name)
	for _, p := range packages {
		if err == nil {
			err = add(z, dir, p)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
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

// add puts the code of one package into the zip, without what only browsers, tools and readers need.
func add(z *zip.Writer, dir, name string) error {
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
		w, err := z.Create(filepath.ToSlash(inside))
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	})
}
