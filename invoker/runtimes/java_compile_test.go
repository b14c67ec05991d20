package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// javaClasses is a folder with the classes of testdata/java, compiled once against the interfaces of the bootstrap.
func javaClasses(t testing.TB) string {
	t.Helper()
	dir, err := compiled()
	if err != nil {
		t.Fatalf("%v (the tests need javac on this machine)", err)
	}
	return dir
}

// javaTemp is what compiled leaves to be removed.
var javaTemp string

var compiled = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fcd-java-")
	if err != nil {
		return "", err
	}
	javaTemp = dir
	sources, err := filepath.Glob("testdata/java/*.java")
	if err != nil {
		return "", err
	}
	return dir, javac(dir, sources, "java/bootstrap.jar")
})

// javac compiles for Java 8.
func javac(dir string, sources []string, classPath string) error {
	args := append([]string{"--release", "8", "-Xlint:-options", "-g", "-nowarn", "-cp", classPath, "-d", dir}, sources...)
	cmd := exec.Command("javac", args...)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}
