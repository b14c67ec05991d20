package install_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fcd/invoker/runtimes"
	"fcd/invoker/runtimes/install"
	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/native"
)

// The real packages, fetched if they are not there, each in a sandbox of its own. What a function sees of nodejs6,
// nodejs8 and python2.7 is tested by package invoker.
func TestRealInstallations(t *testing.T) {
	dir := os.Getenv("FCD_RUNTIMES_DIR")
	if dir == "" {
		t.Skip("FCD_RUNTIMES_DIR names no folder to install into; make test does")
	}
	i, err := install.New(install.Options{Dir: dir, AcceptNew: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range install.Names() {
		receipt, _, err := i.Install(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s %s from %s; %v", name, receipt.Version, receipt.Source, receipt.Notes)
		if _, fresh, err := i.Install(t.Context(), name); fresh || err != nil {
			t.Errorf("%s again: %v, %v", name, fresh, err)
		}
		root, _, err := runtimes.Installed(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		if root, err = filepath.Abs(root); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { tryRoot(t, name, root) })
	}
}

func tryRoot(t *testing.T, name, root string) {
	java := "/usr/lib/jvm/java-8-openjdk-amd64/jre/bin/"
	for _, tt := range map[string][]struct{ command, want string }{
		"nodejs6":   {{"/usr/bin/node -p process.versions.node.split('.')[0]", "6"}},
		"nodejs8":   {{"/usr/bin/node -p process.versions.node.split('.')[0]", "8"}},
		"python2.7": {{"/usr/bin/python2.7 -c print(__import__('ssl').create_default_context().cert_store_stats()['x509_ca']>50)", "True"}},
		"java8": {
			{java + "java -Xshare:on -version", "mixed mode, sharing"}, // the archive that was made at installation is used
			{java + "java -version", "1.8.0_"},
			{"/usr/bin/java -version", "1.8.0_"},
			{java + "keytool -list -keystore /etc/ssl/certs/java/cacerts -storepass changeit", fmt.Sprintf("contains %d entries", hostCertificates(t))},
		},
	}[name] {
		if out := inSandbox(t, root, strings.Split(tt.command, " ")); !strings.Contains(out, tt.want) {
			t.Errorf("%s: %q in %s", tt.command, tt.want, out)
		}
	}
	if out := inSandbox(t, root, []string{"/bin/sh", "-c", "ls /etc /; cat /.fcd-runtime.json"}); !strings.Contains(out, "ssl\n") || strings.Contains(out, "apt") ||
		!strings.Contains(out, "No such file") {
		t.Errorf("view of the root: %s", out)
	}
}

// hostCertificates counts what a key store must hold.
func hostCertificates(t *testing.T) (n int) {
	t.Helper()
	rest, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		t.Fatal(err)
	}
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			n++
		}
	}
	return n
}

// inSandbox runs a command in a root and gives what it prints.
func inSandbox(t *testing.T, root string, command []string) string {
	t.Helper()
	d, err := native.New(native.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	i, err := d.Start(t.Context(), sandbox.Spec{ID: "install", Root: root, Limits: sandbox.Limits{MemoryMB: 512}, TmpMB: 16, Network: sandbox.NetNone,
		Path: command[0], Args: command, Env: []string{"PATH=/usr/bin", "LANG=C.UTF-8", "HOME=/tmp"}, Stdout: w, Stderr: w})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer i.Kill()
	var out bytes.Buffer
	if _, err := io.Copy(&out, r); err != nil {
		t.Error(err)
	}
	return out.String()
}
