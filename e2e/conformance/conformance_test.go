package conformance

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"fcd/api/client"
)

func TestConformance(t *testing.T) {
	h := shared.get(t)
	for _, r := range table(t) {
		t.Run(r.Case, func(t *testing.T) {
			t.Parallel()
			g := openGolden(t, r.Case)
			r.each(func(language, runtime string) {
				t.Run(runtime, func(t *testing.T) {
					t.Parallel()
					if h.ready(t, runtime) {
						g.check(t, runtime, h.play(t, r, language, runtime))
					}
				})
			})
		})
	}
}

// ready tells whether a runtime can be tried.
func (h *house) ready(t *testing.T, runtime string) bool {
	t.Helper()
	s := h.status[runtime]
	if !s.Ready && slices.Contains(required, runtime) {
		t.Fatalf("%s is not ready: %s", runtime, s.Reason)
	}
	if !s.Ready {
		t.Logf("not tried, %s is not ready: %s", runtime, s.Reason)
	}
	return s.Ready
}

// required are the runtimes that have to be ready where the tests run.
var required = []string{"nodejs6", "nodejs8", "python2.7", "python3", "java8"}

// play deploys a row's function, makes its calls and writes down what came of them.
func (h *house) play(t *testing.T, r *row, language, runtime string) string {
	t.Helper()
	f := h.function(t, r, language, runtime)
	h.deploy(t, f)
	for key, content := range r.Objects {
		if err := h.bucket(t, bucket).PutObject(key, strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	var answers []*client.Answer
	for _, event := range r.Events {
		a, err := h.invoke(f.service, f.name, []byte(event), !r.NoTail)
		if err != nil {
			t.Fatal(err)
		}
		checkHeaders(t, a, f.code.checksum, !r.NoTail)
		answers = append(answers, a)
	}
	for key, want := range r.Leaves {
		key = strings.ReplaceAll(key, "<function>", f.name)
		if got := object(t, h.bucket(t, bucket), key); got != want {
			t.Errorf("%s holds %q, want %q", key, got, want)
		}
	}
	var b strings.Builder
	for i, a := range answers {
		records := h.log.of(t, a.Header.Get("X-Fc-Request-Id"), r.Late)
		if !r.NoTail && !r.Unordered {
			checkTail(t, a, records)
		}
		if i > 0 {
			b.WriteString("\n")
		}
		if r.NoLog {
			records = nil
		}
		if r.NoStacks {
			records = slices.DeleteFunc(records, func(r record) bool { return stackForm.MatchString(r.text) })
		}
		b.WriteString(h.transcript(f, a, records, r.Unordered))
	}
	h.remove(t, f)
	return b.String()
}

// function is what a row deploys.
func (h *house) function(t *testing.T, r *row, language, runtime string) function {
	t.Helper()
	f := function{service: plain, name: functionName(r, runtime), runtime: runtime, handler: r.handler(language),
		initializer: r.Init.of(language, ""), code: codeOf(t, r, language), memory: r.Memory,
		timeout: r.Timeout, initTime: r.InitTime, env: r.Env}
	if r.Role {
		f.service = keyed
	}
	return f
}

// functionName is the row's and the runtime's own.
func functionName(r *row, runtime string) string {
	return strings.NewReplacer("/", "-", ".", "_").Replace(r.Case + "-" + runtime)
}

// Formats of the headers of every invocation's answer.
var headerForms = map[string]*regexp.Regexp{
	"Access-Control-Expose-Headers":   regexp.MustCompile(`^Date,x-fc-request-id,x-fc-error-type,x-fc-code-checksum,x-fc-invocation-duration,x-fc-max-memory-usage,x-fc-log-result,x-fc-invocation-code-version$`),
	"Content-Length":                  regexp.MustCompile(`^\d+$`),
	"Content-Type":                    regexp.MustCompile(`^application/(json|octet-stream)$`),
	"Date":                            regexp.MustCompile(`GMT$`),
	"X-Fc-Code-Checksum":              regexp.MustCompile(`^\d+$`),
	"X-Fc-Instance-Id":                regexp.MustCompile(`^[a-z0-9-]+$`),
	"X-Fc-Invocation-Duration":        regexp.MustCompile(`^\d+$`),
	"X-Fc-Invocation-Service-Version": regexp.MustCompile(`^LATEST$`),
	"X-Fc-Max-Memory-Usage":           regexp.MustCompile(`^[1-9]\d*\.\d\d$`),
	"X-Fc-Request-Id":                 regexp.MustCompile(`^[0-9a-f-]{36}$`),
}

// checkHeaders holds an answer against the headers that the contract lists, no more and no fewer.
func checkHeaders(t *testing.T, a *client.Answer, checksum string, tail bool) {
	t.Helper()
	var want []string
	for name, form := range headerForms {
		want = append(want, name)
		if v := a.Header.Get(name); !form.MatchString(v) {
			t.Errorf("%s: %q, want %s", name, v, form)
		}
	}
	kind, failed := a.Header.Get("Content-Type"), a.Header.Get("X-Fc-Error-Type") != ""
	if failed != (kind == "application/json") {
		t.Errorf("Content-Type %s of an answer with X-Fc-Error-Type %q", kind, a.Header.Get("X-Fc-Error-Type"))
	}
	if failed {
		want = append(want, "X-Fc-Error-Type")
	}
	if tail {
		want = append(want, "X-Fc-Log-Result")
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), sortedNames(a.Header)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if got := a.Header.Get("X-Fc-Code-Checksum"); got != checksum {
		t.Errorf("X-Fc-Code-Checksum: %s, want %s", got, checksum)
	}
}

func sortedNames(h http.Header) []string {
	var names []string
	for n := range h {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

var summaryForm = regexp.MustCompile(`^Duration: \d+\.\d\d ms, Billed Duration: [1-9]\d*00 ms, Memory Size: \d+ MB, Max Memory Used: \d+\.\d\d MB$`)

// checkTail holds the tail header against the records of the log: all lines of the request, an empty line and the
// summary, of these the last 4 KiB.
func checkTail(t *testing.T, a *client.Answer, records []record) {
	t.Helper()
	tail, err := base64.StdEncoding.DecodeString(a.Header.Get("X-Fc-Log-Result"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(tail)
	at := strings.LastIndex(text, "\n\n")
	if at < 0 || !summaryForm.MatchString(text[at+2:]) || len(text) > 4096 {
		t.Fatalf("tail of %d bytes: %q", len(text), text)
	}
	var want strings.Builder
	for _, r := range records {
		if !r.late {
			want.WriteString(r.text + "\n")
		}
	}
	if lines := text[:at+1]; !strings.HasSuffix(want.String(), lines) || len(text) < 4096-utf8.UTFMax && len(lines) < want.Len() {
		t.Errorf("the tail is\n%s\nand the log\n%s", visible(lines), visible(want.String()))
	}
}

var (
	timeForm     = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
	instanceForm = regexp.MustCompile(`\bc-[0-9a-f]{24}\b`)
	stackForm    = regexp.MustCompile(`^(Thread .*:$| {2,})`)
	threadForm   = regexp.MustCompile(`^Thread \d+ `)
	// frames of Python's own library in the stackTrace of an error: they change with its version
	libraryFrames = regexp.MustCompile(`(\[\s*"File \\"/usr/lib/python[0-9.]+/[^]]*\](, ?\s*)?)+`)
)

// transcript shows a call: status and type, body, log.
func (h *house) transcript(f function, a *client.Answer, records []record, unordered bool) string {
	id := a.Header.Get("X-Fc-Request-Id")
	words := strings.NewReplacer(id, "<id>", f.name, "<function>", account, "<account>")
	mask := func(text string) string {
		text = instanceForm.ReplaceAllString(timeForm.ReplaceAllString(words.Replace(text), "<time>"), "<instance>")
		text = threadForm.ReplaceAllString(libraryFrames.ReplaceAllString(text, "<library>"), "Thread <n> ")
		return strings.ReplaceAll(text, h.status[f.runtime].Version, "<version>")
	}
	var b strings.Builder
	fmt.Fprintln(&b, strings.TrimSpace(fmt.Sprint(a.Status, " ", a.Header.Get("Content-Type"), " ", a.Header.Get("X-Fc-Error-Type"))))
	if body := mask(string(a.Body)); body != "" {
		for _, line := range strings.Split(body, "\n") {
			fmt.Fprintf(&b, "| %s\n", visible(line))
		}
	}
	var lines []string
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b record) int { return rank(a) - rank(b) }) // late ones may overtake the end
	for _, r := range records {
		late := map[bool]string{true: " (late)"}[r.late]
		lines = append(lines, fmt.Sprintf("log%s: %s\n", late, visible(mask(r.text))))
	}
	if unordered {
		slices.Sort(lines)
	}
	b.WriteString(strings.Join(lines, ""))
	return b.String()
}

func rank(r record) int {
	if r.late {
		return 1
	}
	return 0
}

// visible writes what does not print as Go would, and a long text by its length and ends.
func visible(text string) string {
	if len(text) > 2000 {
		return fmt.Sprintf("%s ... %d bytes in all ... %s", visible(text[:100]), len(text), visible(text[len(text)-100:]))
	}
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case r == '\r':
			b.WriteString(`\r`)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}
