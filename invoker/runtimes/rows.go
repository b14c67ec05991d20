package runtimes

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"fcd/fc"
)

// family is what the runtimes of one language share.
type family struct {
	bootstrap string // below BootstrapMount
	libraries string // LD_LIBRARY_PATH
	env       map[string]string
	heapFlag  string // of the interpreter, a number of MB follows; "" = none
	// flags are the interpreter's arguments for a function of a memory size, in place of heapFlag; nil = none. Where they
	// are, an instance serves functions of one memory size alone.
	flags      func(memoryMB int) []string
	askVersion string // the argument that makes the interpreter tell its version
	// concurrent says that the bootstrap serves several requests at a time where the function asks for it.
	concurrent bool
	// fixed are the variables that its interpreters read at their start alone, settable those among them that HELLO sets
	// or that programs ask for later; see generic.go.
	fixed, settable []string
	// spare is how many generic instances of each runtime in use wait by default.
	spare int
	// http says that there is neither bootstrap nor interpreter: the function's own program serves HTTP.
	http bool
}

var (
	node = family{
		bootstrap: "nodejs/bootstrap.js",
		libraries: "/code:/code/lib",
		env:       map[string]string{"NODE_PATH": "/usr/local/lib/node_modules"},
		heapFlag:  "--max-old-space-size=", askVersion: "--version",
		fixed:    []string{"NODE_*", "UV_*", "OPENSSL_*", "SSL_*", "TZ"},
		settable: []string{"NODE_PATH", "NODE_ENV", "NODE_TLS_REJECT_UNAUTHORIZED"},

		spare: 2, concurrent: true,
	}
	python = family{
		bootstrap: "python/bootstrap.py",
		libraries: "/code:/code/lib:/usr/local/lib",
		env:       map[string]string{"PYTHONUNBUFFERED": "1"}, askVersion: "--version",
		fixed:    []string{"PYTHON*"},
		settable: []string{"PYTHONPATH", "PYTHONUSERBASE"},

		spare: 2, concurrent: true,
	}
	java = family{
		bootstrap: "java/bootstrap.jar",
		libraries: "/code:/code/lib",
		flags:     javaFlags, askVersion: "-version",
		fixed: []string{"JAVA_*", "JDK_*", "TZ"},

		spare: 1, concurrent: true,
	}
	custom = family{libraries: "/code:/code/lib:/usr/local/lib", http: true, concurrent: true}
)

// javaFlags are right for every Java from 8 on. What later ones close to reflection, the bootstrap's manifest opens.
func javaFlags(memoryMB int) []string {
	most := min(memoryMB*9/10, memoryMB-48) // a small instance has to hold the machine itself besides its heap
	return []string{
		fmt.Sprintf("-Xmx%dm", most), fmt.Sprintf("-Xms%dm", memoryMB*3/10),
		"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData",
		"-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8", "-Djava.security.egd=file:/dev/./urandom",
		"-Dfc.func.code.path=" + CodeDir + "/", "-jar",
	}
}

// javaArch is what Java 8 calls this machine's processor.
func javaArch() string {
	if runtime.GOARCH == "arm64" {
		return "aarch64"
	}
	return runtime.GOARCH
}

// javaFiles are where Debian keeps Java 8, whatever the host's usual Java is, and the usual name.
func javaFiles() []string {
	home := "../lib/jvm/java-8-openjdk-" + runtime.GOARCH
	return []string{home + "/jre/bin/java", home + "/bin/java", "java"}
}

// row is one line of the table: which interpreter a runtime wants.
type row struct {
	name   string
	family *family
	min    version // the first version that serves
	below  version // the first that no longer does
	// standIn is the oldest version of the host that may serve in place of the right ones without the operator's word,
	// which Status.Origin then tells. The zero version means none may.
	standIn version
	// files are the interpreter's names, from the usual folders of programs; the first that is found is asked.
	files []string
	// smallHeap says that the interpreter's own heap limit, about 1.4 GB, is below what a function may have.
	smallHeap bool
	// installable says that package install has the interpreter.
	installable bool
}

// missing is what callers and operators read of a runtime without an interpreter.
func (r row) missing() string {
	how := fmt.Sprintf("run: fcd runtimes install %s", r.name)
	if !r.installable {
		how = fmt.Sprintf("install one with the system's packages, or name one in the configuration (runtimes.%s)", r.name)
	}
	return fmt.Sprintf("runtime %s is not installed on this host; %s", r.name, how)
}

var rows = []row{
	{name: "nodejs6", family: &node, min: version{6, 0}, below: version{7, 0}, standIn: version{6, 0}, files: []string{"node"}, smallHeap: true, installable: true},
	{name: "nodejs8", family: &node, min: version{8, 0}, below: version{9, 0}, standIn: version{6, 0}, files: []string{"node"}, smallHeap: true, installable: true},
	{name: "nodejs10", family: &node, min: version{10, 0}, below: version{11, 0}, standIn: version{10, 0}, files: []string{"node"}, smallHeap: true},
	{name: "nodejs12", family: &node, min: version{12, 0}, below: version{13, 0}, standIn: version{12, 0}, files: []string{"node"}},
	{name: "nodejs14", family: &node, min: version{14, 0}, below: version{15, 0}, standIn: version{14, 0}, files: []string{"node"}},
	{name: "nodejs16", family: &node, min: version{16, 0}, below: version{17, 0}, files: []string{"node"}},
	{name: "nodejs18", family: &node, min: version{18, 0}, below: version{19, 0}, files: []string{"node"}},
	{name: "nodejs20", family: &node, min: version{20, 0}, below: version{21, 0}, files: []string{"node"}},
	{name: "python2.7", family: &python, min: version{2, 7}, below: version{3, 0}, files: []string{"python2.7", "python2"}, installable: true},
	{name: "python3", family: &python, min: version{3, 6}, below: version{4, 0}, files: []string{"python3"}},
	{name: "python3.9", family: &python, min: version{3, 9}, below: version{3, 10}, files: []string{"python3.9", "python3"}},
	{name: "python3.10", family: &python, min: version{3, 10}, below: version{3, 11}, files: []string{"python3.10", "python3"}},
	{name: "python3.12", family: &python, min: version{3, 12}, below: version{3, 13}, files: []string{"python3.12", "python3"}},
	{name: "java8", family: &java, min: version{1, 8}, below: version{1, 9}, files: javaFiles(), installable: true},
	{name: fc.RuntimeCustom, family: &custom},
}

// version is the major and the minor number of an interpreter.
type version struct{ major, minor int }

func (v version) compare(w version) int {
	return cmp.Or(cmp.Compare(v.major, w.major), cmp.Compare(v.minor, w.minor))
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

var (
	versionForm = regexp.MustCompile(`(\d+)\.(\d+)[0-9A-Za-z.+_-]*`)
	javaForm    = regexp.MustCompile(`(?m)^\w+ version "((\d+)(?:\.(\d+))?[0-9A-Za-z.+_-]*)"`) // behind warnings, if it has any
)

// readVersion finds the version in what an interpreter says of itself: "v8.17.0", "Python 3.11.2",
// `openjdk version "1.8.0_504"`, `openjdk version "25" 2025-09-16`.
func readVersion(out string) (text string, v version, err error) {
	if m := javaForm.FindStringSubmatch(out); m != nil {
		v.major, _ = strconv.Atoi(m[2])
		v.minor, _ = strconv.Atoi(m[3])
		return m[1], v, nil
	}
	line, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	m := versionForm.FindStringSubmatch(line)
	if m == nil {
		return "", version{}, fmt.Errorf("no version in %.80q", line)
	}
	v.major, _ = strconv.Atoi(m[1])
	v.minor, _ = strconv.Atoi(m[2])
	return m[0], v, nil
}
