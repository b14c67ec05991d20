package install_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"fcd/invoker/runtimes/install"
	"fcd/invoker/sandbox/native"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("FCD_TEST_INSTALL"); dir != "" {
		os.Exit(install.ChildMain(dir))
	}
	native.Main()
	goleak.VerifyTestMain(m)
}
