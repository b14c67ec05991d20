package invoker

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"fcd/fc"
	"fcd/invoker/runtimes"
	"fcd/invoker/runtimes/frame"
)

// javaTable is a table in which the installed Java 8 (FCD_RUNTIMES_DIR) or else the host's Java, whatever its version,
// serves java8.
func javaTable(t testing.TB) *runtimes.Table {
	t.Helper()
	table, err := runtimes.New(runtimes.Options{BootstrapDir: t.TempDir(), InstallDir: os.Getenv("FCD_RUNTIMES_DIR"),
		Settings: map[string]runtimes.Settings{"java8": {AllowNewer: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// javaTemp is what javaClasses leaves to be removed.
var javaTemp string

// javaClasses is a folder with the class of testdata/java, compiled once.
var javaClasses = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fcd-java-")
	if err != nil {
		return "", err
	}
	javaTemp = dir
	out, err := exec.Command("javac", "--release", "8", "-Xlint:-options", "-g", "-cp", "runtimes/java/bootstrap.jar", "-d", dir,
		"testdata/java/App.java").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w (the tests need javac on this machine): %s", err, out)
	}
	return dir, os.Chmod(dir, 0o755)
})

func TestJavaMachine(t *testing.T) {
	r := newReal(t, languages[2], nil)
	if res := r.call(t, r.ref, "where"); !strings.HasPrefix(string(res.Body), "/code /code/App.java /proc/1 ") {
		t.Errorf("got %s", res.Body)
	}
	if res := r.call(t, r.ref, "threads 50"); string(res.Body) != "done" {
		t.Errorf("got %s", res.Body)
	}
	big := r.function(t, languages[2], "big", func(_ *fc.Service, f *fc.Function) { f.MemorySizeMB = 512 })
	var heap int
	fmt.Sscanf(string(r.call(t, big, "where").Body), "/code /code/App.java /proc/1 %d", &heap)
	if heap < 400 || heap > 461 {
		t.Errorf("a heap of %d MB", heap)
	}
}

// A busy loop and a sleep are both cut, and what they were doing stands in the log.
func TestJavaTimeouts(t *testing.T) {
	r := newReal(t, languages[2], func(o *Options) { o.KillGrace = patience })
	ref := r.function(t, languages[2], "short", func(_ *fc.Service, f *fc.Function) { f.TimeoutSeconds = 2 })
	for _, event := range []string{"spin", "hang"} {
		r.call(t, ref, "env FC_REGION") // the code is loaded
		res := r.call(t, ref, event)
		if res.ErrorClass != frame.ClassTimeout {
			t.Errorf("%s: %s %s", event, res.ErrorClass, res.Body)
		}
		r.lines.until(t, res.RequestID, func(rec fc.LogRecord) bool {
			return strings.HasPrefix(rec.Message, "  at example.App.answer(App.java:")
		})
	}
}

func TestJavaServesTenCallsThatWaitForEachOther(t *testing.T) {
	r := newReal(t, languages[2], nil)
	testBarrier(t, r, r.function(t, languages[2], "ten", func(_ *fc.Service, f *fc.Function) { f.InstanceConcurrency = 10 }))
}

func TestJavaOutOfMemory(t *testing.T) {
	r := newReal(t, languages[2], nil)
	for range 2 {
		res := r.call(t, r.ref, "hog")
		if res.ErrorClass != frame.ClassOOM || !strings.Contains(string(res.Body), "Process exited unexpectedly before completing request") {
			t.Errorf("%s %s", res.ErrorClass, res.Body)
		}
	}
	if res := r.call(t, r.ref, "echo x"); string(res.Body) != "x" {
		t.Errorf("after it: %s", res.Body)
	}
}

func TestJavaMissingClass(t *testing.T) {
	r := newReal(t, languages[2], nil)
	ref := r.function(t, languages[2], "bad", func(_ *fc.Service, f *fc.Function) { f.Handler = "example.None::handleRequest" })
	want := "{\n  \"errorMessage\" : \"Cannot find the class example.None in your zip file and please make sure it is in the right path 'example/None'\"," +
		"\n  \"errorType\" : \"java.lang.ClassNotFoundException\",\n  \"errorCause\" : \"example.None\"\n}"
	if res := r.call(t, ref, ""); string(res.Body) != want || res.ErrorType != fc.UnhandledInvocationError || res.ErrorClass != frame.ClassImport {
		t.Errorf("%s %s %s", res.ErrorType, res.ErrorClass, res.Body)
	}
}
