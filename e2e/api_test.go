package e2e

import (
	"archive/zip"
	"bytes"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fcd/config"
)

const pyEcho = "def handler(event, context):\n    return event\n"

// furnished boots a daemon with the service svc, the function svc/f, its trigger t and the bucket.
func furnished(t *testing.T, change ...func(*config.Config)) *house {
	t.Helper()
	h := boot(t, change...)
	h.makeBucket(bucket)
	h.service("svc", functionRole)
	h.python("svc/f", pyEcho)
	h.must("POST", "/services/svc/functions/f/triggers", ossTrigger("t", bucket, ossRole, "in/", ""))
	return h
}

func functionBody(t *testing.T, change m) m {
	body := m{"functionName": "g", "runtime": "python3", "handler": "index.handler",
		"code": m{"zipFile": zipOf(t, map[string]string{"index.py": pyEcho})}}
	for k, v := range change {
		body[k] = v
	}
	return body
}

// TestErrorsOfEveryOperation sends one request for each documented refusal of each operation.
func TestErrorsOfEveryOperation(t *testing.T) {
	h := furnished(t)
	const svc, f, trg = "/services/svc", "/services/svc/functions/f", "/services/svc/functions/f/triggers/t"
	stale := header("If-Match", "0123456789abcdef0123456789abcdef")
	trigger := func(change m) m {
		body := ossTrigger("u", bucket, ossRole, "u/", "")
		for k, v := range change {
			body[k] = v
		}
		return body
	}
	timer := func(config m) m { return m{"triggerName": "u", "triggerType": "timer", "triggerConfig": config} }
	for _, c := range []struct {
		op, what, method, path string
		body                   any
		want                   string // status and code
		text                   string // in the message
		options                []option
	}{
		{"CreateService", "without a name", "POST", "/services", m{}, "400 InvalidArgument", "ServiceName", nil},
		{"CreateService", "with a dot in its name", "POST", "/services", m{"serviceName": "a.b"}, "400 InvalidArgument", "ServiceName is set to an invalid value", nil},
		{"CreateService", "with a long description", "POST", "/services", m{"serviceName": "a", "description": strings.Repeat("x", 257)}, "400 InvalidArgument", "Description", nil},
		{"CreateService", "with a role that is none", "POST", "/services", m{"serviceName": "a", "role": "admin"}, "400 InvalidArgument", "Role", nil},
		{"CreateService", "with half a logConfig", "POST", "/services", m{"serviceName": "a", "logConfig": m{"project": "p"}}, "400 InvalidArgument", "LogConfig", nil},
		{"CreateService", "with broken JSON", "POST", "/services", `{"serviceName":`, "400 InvalidArgument", "", nil},
		{"CreateService", "with nothing", "POST", "/services", nil, "400 InvalidArgument", "", nil},
		{"CreateService", "a second time", "POST", "/services", m{"serviceName": "svc"}, "409 ServiceAlreadyExists", "service 'svc' already exists", nil},
		{"ListServices", "with limit 0", "GET", "/services?limit=0", nil, "400 InvalidArgument", "Limit", nil},
		{"ListServices", "with limit 101", "GET", "/services?limit=101", nil, "400 InvalidArgument", "Limit", nil},
		{"ListServices", "with limit ten", "GET", "/services?limit=ten", nil, "400 InvalidArgument", "Limit", nil},
		{"GetService", "unknown", "GET", "/services/none", nil, "404 ServiceNotFound", "service 'none' does not exist", nil},
		{"GetService", "of an unknown version", "GET", "/services/svc.3", nil, "404 VersionNotFound", "version '3' of service 'svc' does not exist", nil},
		{"GetService", "of an unknown alias", "GET", "/services/svc.prod", nil, "404 AliasNotFound", "alias 'prod' of service 'svc' does not exist", nil},
		{"UpdateService", "unknown", "PUT", "/services/none", m{}, "404 ServiceNotFound", "", nil},
		{"UpdateService", "to another name", "PUT", svc, m{"serviceName": "other"}, "400 InvalidArgument", "ServiceName", nil},
		{"UpdateService", "with a stale ETag", "PUT", svc, m{"description": "x"}, "412 PreconditionFailed", "the resource being modified has been changed", []option{stale}},
		{"DeleteService", "unknown", "DELETE", "/services/none", nil, "404 ServiceNotFound", "", nil},
		{"DeleteService", "with functions", "DELETE", svc, nil, "409 ServiceNotEmpty", "", nil},
		{"DeleteService", "with a stale ETag", "DELETE", svc, nil, "412 PreconditionFailed", "", []option{stale}},

		{"CreateFunction", "in an unknown service", "POST", "/services/none/functions", functionBody(t, nil), "404 ServiceNotFound", "", nil},
		{"CreateFunction", "a second time", "POST", svc + "/functions", functionBody(t, m{"functionName": "f"}), "409 FunctionAlreadyExists", "function 'f' already exists in service 'svc'", nil},
		{"CreateFunction", "of an unknown runtime", "POST", svc + "/functions", functionBody(t, m{"runtime": "cobol"}), "400 InvalidArgument", "Runtime is set to an invalid value", nil},
		{"CreateFunction", "with odd memory", "POST", svc + "/functions", functionBody(t, m{"memorySize": 100}), "400 InvalidArgument", "MemorySize", nil},
		{"CreateFunction", "with too much memory", "POST", svc + "/functions", functionBody(t, m{"memorySize": 3136}), "400 InvalidArgument", "MemorySize", nil},
		{"CreateFunction", "with a long timeout", "POST", svc + "/functions", functionBody(t, m{"timeout": 301}), "400 InvalidArgument", "Timeout", nil},
		{"CreateFunction", "without a handler", "POST", svc + "/functions", functionBody(t, m{"handler": ""}), "400 InvalidArgument", "Handler", nil},
		{"CreateFunction", "without code", "POST", svc + "/functions", functionBody(t, m{"code": m{}}), "400 InvalidArgument", "Code", nil},
		{"CreateFunction", "with code of both kinds", "POST", svc + "/functions", functionBody(t, m{"code": m{"zipFile": "UEsF", "ossBucketName": "b", "ossObjectName": "o"}}), "400 InvalidArgument", "Code", nil},
		{"CreateFunction", "with base64 that is none", "POST", svc + "/functions", functionBody(t, m{"code": m{"zipFile": "%%"}}), "400 InvalidArgument", "", nil},
		{"CreateFunction", "with code in no bucket", "POST", svc + "/functions", functionBody(t, m{"code": m{"ossBucketName": "no-such-bucket", "ossObjectName": "o"}}), "400 InvalidArgument", "NoSuchBucket", nil},
		{"CreateFunction", "with code that is no object", "POST", svc + "/functions", functionBody(t, m{"code": m{"ossBucketName": bucket, "ossObjectName": "o"}}), "400 InvalidArgument", "NoSuchKey", nil},
		{"CreateFunction", "with a reserved variable", "POST", svc + "/functions", functionBody(t, m{"environmentVariables": m{"FC_X": "1"}}), "400 InvalidArgument", "EnvironmentVariables", nil},
		{"ListFunctions", "of an unknown service", "GET", "/services/none/functions", nil, "404 ServiceNotFound", "", nil},
		{"GetFunction", "unknown", "GET", svc + "/functions/none", nil, "404 FunctionNotFound", "function 'none' does not exist in service 'svc'", nil},
		{"UpdateFunction", "unknown", "PUT", svc + "/functions/none", m{}, "404 FunctionNotFound", "", nil},
		{"UpdateFunction", "with a stale ETag", "PUT", f, m{"timeout": 5}, "412 PreconditionFailed", "", []option{stale}},
		{"UpdateFunction", "with odd memory", "PUT", f, m{"memorySize": 129}, "400 InvalidArgument", "MemorySize", nil},
		{"DeleteFunction", "unknown", "DELETE", svc + "/functions/none", nil, "404 FunctionNotFound", "", nil},
		{"DeleteFunction", "with triggers", "DELETE", f, nil, "409 FunctionNotEmpty", "function 'f' has active triggers", nil},
		{"GetFunctionCode", "unknown", "GET", svc + "/functions/none/code", nil, "404 FunctionNotFound", "", nil},
		{"InvokeFunction", "unknown", "POST", svc + "/functions/none/invocations", nil, "404 FunctionNotFound", "", nil},
		{"InvokeFunction", "unknown and asynchronous", "POST", svc + "/functions/none/invocations", nil, "404 FunctionNotFound", "", []option{async}},
		{"InvokeFunction", "of no service", "POST", "/services/none/functions/f/invocations", nil, "404 ServiceNotFound", "", nil},
		{"InvokeFunction", "with an unknown log type", "POST", f + "/invocations", nil, "400 InvalidArgument", "LogType is set to an invalid value (allowed: Tail | None, actual: 'Invalid')", []option{header("X-Fc-Log-Type", "Invalid")}},
		{"InvokeFunction", "asynchronous with a log", "POST", f + "/invocations", nil, "400 InvalidArgument", "LogType is set to an invalid value (allowed: None, actual: 'Tail')", []option{async, tail}},
		{"InvokeFunction", "with an unknown type", "POST", f + "/invocations", nil, "400 InvalidArgument", "InvocationType", []option{header("X-Fc-Invocation-Type", "Later")}},
		{"InvokeFunction", "with a large event", "POST", f + "/invocations", strings.Repeat("x", 6<<20+1), "400 EntityTooLarge", "payload size exceeds maximum allowed size (6291456 bytes)", nil},
		{"InvokeFunction", "asynchronous with a large event", "POST", f + "/invocations", strings.Repeat("x", 128<<10+1), "400 EntityTooLarge", "payload size exceeds maximum allowed size (131072 bytes)", []option{async}},

		{"CreateTrigger", "of no function", "POST", svc + "/functions/none/triggers", trigger(nil), "404 FunctionNotFound", "", nil},
		{"CreateTrigger", "a second time", "POST", f + "/triggers", trigger(m{"triggerName": "t"}), "409 TriggerAlreadyExists", "trigger 't' already exists in function 'f'", nil},
		{"CreateTrigger", "of an unknown type", "POST", f + "/triggers", trigger(m{"triggerType": "smoke"}), "400 InvalidArgument", "TriggerType", nil},
		{"CreateTrigger", "without a role", "POST", f + "/triggers", trigger(m{"invocationRole": ""}), "400 InvalidArgument", "InvocationRole", nil},
		{"CreateTrigger", "with an unknown role", "POST", f + "/triggers", trigger(m{"invocationRole": roleARN("nobody")}), "403 AccessDenied", "nobody", nil},
		{"CreateTrigger", "with a role of another account", "POST", f + "/triggers", trigger(m{"invocationRole": "acs:ram::999:role/x"}), "400 InvalidArgument", "acs:ram::999:role/x", nil},
		{"CreateTrigger", "with a source elsewhere", "POST", f + "/triggers", trigger(m{"sourceArn": "acs:oss:cn-beijing:" + account + ":" + bucket}), "400 InvalidArgument", "SourceArn", nil},
		{"CreateTrigger", "of an unknown event", "POST", f + "/triggers", trigger(m{"triggerConfig": m{"events": []string{"oss:Looked"}}}), "400 InvalidArgument", "oss:Looked", nil},
		{"CreateTrigger", "that overlaps", "POST", f + "/triggers", trigger(m{"triggerConfig": m{"events": []string{"oss:ObjectCreated:*"}, "filter": m{"key": m{"prefix": "in/x"}}}}), "400 InvalidArgument",
			"event source 'oss' returned error: Cannot specify overlapping prefix and suffix with same event type..", nil},
		{"CreateTrigger", "with a bad expression", "POST", f + "/triggers", timer(m{"cronExpression": "0 0 8 L * *"}), "400 InvalidArgument", "", nil},
		{"CreateTrigger", "that never fires", "POST", f + "/triggers", timer(m{"cronExpression": "0 0 8 31 2 *"}), "400 InvalidArgument", "never fires", nil},
		{"CreateTrigger", "faster than allowed", "POST", f + "/triggers", timer(m{"cronExpression": "@every 30s"}), "400 InvalidArgument", "", nil},
		{"ListTriggers", "of no function", "GET", svc + "/functions/none/triggers", nil, "404 FunctionNotFound", "", nil},
		{"GetTrigger", "unknown", "GET", f + "/triggers/none", nil, "404 TriggerNotFound", "trigger 'none' does not exist in function 'f'", nil},
		{"UpdateTrigger", "unknown", "PUT", f + "/triggers/none", m{}, "404 TriggerNotFound", "", nil},
		{"UpdateTrigger", "to another source", "PUT", trg, m{"sourceArn": "acs:oss:" + region + ":" + account + ":other"}, "400 InvalidArgument", "SourceArn", nil},
		{"UpdateTrigger", "with a stale ETag", "PUT", trg, m{"triggerConfig": m{"events": []string{"oss:ObjectCreated:*"}}}, "412 PreconditionFailed", "", []option{stale}},
		{"DeleteTrigger", "unknown", "DELETE", f + "/triggers/none", nil, "404 TriggerNotFound", "", nil},
		{"DeleteTrigger", "with a stale ETag", "DELETE", trg, nil, "412 PreconditionFailed", "", []option{stale}},

		{"none", "an unknown path", "GET", "/nothing", nil, "400 PathNotSupported", "", nil},
		{"none", "an unknown method", "PATCH", svc, nil, "400 PathNotSupported", "", nil},
		{"none", "another version", "GET", "!/2015-01-01/services", nil, "400 PathNotSupported", "", nil},
		{"none", "without a signature", "GET", "/services", nil, "403 AccessDenied", "", []option{unsigned}},
		{"none", "an unknown path without a signature", "GET", "/nothing", nil, "403 AccessDenied", "", []option{unsigned}},
		{"none", "without a date", "GET", "/services", nil, "400 MissingRequiredHeader", "required HTTP header Date was not specified",
			[]option{then(func(r *http.Request) { r.Header.Del("Date") })}},
		{"none", "with an unknown key", "GET", "/services", nil, "403 InvalidAccessKeyId", "invalid access key ID 'LTAIwho'", []option{as("LTAIwho", "x", "")}},
		{"none", "with a wrong secret", "GET", "/services", nil, "403 SignatureNotMatch", "The request signature we calculated does not match", []option{as(rootKey, "x", "")}},
		{"none", "with an old date", "GET", "/services", nil, "403 RequestTimeTooSkewed", "", []option{signedAt(time.Now().Add(-16 * time.Minute))}},
		{"none", "changed after it was signed", "GET", "/services", nil, "403 SignatureNotMatch", "", []option{then(func(r *http.Request) { r.URL.Path += "/svc" })}},
	} {
		a := h.do(c.method, c.path, c.body, c.options...)
		if got := fmt.Sprintf("%d %s", a.status, a.code()); got != c.want || !strings.Contains(a.message(), c.text) {
			t.Errorf("%s %s: %s %q, want %s %q", c.op, c.what, got, a.message(), c.want, c.text)
		}
		if len(a.requestID()) != 36 || a.field("errorCode") != a.code() || a.field("errorMessage") != a.message() ||
			!strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s %s: shape of the refusal: %v %s", c.op, c.what, a.header, a.body)
		}
	}
	if a := h.must("GET", "/services/svc/functions", nil); strings.Count(a.body, `"functionName"`) != 1 {
		t.Errorf("a refused request left something: %s", a.body)
	}
}

// TestHostileCode offers packages that no function is made of, and looks for what they leave.
func TestHostileCode(t *testing.T) {
	h := boot(t, func(c *config.Config) { c.Limits.PackageEntries, c.Limits.UnpackedBytes = 50, 8<<20 })
	h.service("svc", "")
	before := tree(t, h.dir, "packages")
	for name, code := range map[string][]byte{
		"not a zip":           []byte("hello"),
		"an empty file":       {},
		"half a zip":          zipOf(t, map[string]string{"index.py": pyEcho})[:60],
		"a path upwards":      zipOf(t, map[string]string{"../../evil": "x"}),
		"an absolute path":    zipOf(t, map[string]string{"/etc/evil": "x"}),
		"a backslash path":    zipOf(t, map[string]string{`..\evil`: "x"}),
		"a link outside":      linkZip(t, "evil", "../../../etc/passwd"),
		"an absolute link":    linkZip(t, "evil", "/etc/passwd"),
		"a write over a link": overLinkZip(t),
		"a bomb":              zipOf(t, map[string]string{"bomb": strings.Repeat("\x00", 9<<20)}),
		"too many entries":    manyZip(t, 60),
		"a name twice":        twiceZip(t),
	} {
		a := h.do("POST", "/services/svc/functions", functionBody(t, m{"code": m{"zipFile": code}}))
		if a.status != 400 || a.code() != "InvalidArgument" || a.message() == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if after := tree(t, h.dir, "packages"); after != before {
		t.Errorf("refused packages left files behind:\n%s\nbefore:\n%s", after, before)
	}
	if a := h.do("GET", "/services/svc/functions/g", nil); a.status != 404 {
		t.Errorf("a function was made: %s", a.body)
	}
}

// tree lists the files below a folder of the data directory.
func tree(t *testing.T, dir, name string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(filepath.Join(dir, name), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// build makes a zip with a function that fills it.
func build(t *testing.T, fill func(*zip.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	if err := fill(z); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func addLink(z *zip.Writer, name, target string) error {
	h := &zip.FileHeader{Name: name}
	h.SetMode(os.ModeSymlink | 0o777)
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, target)
	return err
}

func linkZip(t *testing.T, name, target string) []byte {
	return build(t, func(z *zip.Writer) error { return addLink(z, name, target) })
}

func overLinkZip(t *testing.T) []byte {
	return build(t, func(z *zip.Writer) error {
		if err := addLink(z, "dir", ".."); err != nil {
			return err
		}
		return addFile(z, "dir/evil", []byte("x"))
	})
}

func manyZip(t *testing.T, n int) []byte {
	return build(t, func(z *zip.Writer) error {
		for i := range n {
			if err := addFile(z, fmt.Sprint("f", i), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func twiceZip(t *testing.T) []byte {
	return build(t, func(z *zip.Writer) error {
		if err := addFile(z, "index.py", []byte(pyEcho)); err != nil {
			return err
		}
		return addFile(z, "index.py", []byte("import os\n"))
	})
}

// TestCodeFromABucketAndBack makes a function of a package in OSS and downloads it by its URL.
func TestCodeFromABucketAndBack(t *testing.T) {
	h := furnished(t)
	code := zipOf(t, map[string]string{"index.py": "def handler(event, context):\n    return 'from a bucket'\n"})
	b, err := h.oss().Bucket(bucket)
	if err != nil {
		t.Fatal(err)
	}
	h.put(b, "code/g.zip", string(code))
	made := h.must("POST", "/services/svc/functions", functionBody(t, m{"code": m{"ossBucketName": bucket, "ossObjectName": "code/g.zip"}})).object(t)
	sum := fmt.Sprint(crc64.Checksum(code, crc64.MakeTable(crc64.ECMA)))
	if made["codeChecksum"] != sum || made["codeSize"] != float64(len(code)) {
		t.Errorf("made %v, want checksum %s and size %d", made, sum, len(code))
	}
	if err := b.DeleteObject("code/g.zip"); err != nil {
		t.Fatal(err)
	}
	if got := h.returns("svc/g", ""); got != "from a bucket" {
		t.Errorf("it returned %q", got)
	}

	at := h.must("GET", "/services/svc/functions/g/code", nil)
	if at.field("checksum") != sum || !strings.HasPrefix(at.field("url"), h.e.API+"/") {
		t.Errorf("GetFunctionCode: %s", at.body)
	}
	res, err := h.http.Get(at.field("url"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(got, code) || res.Header.Get("X-Oss-Hash-Crc64ecma") != sum {
		t.Errorf("download: %d, %d bytes, %v, error %v", res.StatusCode, len(got), res.Header, err)
	}
	forged, err := h.http.Get(strings.Replace(at.field("url"), "/g", "/f", 1) + "0")
	if err != nil {
		t.Fatal(err)
	}
	forged.Body.Close()
	if forged.StatusCode == 200 {
		t.Error("a forged URL gives code")
	}
}

// TestRacesOfUpdates: of updates with one ETag one wins; of creates of one name one wins.
func TestRacesOfUpdates(t *testing.T) {
	h := furnished(t)
	etag := h.must("GET", "/services/svc/functions/f", nil).header.Get("ETag")
	got := together(8, func(i int) answer {
		return h.do("PUT", "/services/svc/functions/f", m{"description": fmt.Sprint(i)}, header("If-Match", etag))
	})
	if got["200 "] != 1 || got["412 PreconditionFailed"] != 7 {
		t.Errorf("updates with one ETag: %v", got)
	}
	got = together(8, func(int) answer { return h.do("POST", "/services/svc/functions", functionBody(t, nil)) })
	if got["200 "] != 1 || got["409 FunctionAlreadyExists"] != 7 {
		t.Errorf("creates of one name: %v", got)
	}
	got = together(8, func(i int) answer {
		body := ossTrigger(fmt.Sprint("race", i), bucket, ossRole, "race/", "")
		return h.do("POST", "/services/svc/functions/f/triggers", body)
	})
	if got["200 "] != 1 || got["400 InvalidArgument"] != 7 {
		t.Errorf("triggers that overlap: %v", got)
	}
}

// together runs f n times at once and counts the outcomes.
func together(n int, f func(i int) answer) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	begin := make(chan struct{})
	got := map[string]int{}
	for i := range n {
		wg.Go(func() {
			<-begin
			a := f(i)
			mu.Lock()
			defer mu.Unlock()
			got[fmt.Sprintf("%d %s", a.status, a.code())]++
		})
	}
	close(begin)
	wg.Wait()
	return got
}

// TestTriggerLifecycle: a trigger works from its creation, follows its changes and ends with its deletion.
func TestTriggerLifecycle(t *testing.T) {
	h := furnished(t)
	b, err := h.oss().Bucket(bucket)
	if err != nil {
		t.Fatal(err)
	}
	const path = "/services/svc/functions/f/triggers/t"
	done := func() float64 { return h.metric("fcd_async_attempts_total", "outcome", "succeeded") }
	h.put(b, "in/1", "x")
	eventually(t, "the first object is handled", func() bool { return done() == 1 })
	h.must("PUT", path, m{"triggerConfig": m{"filter": m{"key": m{"prefix": "moved/"}}}})
	eventually(t, "the source follows the new prefix", func() bool {
		h.put(b, "moved/2", "x")
		return done() >= 2
	})
	drained := func() bool { return h.metric("fcd_oss_outbox_events") == 0 }
	eventually(t, "all events so far are taken over", drained)
	before := h.metric("fcd_trigger_events_total", "state", "queued")
	h.put(b, "in/3", "x")
	h.must("DELETE", path, nil)
	h.put(b, "moved/4", "x")
	h.must("DELETE", "/services/svc/functions/f", nil)
	h.must("DELETE", "/services/svc", nil)
	eventually(t, "the last events are taken over", drained)
	if now := h.metric("fcd_trigger_events_total", "state", "queued"); now != before {
		t.Errorf("%v events more were queued", now-before)
	}
}
