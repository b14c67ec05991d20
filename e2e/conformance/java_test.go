package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// javaTemp is the folder of the classes, to be removed at the end.
var javaTemp string

// javaClasses is a folder with the classes of all themes, compiled once for Java 8 against the interfaces that a
// function compiles against. A theme is a package.
func javaClasses(t testing.TB) string {
	t.Helper()
	dir, err := compiled()
	if err != nil {
		t.Fatalf("%v (the tests need javac on this machine)", err)
	}
	return dir
}

var compiled = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "conformance-java-")
	if err != nil {
		return "", err
	}
	javaTemp = dir
	sources, err := filepath.Glob("cases/*/java/*.java")
	if err != nil {
		return "", err
	}
	args := []string{"--release", "8", "-Xlint:-options", "-g", "-nowarn", "-cp", "../../invoker/runtimes/java/bootstrap.jar", "-d", dir}
	if out, err := exec.Command("javac", append(args, sources...)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("javac: %w: %s", err, out)
	}
	return dir, nil
})
