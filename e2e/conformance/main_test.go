package conformance

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"fcd/invoker/sandbox/native"
)

var update = flag.Bool("update", false, "rewrite the goldens of the runtimes that are ready")

// parallel is how many cases run at once: most of their time they wait, for a timeout or for the log.
const parallel = 8

func TestMain(m *testing.M) {
	native.Main()
	if err := native.EnterRootless(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	flag.Parse()
	if p := flag.Lookup("test.parallel"); p.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		p.Value.Set(strconv.Itoa(parallel))
	}
	goleak.VerifyTestMain(suite{m})
}

// suite ends the shared daemon after the tests.
type suite struct{ *testing.M }

func (s suite) Run() int {
	code := s.M.Run()
	os.RemoveAll(javaTemp)
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, "the daemon stopped with", err)
		return max(code, 1)
	}
	return code
}
