package e2e

import (
	"archive/zip"
	"bytes"
	"testing"

	"fcd/e2e/npm"
)

// withModule zips index.js together with a package of npm and all that it needs, as a developer's package has it.
func withModule(t testing.TB, source, name string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	must(t, addFile(z, "index.js", []byte(source)))
	npm.Add(t, z, name)
	must(t, z.Close())
	return b.Bytes()
}
