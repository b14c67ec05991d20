package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryTrapHasItsTest reads the table of docs/security.md: each row names tests, and each of them exists.
func TestEveryTrapHasItsTest(t *testing.T) {
	functions, suite := testSources(t)
	data, err := os.ReadFile("../docs/security.md")
	must(t, err)
	_, table, _ := strings.Cut(string(data), "| what could go wrong |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")[2:]
	if len(rows) < 30 {
		t.Fatalf("%d rows", len(rows))
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		names := quoted.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 3 || len(names) == 0 {
			t.Errorf("%d cells, %d tests: %s", len(cells), len(names), row)
		}
		for _, name := range names {
			isFunction := strings.HasPrefix(name[1], "Test") || strings.HasPrefix(name[1], "Fuzz")
			if isFunction && !strings.Contains(functions, "func "+name[1]+"(") || !isFunction && !strings.Contains(suite, `"`+name[1]) {
				t.Errorf("there is no test %q: %s", name[1], cells[0])
			}
		}
	}
}

// testSources are the texts of all tests, and of the suite of sandbox drivers.
func testSources(t *testing.T) (functions, suite string) {
	t.Helper()
	var all, own strings.Builder
	must(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".cache" || d.Name() == ".git" || d.Name() == "node_modules"):
			return filepath.SkipDir
		}
		isSuite := filepath.Base(filepath.Dir(path)) == "sandboxtest" && filepath.Ext(path) == ".go"
		if !isSuite && !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		data, err := os.ReadFile(path)
		all.Write(data)
		if isSuite {
			own.Write(data)
		}
		return err
	}))
	return all.String(), own.String()
}
