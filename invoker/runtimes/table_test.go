package runtimes

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
)

// hostWith makes a folder of interpreters that answer --version with the given texts.
func hostWith(t *testing.T, answers map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, answer := range answers {
		script := fmt.Sprintf("#!/bin/sh\necho '%s'\n", answer)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newTable(t *testing.T, o Options) *Table {
	t.Helper()
	if o.BootstrapDir == "" {
		o.BootstrapDir = t.TempDir()
	}
	table, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestTheHostServes(t *testing.T) {
	table := newTable(t, Options{})
	for name, origin := range map[string]string{
		"nodejs6": "host (stands in for nodejs6)", "nodejs8": "host (stands in for nodejs8)", "python3": "host",
	} {
		r, err := table.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		s := r.Probe()
		if !s.Ready || s.Origin != origin || s.Name != name || !strings.HasPrefix(s.Path, "/usr/bin/") || s.Version == "" || s.Reason != "" {
			t.Errorf("%s: %+v", name, s)
		}
		if err := r.Ready(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStatusOfEveryKindOfHost(t *testing.T) {
	missing := func(name string) string {
		if slices.Contains([]string{"nodejs6", "nodejs8", "python2.7", "java8"}, name) {
			return fmt.Sprintf("runtime %s is not installed on this host; run: fcd runtimes install %s", name, name)
		}
		return fmt.Sprintf("runtime %s is not installed on this host; install one with the system's packages, or name one in the configuration (runtimes.%s)", name, name)
	}
	tests := []struct {
		name     string
		host     map[string]string
		settings map[string]Settings
		want     Status // Path without its folder
	}{
		{"the right Node", map[string]string{"node": "v8.17.0"}, nil, Status{Name: "nodejs8", Version: "8.17.0", Origin: "host", Path: "node", Ready: true}},
		{"a newer Node stands in", map[string]string{"node": "v20.20.2"}, nil,
			Status{Name: "nodejs8", Version: "20.20.2", Origin: "host (stands in for nodejs8)", Path: "node", Ready: true}},
		{"an older Node stands in for nodejs8", map[string]string{"node": "v6.17.1"}, nil,
			Status{Name: "nodejs8", Version: "6.17.1", Origin: "host (stands in for nodejs8)", Path: "node", Ready: true}},
		{"a Node that is too old", map[string]string{"node": "v4.9.1"}, nil,
			Status{Name: "nodejs6", Version: "4.9.1", Origin: "host", Path: "node", Reason: missing("nodejs6")}},
		{"an older Node does not serve nodejs20", map[string]string{"node": "v18.1.0"}, nil,
			Status{Name: "nodejs20", Version: "18.1.0", Origin: "host", Path: "node", Reason: missing("nodejs20")}},
		{"no interpreter", nil, nil, Status{Name: "python3", Reason: missing("python3")}},
		{"a Python 3 that is too old", map[string]string{"python3": "Python 3.5.3"}, nil,
			Status{Name: "python3", Version: "3.5.3", Origin: "host", Path: "python3", Reason: missing("python3")}},
		{"Python 3.13", map[string]string{"python3": "Python 3.13.0rc1"}, nil,
			Status{Name: "python3", Version: "3.13.0rc1", Origin: "host", Path: "python3", Ready: true}},
		{"Python 3 does not serve python2.7", map[string]string{"python3": "Python 3.11.2"}, nil, Status{Name: "python2.7", Reason: missing("python2.7")}},
		{"python2.7", map[string]string{"python2.7": "Python 2.7.18"}, nil,
			Status{Name: "python2.7", Version: "2.7.18", Origin: "host", Path: "python2.7", Ready: true}},
		{"a newer Python is refused", map[string]string{"python3": "Python 3.11.2"}, nil,
			Status{Name: "python3.9", Version: "3.11.2", Origin: "host", Path: "python3", Reason: missing("python3.9")}},
		{"a newer Python by the operator's word", map[string]string{"python3": "Python 3.11.2"}, map[string]Settings{"python3.9": {AllowNewer: true}},
			Status{Name: "python3.9", Version: "3.11.2", Origin: "host (stands in for python3.9)", Path: "python3", Ready: true}},
		{"the exact name is preferred", map[string]string{"python3": "Python 3.11.2", "python3.9": "Python 3.9.18"}, nil,
			Status{Name: "python3.9", Version: "3.9.18", Origin: "host", Path: "python3.9", Ready: true}},
		{"a fallback", map[string]string{"python3": "Python 3.11.2"}, map[string]Settings{"python3.9": {Fallbacks: []string{"python2.7", "python3"}}},
			Status{Name: "python3.9", Version: "3.11.2", Origin: "python3 (fallback)", Path: "python3", Ready: true}},
		{"an interpreter that says nothing", map[string]string{"node": ""}, nil, Status{Name: "nodejs6", Path: "node", Reason: missing("nodejs6")}},
		{"Java 8", map[string]string{"java": `openjdk version "1.8.0_504"`}, nil,
			Status{Name: "java8", Version: "1.8.0_504", Origin: "host", Path: "java", Ready: true}},
		{"a newer Java does not serve java8", map[string]string{"java": `openjdk version "17.0.15" 2025-04-15`}, nil,
			Status{Name: "java8", Version: "17.0.15", Origin: "host", Path: "java", Reason: missing("java8")}},
		{"a newer Java by the operator's word", map[string]string{"java": `openjdk version "25" 2025-09-16`}, map[string]Settings{"java8": {AllowNewer: true}},
			Status{Name: "java8", Version: "25", Origin: "host (stands in for java8)", Path: "java", Ready: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := hostWith(t, tt.host)
			r, err := newTable(t, Options{HostDirs: []string{dir}, Settings: tt.settings}).Get(tt.want.Name)
			if err != nil {
				t.Fatal(err)
			}
			got := r.Probe()
			got.Path = strings.TrimPrefix(got.Path, dir+"/")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if err := r.Ready(); (err == nil) != tt.want.Ready || !tt.want.Ready && fc.CodeOf(err) != fc.InternalServerError {
				t.Errorf("Ready: %v", err)
			}
		})
	}
}

func TestAConfiguredCommandThatIsNoGoodIsNamed(t *testing.T) {
	dir := hostWith(t, map[string]string{"old": "v4.0.0", "broken": "x'; exit 3; '", "hangs": "x'; exec sleep 60; '"})
	tests := []struct{ name, command, want string }{
		{"absent", "/usr/bin/absent", "runtime nodejs8: /usr/bin/absent is not an executable file"},
		{"too old", dir + "/old", "runtime nodejs8: " + dir + "/old: version 4.0.0, wanted 8.0 or newer and below 9.0"},
		{"broken", dir + "/broken", "runtime nodejs8: " + dir + `/broken: --version: exit status 3: "x\n"`},
		{"one that hangs", dir + "/hangs", "runtime nodejs8: " + dir + "/hangs: no answer to --version within 5s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // one waits
			table := newTable(t, Options{HostDirs: []string{dir}, Settings: map[string]Settings{"nodejs8": {Command: []string{tt.command}}}})
			r, _ := table.Get("nodejs8")
			if got := r.Probe().Reason; got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A root directory with a program and the libraries it needs stands for an installed runtime.
func TestARootDirectoryServes(t *testing.T) {
	root := t.TempDir()
	bin := filepath.Join(root, "usr/local/bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	copyRoot(t, root)
	if err := os.Symlink("/usr/local/bin/node-8", filepath.Join(bin, "node")); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho v8.17.0\n"
	if err := os.WriteFile(filepath.Join(bin, "node-8"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := newTable(t, Options{Settings: map[string]Settings{"nodejs8": {Root: root, Args: []string{"--flag"}}}}).Get("nodejs8")
	if err != nil {
		t.Fatal(err)
	}
	want := Status{Name: "nodejs8", Version: "8.17.0", Origin: "root " + root, Path: "/usr/local/bin/node", Ready: true}
	if diff := cmp.Diff(want, r.Probe()); diff != "" || r.Root != root {
		t.Errorf("root %q: %s", r.Root, diff)
	}
}

// copyRoot puts a shell and its libraries into root, where they are on the host.
func copyRoot(t *testing.T, root string) {
	t.Helper()
	files := []string{"/bin/sh"}
	for _, library := range []string{"/lib*/ld-linux-*.so.*", "/lib/*/libc.so.6"} {
		found, err := filepath.Glob(library)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"no folder for bootstraps", Options{}, "runtimes: Options.BootstrapDir is missing"},
		{"an unknown runtime", Options{BootstrapDir: "x", Settings: map[string]Settings{"node": {}}}, `runtimes: unknown runtime "node"`},
		{"an unknown fallback", Options{BootstrapDir: "x", Settings: map[string]Settings{"nodejs6": {Fallbacks: []string{"deno"}}}},
			`runtimes: fallback "deno" of nodejs6 is an unknown runtime`},
		{"a relative root", Options{BootstrapDir: "x", Settings: map[string]Settings{"nodejs6": {Root: "roots/n6"}}}, `runtimes: root "roots/n6" of nodejs6 is not absolute`},
		{"a relative command", Options{BootstrapDir: "x", Settings: map[string]Settings{"nodejs6": {Command: []string{"node"}}}},
			`runtimes: command "node" of nodejs6 is not absolute`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(tt.o); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	table := newTable(t, Options{HostDirs: []string{}})
	for _, name := range []string{"nodejs6", "nodejs8", "python2.7", "python3", "java8"} {
		if !slices.Contains(table.Names(), name) {
			t.Errorf("%s is not in the table", name)
		}
	}
	if r, err := table.Get("nodejs4.4"); err != nil || r.Name != "nodejs6" {
		t.Errorf("nodejs4.4: %+v, %v", r, err)
	}
	if _, err := table.Get("nodejs5"); fc.CodeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), "nodejs5") {
		t.Errorf("nodejs5: %v", err)
	}
	if n := len(table.Statuses()); n != len(rows) {
		t.Errorf("%d statuses of %d runtimes", n, len(rows))
	}
}

func TestCommand(t *testing.T) {
	dir := hostWith(t, map[string]string{"node": "v20.0.0", "python3": "Python 3.11.2", "py": "Python 3.12.0", "java": `openjdk version "1.8.0_504"`})
	javaArgs := func(most, least string) []string {
		return []string{dir + "/java", "-Xint", most, least, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
			"-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8",
			"-Djava.security.egd=file:/dev/./urandom", "-Dfc.func.code.path=/code/", "-jar", "/var/fc/bootstrap/java/bootstrap.jar"}
	}
	table := newTable(t, Options{HostDirs: []string{dir}, Settings: map[string]Settings{
		"python3.12": {Command: []string{dir + "/py", "-X", "dev"}, Args: []string{"-u"}},
		"java8":      {Args: []string{"-Xint"}},
	}})
	tests := []struct {
		runtime  string
		memoryMB int
		hard     bool
		want     []string
	}{
		{"nodejs8", 128, true, []string{dir + "/node", "/var/fc/bootstrap/nodejs/bootstrap.js"}},
		{"nodejs8", 128, false, []string{dir + "/node", "--max-old-space-size=128", "/var/fc/bootstrap/nodejs/bootstrap.js"}},
		{"nodejs8", 2048, true, []string{dir + "/node", "--max-old-space-size=1843", "/var/fc/bootstrap/nodejs/bootstrap.js"}},
		{"nodejs20", 2048, true, []string{dir + "/node", "/var/fc/bootstrap/nodejs/bootstrap.js"}},
		{"python3", 2048, false, []string{dir + "/python3", "/var/fc/bootstrap/python/bootstrap.py"}},
		{"java8", 128, true, javaArgs("-Xmx80m", "-Xms38m")},
		{"java8", 1024, false, javaArgs("-Xmx921m", "-Xms307m")},
		{"python3.12", 128, true, []string{dir + "/py", "-X", "dev", "-u", "/var/fc/bootstrap/python/bootstrap.py"}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s with %d MB, hard %v", tt.runtime, tt.memoryMB, tt.hard), func(t *testing.T) {
			r, err := table.Get(tt.runtime)
			if err != nil {
				t.Fatal(err)
			}
			path, args := r.Command(r.HeapMB(tt.memoryMB, tt.hard))
			if diff := cmp.Diff(tt.want, args); diff != "" || path != tt.want[0] {
				t.Errorf("path %s, %s", path, diff)
			}
		})
	}
}

func TestBootstrapsAreWrittenOnceAndRepaired(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	r, err := newTable(t, Options{BootstrapDir: dir}).Get("python3")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(r.BootstrapDir(), "python/bootstrap.py")
	before, err := os.Stat(file)
	if err != nil || before.Mode().Perm() != 0o644 {
		t.Fatalf("%v, %v", before, err)
	}
	newTable(t, Options{BootstrapDir: dir})
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("the second table wrote again: %v", err)
	}
	if err := os.WriteFile(file, []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	newTable(t, Options{BootstrapDir: dir})
	if !sameBootstraps(r.BootstrapDir()) {
		t.Error("a changed bootstrap was left")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%d entries, %v", len(left), err)
	}
}

func TestVersions(t *testing.T) {
	tests := []struct {
		in   string
		text string
		want version
	}{
		{"v8.17.0\n", "8.17.0", version{8, 17}},
		{"Python 2.7.18", "2.7.18", version{2, 7}},
		{"Python 3.13.0rc1", "3.13.0rc1", version{3, 13}},
		{"openjdk version \"1.8.0_504\"\nOpenJDK Runtime", "1.8.0_504", version{1, 8}},
		{"openjdk 17.0.15 2025-04-15", "17.0.15", version{17, 0}},
		{"openjdk version \"25\" 2025-09-16\nOpenJDK Runtime", "25", version{25, 0}},
		{"java version \"22-ea\" 2024-03-19", "22-ea", version{22, 0}},
		{"OpenJDK 64-Bit Server VM warning: 1.5 is odd\nopenjdk version \"1.8.0_504\"", "1.8.0_504", version{1, 8}},
		{"", "", version{}},
		{"hello", "", version{}},
	}
	for _, tt := range tests {
		text, got, err := readVersion(tt.in)
		if text != tt.text || got != tt.want || (err != nil) != (tt.text == "") {
			t.Errorf("%q: %q, %v, %v", tt.in, text, got, err)
		}
	}
}

func TestEveryRuntimeThatAFunctionMayNameIsInTheTable(t *testing.T) {
	table, err := New(Options{BootstrapDir: t.TempDir(), HostDirs: []string{t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range fc.Runtimes() {
		if _, err := table.Get(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range table.Names() {
		if !slices.Contains(fc.Runtimes(), name) {
			t.Errorf("no function may name %s", name)
		}
	}
}
