package install

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"fcd/invoker/runtimes"
)

// shelf is a web server with packages, that can be told to misbehave.
type shelf struct {
	*httptest.Server
	mu     sync.Mutex
	files  map[string][]byte
	asked  []string                                                          // "file range"
	change func(w http.ResponseWriter, r *http.Request, content []byte) bool // true: it has answered
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{files: map[string][]byte{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := filepath.Base(r.URL.Path)
	s.asked = append(s.asked, strings.TrimSpace(name+" "+r.Header.Get("Range")))
	content, ok := s.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if s.change == nil || !s.change(w, r, content) {
		http.ServeContent(w, r, name, someTime, bytes.NewReader(content))
	}
}

func (s *shelf) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// add puts a package on the shelf and gives its pin.
func (s *shelf) add(name, version string, content []byte) Package {
	p := pin(name, version, content)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[p.File()] = content
	return p
}

func pin(name, version string, content []byte) Package {
	sum := sha256.Sum256(content)
	return Package{Name: name, Version: version, Suite: "old", Path: "pool/" + name + "_" + version + "_amd64.deb",
		Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
}

func interpreter(t testing.TB) []byte {
	return debOf(t, ".xz", tar.Header{Name: "./usr/bin/node", Mode: 0o755}, tar.Header{Name: "./usr/share/man/x"})
}

func node8Bundle(packages ...Package) bundle {
	return bundle{runtime: "nodejs8", version: "8.17.0", program: "/usr/bin/node", packages: packages}
}

func newInstaller(t testing.TB, dir, from string, b ...bundle) *Installer {
	t.Helper()
	i, err := New(Options{Dir: dir, From: from, bundles: b})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// visible are the entries of the runtimes' folder that a daemon would look at, and unfinished ones.
func visible(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "nodejs8", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

func TestInstallOnce(t *testing.T) {
	s, dir := newShelf(t), filepath.Join(t.TempDir(), "a", "runtimes")
	b := node8Bundle(s.add("node", "8.17.0-1", interpreter(t)), s.add("libc6", "2.31", debOf(t, ".zst", tar.Header{Name: "./lib/libc.so.6"})))
	var stages []Stage
	i, err := New(Options{Dir: dir, From: s.URL + "/debs", bundles: []bundle{b}, Progress: func(p Progress) {
		if !slices.Contains(stages, p.Stage) {
			stages = append(stages, p.Stage)
		}
		if p.Done > p.Total {
			t.Errorf("%+v", p)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	receipt, fresh, err := i.Install(t.Context(), "nodejs8")
	if err != nil || !fresh || receipt.Build != "8.17.0-1" || receipt.Version != "8.17.0" || receipt.Source != "debian old node 8.17.0-1" || len(receipt.Packages) != 2 {
		t.Fatalf("%+v, %v, %v", receipt, fresh, err)
	}
	if want := []Stage{Fetching, Unpacking, Settling}; !slices.Equal(stages, want) {
		t.Errorf("stages %v", stages)
	}
	for _, name := range []string{"usr/lib/libc.so.6", "etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/java/cacerts", "proc", "code", "var/fc"} {
		if _, err := os.Stat(filepath.Join(dir, "nodejs8/8.17.0-1", name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "nodejs8/8.17.0-1/usr/share/man")); err == nil {
		t.Error("manuals were unpacked")
	}
	asked := len(s.requests())
	if _, fresh, err := i.Install(t.Context(), "nodejs8"); err != nil || fresh || len(s.requests()) != asked {
		t.Errorf("again: %v, %v, %v", fresh, err, s.requests())
	}
	if err := i.Clean(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, downloads)); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
	tableFinds(t, dir, runtimes.Status{Name: "nodejs8", Version: "8.17.0", Origin: "installed (debian old node 8.17.0-1)", Path: "/usr/bin/node", Ready: true})
}

func tableFinds(t *testing.T, dir string, want runtimes.Status) {
	t.Helper()
	table, err := runtimes.New(runtimes.Options{BootstrapDir: t.TempDir(), InstallDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	r, err := table.Get(want.Name)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Probe(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestInterruptedFetchGoesOn(t *testing.T) {
	content := interpreter(t)
	half := len(content) / 2
	cut := func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		if r.Header.Get("Range") != "" {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Write(content[:half])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	tests := []struct {
		name   string
		second func(w http.ResponseWriter, r *http.Request, content []byte) bool
	}{
		{"by range", nil},
		{"from the start where the server knows no ranges", func(w http.ResponseWriter, _ *http.Request, content []byte) bool {
			w.Write(content)
			return true
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, dir := newShelf(t), t.TempDir()
			i := newInstaller(t, dir, s.URL, node8Bundle(s.add("node", "1", content)))
			s.change = cut
			if _, _, err := i.Install(t.Context(), "nodejs8"); err == nil || !strings.Contains(err.Error(), "runtime nodejs8: debian old node 1: unexpected EOF") {
				t.Fatalf("interrupted: %v", err)
			}
			if v := visible(t, dir); len(v) != 0 {
				t.Errorf("there is %v", v)
			}
			s.change = tt.second
			if _, fresh, err := i.Install(t.Context(), "nodejs8"); err != nil || !fresh {
				t.Errorf("%v, %v", fresh, err)
			}
			if asked := s.requests(); asked[len(asked)-1] != fmt.Sprintf("node_1_amd64.deb bytes=%d-", half) {
				t.Errorf("asked %v", asked)
			}
		})
	}
}

func TestWhatCannotBeInstalled(t *testing.T) {
	good := interpreter(t)
	tests := []struct {
		name   string
		change func(s *shelf, b *bundle)
		want   string
	}{
		{"another content than pinned", func(s *shelf, b *bundle) { s.files[b.packages[0].File()] = bytes.Repeat([]byte("x"), len(good)) },
			"runtime nodejs8: debian old node 1: its checksum is "},
		{"more than pinned", func(s *shelf, b *bundle) { s.files[b.packages[0].File()] = append(slices.Clone(good), 'x') }, "its checksum is "},
		{"less than pinned", func(s *shelf, b *bundle) { s.files[b.packages[0].File()] = good[1:] }, "unexpected EOF"},
		{"a package that is gone", func(s *shelf, b *bundle) { delete(s.files, b.packages[0].File()) },
			"debian old node 1: node_1_amd64.deb: status 404: not served; --accept-new takes the version that is served now"},
		{"a server in trouble", func(s *shelf, _ *bundle) {
			s.change = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool { w.WriteHeader(503); return true }
		}, "node_1_amd64.deb: status 503"},
		{"a hostile package", func(s *shelf, b *bundle) {
			b.packages = append(b.packages, s.add("evil", "1", debOf(t, ".gz", tar.Header{Name: "../../../../evil"})))
		}, `runtime nodejs8: evil_1_amd64.deb: name "../../../../evil" leads out of the folder`},
		{"no interpreter in it", func(_ *shelf, b *bundle) { b.program = "/usr/bin/python" }, "runtime nodejs8: no /usr/bin/python in its packages"},
		{"an interpreter that cannot run", func(_ *shelf, b *bundle) { b.ask = "--version" }, "/usr/bin/node"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, dir := newShelf(t), t.TempDir()
			b := node8Bundle(s.add("node", "1", good))
			tt.change(s, &b)
			_, _, err := newInstaller(t, dir, s.URL, b).Install(t.Context(), "nodejs8")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			left, _ := os.ReadDir(filepath.Join(dir, "nodejs8"))
			if len(left) != 0 {
				t.Errorf("there is %v", left)
			}
		})
	}
}

func TestACancelledInstallationLeavesNothingVisible(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	s.change = func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		w.Write(content[:10])
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
		return true
	}
	i := newInstaller(t, dir, s.URL, node8Bundle(s.add("node", "1", interpreter(t))))
	if _, _, err := i.Install(ctx, "nodejs8"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if v := visible(t, dir); len(v) != 0 {
		t.Errorf("there is %v", v)
	}
}

func TestInstallersTakeTurns(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	b := node8Bundle(s.add("node", "1", interpreter(t)))
	var wg sync.WaitGroup
	fresh := make(chan bool, 4)
	for range cap(fresh) {
		i := newInstaller(t, dir, s.URL, b)
		wg.Go(func() {
			_, f, err := i.Install(t.Context(), "nodejs8")
			if err != nil {
				t.Error(err)
			}
			fresh <- f
		})
	}
	wg.Wait()
	close(fresh)
	n := 0
	for f := range fresh {
		if f {
			n++
		}
	}
	if n != 1 || len(s.requests()) != 1 {
		t.Errorf("%d installations, requests %v", n, s.requests())
	}
}

func TestWaitingForAnotherInstallationEndsWithTheContext(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock(t.Context(), filepath.Join(dir, lockName), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	i, err := New(Options{Dir: dir, From: dir, bundles: []bundle{node8Bundle(pin("node", "1", nil))}, Progress: func(p Progress) {
		if p.Stage == Waiting {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Install(ctx, "nodejs8"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestADamagedOrOutdatedRootIsReplaced(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	b := node8Bundle(s.add("node", "1", interpreter(t)))
	install := func(b bundle) bool {
		t.Helper()
		_, fresh, err := newInstaller(t, dir, s.URL, b).Install(t.Context(), "nodejs8")
		if err != nil {
			t.Fatal(err)
		}
		return fresh
	}
	root := filepath.Join(dir, "nodejs8", "1")
	install(b)
	if err := os.Remove(filepath.Join(root, "usr/bin/node")); err != nil {
		t.Fatal(err)
	}
	tableFinds(t, dir, runtimes.Status{Name: "nodejs8", Version: "8.17.0", Origin: "installed (debian old node 1)", Path: "/usr/bin/node",
		Reason: "runtime nodejs8: " + root + "/usr/bin/node is not an executable file; run: fcd runtimes install nodejs8"})
	if !install(b) {
		t.Error("a root without its interpreter was left")
	}
	b.packages = append(b.packages, s.add("more", "2", debOf(t, ".gz", tar.Header{Name: "./usr/more"})))
	if !install(b) {
		t.Error("new pins changed nothing")
	}
	if _, err := os.Stat(filepath.Join(root, "usr/more")); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(root, runtimes.ReceiptName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if !install(b) {
		t.Error("a root with a broken receipt was left")
	}
	if v := visible(t, dir); len(v) != 1 {
		t.Errorf("there is %v", v)
	}
}

func TestCertificatesFollowTheHost(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	i := newInstaller(t, dir, s.URL, node8Bundle(s.add("node", "1", interpreter(t))))
	bundle := filepath.Join(dir, "nodejs8", "1", bundleName)
	for range 2 {
		if _, _, err := i.Install(t.Context(), "nodejs8"); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(bundle); err != nil || !bytes.Contains(b, []byte("BEGIN CERTIFICATE")) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		if err := os.WriteFile(bundle, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// replacing is a source without the pinned package but with another one.
type replacing struct {
	webSource
	newest Package
	asked  []Package
}

func (r *replacing) Newest(_ context.Context, p Package) (Package, error) {
	r.asked = append(r.asked, p)
	return r.newest, nil
}

func TestANewerPackageIsTakenOnlyByTheOperatorsWord(t *testing.T) {
	s, dir := newShelf(t), t.TempDir()
	web, err := newSource(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	source := &replacing{webSource: web.(webSource), newest: s.add("node", "2", interpreter(t))}
	o := Options{Dir: dir, source: source, bundles: []bundle{node8Bundle(pin("node", "1", []byte("gone")))}}
	for _, accept := range []bool{false, true} {
		o.AcceptNew = accept
		i, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		receipt, _, err := i.Install(t.Context(), "nodejs8")
		if !accept {
			if !errors.Is(err, ErrNotServed) || len(source.asked) != 0 {
				t.Errorf("%v, asked %v", err, source.asked)
			}
			continue
		}
		if err != nil || receipt.Build != "2" || receipt.Packages[0].SHA256 != source.newest.SHA256 {
			t.Errorf("%+v, %v", receipt, err)
		}
		if _, fresh, err := i.Install(t.Context(), "nodejs8"); fresh || err != nil {
			t.Errorf("again: %v, %v", fresh, err)
		}
	}
}

func TestAFolderServesPackages(t *testing.T) {
	from, dir := t.TempDir(), t.TempDir()
	content := interpreter(t)
	p := pin("node", "1", content)
	i := newInstaller(t, dir, from, node8Bundle(p))
	if _, _, err := i.Install(t.Context(), "nodejs8"); !errors.Is(err, ErrNotServed) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(from, p.File()), content, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, fresh, err := i.Install(t.Context(), "nodejs8"); err != nil || !fresh {
		t.Errorf("%v, %v", fresh, err)
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{}, "install: Options.Dir is missing"},
		{Options{Dir: "x", From: "/absent/folder"}, "source: stat /absent/folder: no such file or directory"},
		{Options{Dir: "x", From: file}, fmt.Sprintf("source %q is neither a folder nor an http URL", file)},
		{Options{Dir: "x", From: "https:///packages"}, `source "https:///packages" is a URL without a host`},
	} {
		if _, err := New(tt.o); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
	i := newInstaller(t, t.TempDir(), t.TempDir())
	if _, _, err := i.Install(t.Context(), "nodejs9"); err == nil || err.Error() != `runtime "nodejs9" cannot be installed; those that can: java8, nodejs6, nodejs8, python2.7` {
		t.Error(err)
	}
}
