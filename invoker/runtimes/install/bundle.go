package install

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// bundle is what makes one runtime.
type bundle struct {
	runtime  string
	version  string    // of the interpreter, where it cannot be asked
	packages []Package // the first one holds the interpreter and names the build
	program  string    // absolute, as seen inside
	ask      string    // the interpreter's flag that makes it tell its version; "" = it has none
	env      []string  // that it needs without /proc
	prepare  func(t *tree) error
	warm     []string // arguments for one run that prepares later ones; none = nothing to prepare
}

// javaHome is the folder of the Java runtime inside its root.
const javaHome = "/usr/lib/jvm/java-8-openjdk-amd64/jre"

// bundles are the runtimes that can be installed.
func bundles() []bundle {
	return []bundle{
		{runtime: "nodejs6", version: "6.17.1", program: "/usr/bin/node", ask: "--version",
			packages: slices.Concat([]Package{node6}, bullseyeLibs, userland)},
		{runtime: "nodejs8", version: "8.17.0", program: "/usr/bin/node", ask: "--version",
			packages: slices.Concat([]Package{node8}, bullseyeLibs, userland)},
		{runtime: "python2.7", version: "2.7.18", program: "/usr/bin/python2.7", ask: "--version",
			packages: slices.Concat(python27, bullseyeLibs, userland), prepare: preparePython},
		{runtime: "java8", version: "1.8.0_504", program: javaHome + "/bin/java", ask: "-version",
			packages: slices.Concat(java8, userland), prepare: prepareJava,
			// Without /proc the launcher does not find its library by itself.
			env: []string{"LD_LIBRARY_PATH=" + javaHome + "/lib/amd64/jli"}, warm: []string{"-Xshare:dump"}},
	}
}

// Names are the runtimes that can be installed, sorted.
func Names() []string {
	var names []string
	for _, b := range bundles() {
		names = append(names, b.runtime)
	}
	slices.Sort(names)
	return names
}

// digest changes with every pin.
func (b bundle) digest() string {
	sum := sha256.New()
	fmt.Fprintln(sum, b.runtime, b.program)
	for _, p := range b.packages {
		fmt.Fprintln(sum, p, p.SHA256)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

func (b bundle) size() (sum int64) {
	for _, p := range b.packages {
		sum += p.Size
	}
	return sum
}

// prepareCommon makes what scripts of the packages would have made.
func prepareCommon(t *tree) error {
	for name, to := range map[string]string{"usr/bin/sh": "dash", "usr/bin/awk": "mawk"} {
		if err := t.linkMissing(to, name); err != nil {
			return err
		}
	}
	return t.trust()
}

// preparePython leads OpenSSL from where it looks to the certificates.
func preparePython(t *tree) error {
	if err := t.linkMissing("/etc/ssl/certs", "usr/lib/ssl/certs"); err != nil {
		return err
	}
	return t.linkMissing("/"+bundleName, "usr/lib/ssl/cert.pem")
}

// prepareJava puts java on the path.
func prepareJava(t *tree) error { return t.linkMissing(javaHome+"/bin/java", "usr/bin/java") }

// pickDebian leaves out of a Debian package what no function reads: manuals, translations, documents but for licenses.
func pickDebian(name string) string {
	for _, dir := range []string{"usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian", "usr/share/bug", "usr/share/doc-base"} {
		if name == dir || strings.HasPrefix(name, dir+"/") {
			return ""
		}
	}
	if strings.HasPrefix(name, "usr/share/doc/") && !strings.HasSuffix(name, "/copyright") {
		return ""
	}
	return name
}

// pickNode takes the interpreter and its license out of the npm package.
func pickNode(name string) string {
	switch name {
	case "package/bin/node":
		return "usr/bin/node"
	case "package/LICENSE":
		return "usr/share/doc/node/copyright"
	}
	return ""
}
