package e2e

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aliyun/fc-go-sdk"

	"fcd/config"
)

func arn(service, resource string) string {
	return "acs:" + service + ":" + region + ":" + account + ":" + resource
}

// goClient is the Go SDK, pointed at the house.
func (h *house) goClient() *sdk.Client {
	h.t.Helper()
	c, err := sdk.NewClient(h.e.API, "2016-08-15", h.e.AccessKeyID, h.e.AccessKeySecret)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// tells sets where a function's ends are told.
func (h *house) tells(service, function, onSuccess, onFailure string) {
	h.t.Helper()
	dest := func(arn string) *sdk.Destination {
		if arn == "" {
			return nil
		}
		return &sdk.Destination{Destination: &arn}
	}
	_, err := h.goClient().PutFunctionAsyncInvokeConfig(sdk.NewPutFunctionAsyncInvokeConfigInput(service, function).WithAsyncConfig(sdk.AsyncConfig{
		MaxAsyncRetryAttempts: new(int64(1)),
		DestinationConfig:     &sdk.DestinationConfig{OnSuccess: dest(onSuccess), OnFailure: dest(onFailure)}}))
	if err != nil {
		h.t.Fatal(err)
	}
}

// TestDestinations: the ends of invocations are told to a function, a logstore, a bucket and a message queue, the last
// of which is down at first.
func TestDestinations(t *testing.T) {
	var refusals atomic.Int64
	bodies := make(chan string, 1)
	queue := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m struct {
			XMLName     xml.Name `xml:"http://mns.aliyuncs.com/doc/v1/ Message"`
			MessageBody string
		}
		if err := xml.Unmarshal(body, &m); err != nil || r.URL.Path != "/queues/ends/messages" || !strings.HasPrefix(r.Header.Get("Authorization"), "MNS "+rootKey+":") {
			t.Errorf("%s %s: %v", r.URL, body, err)
		}
		if refusals.Add(1) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusCreated)
		bodies <- m.MessageBody
	}))
	defer queue.Close()
	h := boot(t, func(c *config.Config) {
		c.Async.RetryBase = 20 * time.Millisecond
		c.Async.MNS.Endpoint = queue.URL
	})
	h.service("svc", functionRole)
	h.makeBucket(bucket)
	h.python("svc/f", "def handler(event, context):\n    if event == b'bad': raise Exception('no')\n    return 'did ' + event.decode()\n")
	h.python("svc/g", "def handler(event, context):\n    return event\n")
	h.python("svc/after", "def handler(event, context):\n    print('told', event.decode())\n")

	h.tells("svc", "f", arn("fc", "services/svc/functions/after"), arn("oss", bucket+"/failed/"))
	good := h.invoke("svc/f", "good", async).requestID()
	bad := h.invoke("svc/f", "bad", async).requestID()
	h.logged("svc/after", `told {"timestamp":`, `"requestContext":{"requestId":"`+good+`"`, `"responsePayload":"did good"`)
	b, err := h.oss().Bucket(bucket)
	if err != nil {
		t.Fatal(err)
	}
	var told string
	eventually(t, "the failure is told to the bucket", func() bool {
		list, err := b.ListObjectsV2()
		if err != nil || len(list.Objects) != 1 {
			return false
		}
		var ok bool
		told, ok = get(b, list.Objects[0].Key)
		return ok
	})
	for _, part := range []string{bad, `"condition":"RetriesExhausted"`, `"approximateInvokeCount":2`, `"functionError":"UnhandledInvocationError"`, `"requestPayload":"bad"`} {
		if !strings.Contains(told, part) {
			t.Errorf("%s is not in %s", part, told)
		}
	}

	h.tells("svc", "g", arn("mns", "/queues/ends/messages"), "")
	third := h.invoke("svc/g", "x", async).requestID()
	if body, err := base64.StdEncoding.DecodeString(<-bodies); err != nil || !strings.Contains(string(body), third) {
		t.Errorf("the queue was told %q, %v", body, err)
	}
	h.tells("svc", "g", arn("log", "project/"+project+"/logstore/ends"), "")
	fourth := h.invoke("svc/g", "y", async).requestID()
	eventually(t, "the logstore is told", func() bool {
		now := time.Now().Unix()
		got, err := h.sls().GetLogs(project, "ends", "", now-600, now+600, `"`+fourth+`"`, 10, 0, false)
		return err == nil && len(got.Logs) == 1
	})
}

// TestStopOfInvocations: one that waits is over at once, one that sleeps for ever is cut, and both say so.
func TestStopOfInvocations(t *testing.T) {
	h := boot(t, func(c *config.Config) { c.Async.Concurrency, c.Async.ConcurrencyPerFunction = 1, 1 })
	h.service("svc", "")
	h.python("svc/f", "import time\ndef handler(event, context):\n    print('sleeping')\n    time.sleep(3600)\n", m{"timeout": 300})
	c := h.goClient()
	for _, id := range []string{"first", "second"} {
		if _, err := c.InvokeFunction(sdk.NewInvokeFunctionInput("svc", "f").WithStatefulAsyncInvocationID(id)); err != nil {
			t.Fatal(err)
		}
	}
	status := func(id string) string {
		got, err := c.GetStatefulAsyncInvocation(sdk.NewGetStatefulAsyncInvocationInput("svc", "f", id))
		if err != nil {
			t.Fatal(err)
		}
		return *got.Status
	}
	h.logged("svc/f", "sleeping")
	if s := status("first"); s != "Running" {
		t.Errorf("the first is %s", s)
	}
	for _, id := range []string{"second", "first"} {
		if _, err := c.StopStatefulAsyncInvocation(sdk.NewStopStatefulAsyncInvocationInput("svc", "f", id)); err != nil {
			t.Fatal(err)
		}
		eventually(t, id+" is stopped", func() bool { return status(id) == "Stopped" })
	}
}

// TestStopAmongOthers: one that shares its instance is over at once as well, and the others go on there to their end.
func TestStopAmongOthers(t *testing.T) {
	h := boot(t)
	h.service("svc", "")
	h.python("svc/f", `
import threading
go = threading.Event()
def handler(event, context):
    if event == b'go':
        go.set()
        return
    print('waits', event.decode())
    go.wait()
    print('went on', event.decode())
`, m{"timeout": 300, "instanceConcurrency": 10})
	call := invocations("svc/f")
	for _, id := range []string{"one", "two"} {
		h.must("POST", call, id, async, header("X-Fc-Stateful-Async-Invocation-Id", id))
		h.logged("svc/f", "waits "+id)
	}
	status := func(id string) string {
		return h.must("GET", "/services/svc/functions/f/stateful-async-invocations/"+id, nil).object(t)["status"].(string)
	}
	h.must("PUT", "/services/svc/functions/f/stateful-async-invocations/one", nil)
	eventually(t, "the one is stopped", func() bool { return status("one") == "Stopped" })
	if s := status("two"); s != "Running" {
		t.Errorf("the other is %s", s)
	}
	h.returns("svc/f", "go")
	eventually(t, "the other ends well", func() bool { return status("two") == "Succeeded" })
	h.logged("svc/f", "went on two")
	if s := status("one"); s != "Stopped" {
		t.Errorf("the one is %s after its function has ended", s)
	}
}

// TestDeadLetterCommands: a dead letter is listed, shown, redriven when its function has been mended, and purged.
func TestDeadLetterCommands(t *testing.T) {
	h := boot(t, func(c *config.Config) { c.Async.MaxRetries = 0 })
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(fcd(t), append([]string{"deadletter"}, append(args, "--data-dir", h.dir)...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	type letter struct {
		RequestID, Function, Cause string
		Attempts                   int
		Payload                    []byte
		Log                        struct{ Project, Logstore, Query string }
	}
	list := func() (all []letter) {
		t.Helper()
		if err := json.Unmarshal([]byte(run("list", "-o", "json")), &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	h.service("svc", "")
	h.python("svc/f", "def handler(event, context):\n    raise Exception('out of order')\n")
	id := h.invoke("svc/f", "the payload", async).requestID()
	other := h.invoke("svc/f", "another", async).requestID()
	eventually(t, "both are dead", func() bool { return len(list()) == 2 })
	if text := run("list"); !strings.Contains(text, id) || !strings.Contains(text, "out of order") {
		t.Errorf("listed: %s", text)
	}
	var shown letter
	if err := json.Unmarshal([]byte(run("show", id, "-o", "json")), &shown); err != nil || string(shown.Payload) != "the payload" || shown.Function != "svc/f" ||
		shown.Attempts != 1 || shown.Log.Project != project || !strings.Contains(shown.Log.Query, id) {
		t.Errorf("shown: %+v, %v", shown, err)
	}
	if text := run("show", id); !strings.HasSuffix(text, "\nthe payload\n") {
		t.Errorf("shown: %s", text)
	}
	run("purge", other)
	h.must("PUT", "/services/svc/functions/f", m{"code": m{"zipFile": zipOf(t, map[string]string{"index.py": "def handler(event, context):\n    print('mended', event.decode())\n"})}})
	if text := run("redrive", "--all"); text != "1 redriven\n" {
		t.Errorf("redriven: %s", text)
	}
	h.logged("svc/f", "mended the payload")
	if left := list(); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}
