package runtimes

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/invoker/runtimes/frame"
)

// whole is an event with a property of every kind, as the function of the same name gives it back.
const whole = `{"id":"a","name":"é\"\\\n","count":2,"open":true,"first":{"label":"x","next":null},` +
	`"items":[{"label":"y","next":{"label":"z","next":null}},null],"stock":{"b":1,"a":2},"colours":["GREEN","RED"],` +
	`"numbers":[1,-2],"more":[],"bytes":"AP8=","when":1471498721401,"big":9007199254740993,"price":1.5,"ratio":0.25,` +
	`"letter":"q","sure":false,"exact":1.10,"huge":123456789012345678901234567890,"any":{"n":[1,2.5,null,"t",true]},` +
	`"fixed":1,"url":"made from é\"\\\n"}`

var pojoTests = []struct {
	name, class, event string
	want               string // the result, or a part of the error
	fails              bool
}{
	{name: "a property of every kind", class: "Whole", event: whole, want: whole},
	{name: "texts", class: "Texts", event: ` "h\u00e9\ud83d\ude00" `, want: `"HÉ😀"`},
	{name: "an empty event", class: "Texts", want: `null`},
	{name: "null", class: "Texts", event: `null`, want: `null`},
	{name: "a list", class: "Sum", event: `[1, 2, 3]`, want: `6`},
	{name: "numbers as texts", class: "Sum", event: `["1", 2]`, want: `3`},
	{name: "what no type is said of", class: "Raw", event: `{"x":1}`, want: `"Integer"`},
	{name: "a long number", class: "Raw", event: `{"x":12345678901}`, want: `"Long"`},
	{name: "a longer number", class: "Raw", event: `{"x":12345678901234567890}`, want: `"BigInteger"`},
	{name: "a fraction", class: "Raw", event: `{"x":1e3}`, want: `"Double"`},
	{name: "a text alone", class: "Raw", event: `"x"`, want: `"x"`},
	{name: "types said further up", class: "Concrete", event: `[{"value":{"label":"a"},"rest":[{"label":"b","unknown":1}]}]`, want: `"ab"`},
	{name: "an exception of the handler", class: "Lazy", event: `{}`, want: `"errorMessage" : "thrown by the handler"`, fails: true},
	{name: "a setter that throws", class: "Setter", event: `{"n":-1}`, want: `"errorCause" : "n is below zero"`, fails: true},
	{name: "no JSON", class: "Texts", event: `{"a":}`, want: `not JSON: expected a value at character 6, found '}'`, fails: true},
	{name: "JSON and more", class: "Texts", event: `"a" b`, want: `not JSON: expected the end at character 5, found 'b'`, fails: true},
	{name: "an unfinished text", class: "Texts", event: `"a`, want: `not JSON: expected a character of a string at character 3, found the end`, fails: true},
	{name: "a number with a zero in front", class: "Texts", event: `01`, want: `not JSON: expected the end at character 2, found '1'`, fails: true},
	{name: "an event nested too deep", class: "Raw", event: strings.Repeat("[", 5000), want: "not JSON: nested deeper than 1000", fails: true},
	{name: "a text in place of a number", class: "Whole", event: `{"items":[{}],"stock":{"a":"many"}}`,
		want: "the event does not fit: expected a number at $.stock.a, found a string", fails: true},
	{name: "a number too large", class: "Whole", event: `{"numbers":[1,3000000000]}`,
		want: "the event does not fit: expected a number that fits int at $.numbers[1], found 3000000000", fails: true},
	{name: "an unknown name", class: "Whole", event: `{"colours":["BLUE"]}`, want: "expected a name of example.Pojos$Colour at $.colours[0]", fails: true},
	{name: "an object in place of a list", class: "Sum", event: `{}`, want: "the event does not fit: expected an array at $, found an object", fails: true},
	{name: "a class that cannot be made", class: "Unmade", event: `{}`, want: "java.lang.Runnable at $ cannot be made", fails: true},
	{name: "a result in a circle", class: "Circle", event: `{}`, want: "the result is no JSON: nested deeper than 1000, or in a circle", fails: true},
}

func TestJavaPojos(t *testing.T) {
	onEach(t, "java", func(t *testing.T, in interpreter) {
		for _, tt := range pojoTests {
			t.Run(tt.name, func(t *testing.T) {
				p := startHandler(t, in, "example.Pojos$"+tt.class+"::handleRequest")
				for _, id := range []string{"r1", "r2"} {
					got := p.invoke(id, tt.event)
					switch {
					case tt.fails != (got.Type == frame.TypeUnhandled):
						t.Errorf("type %d: %s", got.Type, got.Body)
					case tt.fails && !strings.Contains(unquoted(got.Body), tt.want):
						t.Errorf("%s is not in %.500s", tt.want, got.Body)
					case !tt.fails:
						if diff := cmp.Diff(tt.want, string(got.Body)); diff != "" {
							t.Error(diff)
						}
					}
				}
			})
		}
	})
}

func unquoted(body []byte) string { return strings.ReplaceAll(string(body), `\"`, `"`) }

// The user's own Jackson reads and writes the objects where the package holds it.
func TestJavaPojosByJackson(t *testing.T) {
	onEach(t, "java", func(t *testing.T, in interpreter) {
		if in.major < 17 { // what Debian's Jackson is compiled for
			return
		}
		p := startWithJackson(t, in, "jackson-annotations.jar", "jackson-core.jar", "jackson-databind.jar")
		if got := p.invoke("r1", `{"the-name":"a","tags":["x"],"unknown":1}`); string(got.Body) != `{"tags":["x"],"the-name":"a"}` {
			t.Errorf("got %s", got.Body)
		}
		if got := p.invoke("r2", `{`); got.Type != frame.TypeUnhandled || !strings.Contains(string(got.Body), "com.fasterxml.jackson.core.") {
			t.Errorf("got %s", got.Body)
		}
		if got := p.invoke("r3", ""); string(got.Body) != "null" {
			t.Errorf("got %s", got.Body)
		}
	})
}

func TestJavaPojosWithABrokenJackson(t *testing.T) {
	onEach(t, "java", func(t *testing.T, in interpreter) {
		p := startWithJackson(t, in)
		file := filepath.Join(p.code, "com/fasterxml/jackson/databind/ObjectMapper.class")
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("no class at all"), 0o644)); err != nil {
			t.Fatal(err)
		}
		if got := p.invoke("r1", `{"name":"a","tags":["x"]}`); string(got.Body) != `{"name":"a","tags":["x"],"secret":"not shown"}` {
			t.Errorf("got %s", got.Body)
		}
		log := unstamped(p.lines("r1"))
		if len(log) != 1 || !strings.HasPrefix(log[0], "TIME r1 WARN the Jackson of this package cannot be used, its annotations are without effect: java.lang.") {
			t.Errorf("log %q", log)
		}
	})
}

func startWithJackson(t *testing.T, in interpreter, jars ...string) *process {
	t.Helper()
	p := startHandler(t, in, "example.Annotated::handleRequest")
	compileInto(t, p.code, "testdata/java-jackson/Annotated.java", "java/bootstrap.jar:/usr/share/java/jackson-annotations.jar")
	for _, name := range jars {
		copyFile(t, filepath.Join("/usr/share/java", name), filepath.Join(p.code, "lib", name))
	}
	return p
}

// compileInto puts the classes of a source file into a folder.
func compileInto(t testing.TB, dir, source, classPath string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := javac(dir, []string{source}, classPath); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatalf("%v (the tests need libjackson2-databind-java on this machine)", err)
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
}
