package conformance

import (
	"bytes"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// languages and their runtimes under test, the ones the guide names and the newest Node.
var languages = []language{
	{"nodejs", []string{"nodejs6", "nodejs8", "nodejs20"}},
	{"python", []string{"python2.7", "python3"}},
	{"java", []string{"java8"}},
}

type language struct {
	name     string
	runtimes []string
}

// A row is one behaviour, as cases.yaml has it.
type row struct {
	Case      string      // theme/name; the name is the handler's unless Handler says otherwise
	Says      string      // the behaviour, as a sentence
	Languages []string    // default: those that the theme has code for
	Runtimes  []string    // default: all of the languages
	Handler   perLanguage // default: index.<name>, for Java <theme>.<Name>::handleRequest
	Init      perLanguage // the initializer
	Events    []string    // one call each; default: one empty event
	Memory    int         // MB, default 256
	Timeout   int         // s, default 60
	InitTime  int         `yaml:"initTime"` // s, default 60
	Env       map[string]string
	Role      bool              // the function's service has a role
	Module    string            // a package of npm that the code needs
	Objects   map[string]string // what stands in the bucket before the calls, by key
	Leaves    map[string]string // what stands in it after them; <function> is the function's name
	Late      int               // lines that come after the end of each call
	Unordered bool              // lines of stdout and stderr mix, so their order is not compared
	NoStacks  bool              `yaml:"noStacks"` // the stacks that a runtime shows as it is killed are not compared: it may be too busy
	NoLog     bool              `yaml:"noLog"`    // the log holds the interpreter's own words, which are not compared
	NoTail    bool              `yaml:"noTail"`   // the calls do not ask for the tail of the log
	Class     perLanguage       // of the error of the last call, default none: what metrics count it as
}

// perLanguage is one text for all languages or, as a map, one for each.
type perLanguage map[string]string

// UnmarshalYAML reads a text or a map of texts.
func (p *perLanguage) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*p = perLanguage{"": n.Value}
		return nil
	}
	return n.Decode((*map[string]string)(p))
}

func (p perLanguage) of(language, otherwise string) string {
	for _, key := range []string{language, ""} {
		if v, ok := p[key]; ok {
			return v
		}
	}
	return otherwise
}

func (r *row) theme() string { return path.Dir(r.Case) }
func (r *row) name() string  { return path.Base(r.Case) }

// handler is what the function is called with in a language.
func (r *row) handler(language string) string {
	otherwise := "index." + r.name()
	if language == "java" {
		otherwise = r.theme() + "." + strings.ToUpper(r.name()[:1]) + r.name()[1:] + "::handleRequest"
	}
	return r.Handler.of(language, otherwise)
}

// each calls f for every runtime that the row is about.
func (r *row) each(f func(language, runtime string)) {
	for _, l := range languages {
		if len(r.Languages) > 0 && !slices.Contains(r.Languages, l.name) {
			continue
		}
		if _, err := os.Stat(codeDir(r.theme(), l.name)); err != nil {
			continue
		}
		for _, runtime := range l.runtimes {
			if len(r.Runtimes) == 0 || slices.Contains(r.Runtimes, runtime) {
				f(l.name, runtime)
			}
		}
	}
}

// codeDir is the folder with a theme's code in a language.
func codeDir(theme, language string) string { return path.Join("cases", theme, language) }

// table reads cases.yaml.
func table(t *testing.T) []*row {
	t.Helper()
	content, err := os.ReadFile("cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rows []*row
	dec := yaml.NewDecoder(bytes.NewReader(content))
	dec.KnownFields(true)
	if err := dec.Decode(&rows); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.Case] || r.Says == "" || !strings.Contains(r.Case, "/") {
			t.Fatalf("cases.yaml: %q is there twice, is not theme/name or says nothing", r.Case)
		}
		seen[r.Case] = true
		if len(r.Events) == 0 {
			r.Events = []string{""}
		}
	}
	return rows
}
