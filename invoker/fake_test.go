package invoker

import (
	"os"
	"testing"

	"fcd/invoker/runtimes"
)

// table is the real table of runtimes, on installed interpreters where there are some. Plain children need no interpreter
// of it but its names.
func table(t testing.TB) *runtimes.Table {
	t.Helper()
	table, err := runtimes.New(runtimes.Options{BootstrapDir: t.TempDir(), InstallDir: os.Getenv("FCD_RUNTIMES_DIR")})
	if err != nil {
		t.Fatal(err)
	}
	return table
}
