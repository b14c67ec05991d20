package runtimes

import (
	"archive/zip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fcd/invoker/runtimes/frame"
)

// pack puts the files of a folder into a jar.
func pack(t testing.TB, jar, dir string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(jar), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(jar)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	z := zip.NewWriter(out)
	if err := z.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestJavaPlacesOfClasses(t *testing.T) {
	tests := []struct {
		name string
		jar  string // where the classes are packed, below the code folder; "" = they lie open in it
	}{
		{"open in the package", ""},
		{"in a jar of the package", "function.jar"},
		{"in a jar of the lib folder", "lib/function.jar"},
	}
	onEach(t, "java", func(t *testing.T, in interpreter) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := startHandler(t, in, "example.Echo::handleRequest")
				if tt.jar != "" {
					if err := os.RemoveAll(filepath.Join(p.code, "example")); err != nil {
						t.Fatal(err)
					}
					pack(t, filepath.Join(p.code, tt.jar), javaClasses(t))
				}
				if got := p.invoke("r1", "x"); string(got.Body) != "x" {
					t.Errorf("got %s", got.Body)
				}
			})
		}
	})
}

func TestJavaResources(t *testing.T) {
	onEach(t, "java", func(t *testing.T, in interpreter) {
		p := startHandler(t, in, "example.Resources::handleRequest")
		packed := t.TempDir()
		for file, text := range map[string]string{
			filepath.Join(p.code, "open.txt"): "open", filepath.Join(packed, "packed.txt"): "packed", filepath.Join(packed, "open.txt"): "hidden",
		} {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		pack(t, filepath.Join(p.code, "lib/more.jar"), packed)
		want := "openopen packedpacked /code/ /code UTF-8"
		if got := p.generic(string(p.invoke("r1", "open.txt packed.txt").Body)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// An old copy of the interfaces in the user's package does not hide the runtime's own.
func TestJavaInterfacesOfTheUserAreNotUsed(t *testing.T) {
	onEach(t, "java", func(t *testing.T, in interpreter) {
		old := t.TempDir()
		compileInto(t, old, "testdata/java-old/Context.java", ".")
		for _, place := range []string{"open", "packed"} {
			p := startHandler(t, in, "example.ShowContext::handleRequest")
			if place == "open" {
				compileInto(t, p.code, "testdata/java-old/Context.java", ".")
			} else {
				pack(t, filepath.Join(p.code, "lib/a-copy.jar"), old)
			}
			if got := p.invoke("r1", ""); got.Type != frame.TypeResult || !strings.HasPrefix(string(got.Body), "r1|") {
				t.Errorf("%s: %s", place, got.Body)
			}
		}
	})
}

func TestJavaContext(t *testing.T) {
	onEach(t, "java", func(t *testing.T, in interpreter) {
		p := startHandler(t, in, "example.ShowContext::handleRequest")
		p.hello.Function.Initializer = "example.Counter::initialize"
		req := frame.Request{ID: "r1", RetryCount: 2,
			Credentials: &frame.Credentials{AccessKeyID: "id", AccessKeySecret: "secret", SecurityToken: "token"},
			Tracing:     &frame.Tracing{SpanContext: "ctx", SpanBaggages: map[string]string{"k": "v"}, JaegerEndpoint: "http://j"}}
		want := "r1|id|secret|token|fn|index.handler|example.Counter::initialize|3000|128|svc|prj|store|prod|7|ctx|{k=v}|http://j|2"
		if got := p.request(frame.TypeInvoke, req, nil); string(got.Body) != want {
			t.Errorf("got  %s\nwant %s", got.Body, want)
		}
		if got := p.invoke("r2", ""); !strings.HasPrefix(string(got.Body), "r2|id|secret|token|") || !strings.HasSuffix(string(got.Body), "||{}||0") {
			t.Errorf("the second: %s", got.Body)
		}
	})
}

// The committed jar is what build.sh makes of the sources. Another compiler than the one it was made with may write
// other bytes for the same source: then only the names are compared.
func TestTheJavaBootstrapIsBuiltFromItsSources(t *testing.T) {
	jar := filepath.Join(t.TempDir(), "built.jar")
	if out, err := exec.Command("java/build.sh", jar).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	version, err := exec.Command("javac", "-version").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	got, want := entries(t, jar), entries(t, "java/bootstrap.jar")
	if !strings.HasPrefix(string(version), "javac 17.") {
		t.Logf("%s: the contents are not compared", strings.TrimSpace(string(version)))
		for name := range want {
			want[name] = got[name]
		}
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s is not what its source says; run java/build.sh", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d entries are built, the jar has %d; run java/build.sh", len(got), len(want))
	}
	if manifest := want["META-INF/MANIFEST.MF"]; !strings.Contains(manifest, "Main-Class: fcd.bootstrap.Main\n") {
		t.Errorf("manifest %q", manifest)
	}
}

// entries are the contents of a zip by name.
func entries(t *testing.T, file string) map[string]string {
	t.Helper()
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	all := map[string]string{}
	for _, f := range z.File {
		content, err := fs.ReadFile(z, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = string(content)
	}
	return all
}
