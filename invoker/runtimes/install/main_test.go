package install_test

import (
	"testing"

	"go.uber.org/goleak"

	"fcd/invoker/sandbox/native"
)

func TestMain(m *testing.M) {
	native.Main()
	goleak.VerifyTestMain(m)
}
