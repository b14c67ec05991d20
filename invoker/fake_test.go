package invoker

import (
	"testing"

	"fcd/invoker/runtimes"
)

// table is the real table of runtimes. Plain children need no interpreter of it but its names.
func table(t testing.TB) *runtimes.Table {
	t.Helper()
	table, err := runtimes.New(runtimes.Options{BootstrapDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return table
}
