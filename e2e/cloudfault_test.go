package e2e

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/config"
)

// badDay stands before a service of the cloud. Until it is over, most of what is asked is refused, left without an answer,
// or done and not told of.
type badDay struct {
	*httptest.Server
	asked atomic.Int64
	over  chan struct{}
	end   func()
}

// hangs is the number of the request that gets no answer at all.
func newBadDay(t *testing.T, hangs int64, next http.Handler) *badDay {
	d := &badDay{over: make(chan struct{})}
	d.end = sync.OnceFunc(func() { close(d.over) })
	t.Cleanup(func() { d.end(); d.Close() })
	refuse := func(w http.ResponseWriter, status int) {
		w.WriteHeader(status)
		io.WriteString(w, "<html>not now</html>")
	}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := d.asked.Add(1)
		select {
		case <-d.over:
			n = 0
		default:
		}
		switch n {
		case 3: // what only somebody's act would mend, as far as the client knows
			refuse(w, http.StatusForbidden)
			return
		case hangs:
			select {
			case <-d.over:
			case <-r.Context().Done():
			}
			panic(http.ErrAbortHandler)
		case 0:
			next.ServeHTTP(w, r)
			return
		}
		switch n % 6 {
		case 0, 3:
			refuse(w, http.StatusInternalServerError)
		case 1: // done, and the connection is lost
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case 2: // done, and half of the answer is lost
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()+10))
			w.WriteHeader(rec.Code)
			w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
			panic(http.ErrAbortHandler)
		case 4: // another answer, for somebody else's checksum
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			w.Header().Set("x-oss-hash-crc64ecma", "1")
			w.WriteHeader(rec.Code)
			w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
		default:
			next.ServeHTTP(w, r)
		}
	}))
	return d
}

// forward is the service at a URL, under the name that it is asked by.
func forward(t *testing.T, target string) http.Handler {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	return &httputil.ReverseProxy{Transport: transport, Director: func(r *http.Request) { r.URL.Scheme, r.URL.Host = u.Scheme, u.Host }}
}

// TestBadDayOfTheCloud: object storage, Log Service and message queue of a daemon refuse, hang, lie and cut their answers
// while it takes invocations and reads code from there. When the day is over, everything that was taken has been done, its
// lines are in the logstore, once, and its destinations have been told.
func TestBadDayOfTheCloud(t *testing.T) {
	cloud := boot(t)
	cloud.service("any", "") // which makes the logstore
	code := cloud.makeBucket("code")
	zip := zipOf(t, map[string]string{"index.py": `
import random
def handler(event, context):
    if random.random() < 0.1:
        print('fail', event.decode())
        raise Exception('not this time')
    print('did', event.decode())
`})
	if err := code.PutObject("f.zip", strings.NewReader(string(zip))); err != nil {
		t.Fatal(err)
	}
	ends := cloud.makeBucket("ends")
	objects, logs := newBadDay(t, 23, forward(t, cloud.e.OSS)), newBadDay(t, 7, forward(t, cloud.e.SLS))
	var mu sync.Mutex
	queued := map[string]bool{}
	queue := newBadDay(t, 5, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var msg struct{ MessageBody []byte }
		if err := xml.NewDecoder(r.Body).Decode(&msg); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		body, _ := base64.StdEncoding.DecodeString(string(msg.MessageBody))
		mu.Lock()
		queued[string(body)] = true
		mu.Unlock()
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, "<Message><MessageId>x</MessageId></Message>")
	}))
	h := boot(t, func(c *config.Config) {
		c.LocalCloud.OSS.Enabled, c.OSS.Endpoint = false, objects.URL
		c.LocalCloud.SLS.Enabled, c.LocalCloud.SLS.Listen = false, strings.TrimPrefix(logs.URL, "http://")
		c.SLS.RequestTimeout = time.Second
		c.Async.RetryBase, c.Async.BackoffMax, c.Async.MaxRetries = 20*time.Millisecond, 200*time.Millisecond, 6
		c.Async.MNS.Endpoint = queue.URL
		c.Queue.MinFreeBytes = 0
	})
	h.service("svc", "")
	tries := 0
	for _, name := range []string{"f", "g", "h"} {
		body := m{"functionName": name, "runtime": "python3", "handler": "index.handler", "timeout": 20,
			"code": m{"ossBucketName": "code", "ossObjectName": "f.zip"}}
		eventually(t, "the code is read from the bucket", func() bool {
			tries++
			a := h.do("POST", "/services/svc/functions", body)
			if a.status != 200 && !strings.Contains(a.message(), "cannot be read") {
				t.Errorf("refused with %d %s", a.status, a.body)
			}
			if a.status == 200 && a.object(t)["codeSize"] != float64(len(zip)) {
				t.Errorf("taken: %s", a.body)
			}
			return a.status == 200
		})
	}
	h.tells("svc", "f", arn("oss", "ends/done/"), arn("oss", "ends/failed/"))
	h.tells("svc", "g", arn("mns", "/queues/q/messages"), arn("mns", "/queues/q/messages"))
	h.tells("svc", "h", arn("log", "project/"+project+"/logstore/"+logstore), "")
	c := counts{}
	ids := map[string]string{} // by name
	const each = 25
	for i := range each {
		for _, fn := range []string{"f", "g", "h"} {
			name := fmt.Sprintf("%s-%d", fn, i)
			ids[name] = h.must("POST", invocations("svc/"+fn), name, async).requestID()
			c.accepted++
		}
	}
	for _, d := range []*badDay{objects, logs, queue} {
		eventually(t, "the bad day is felt", func() bool { return d.asked.Load() >= 8 })
	}
	for _, d := range []*badDay{objects, logs, queue} {
		d.end()
	}
	if !soon(3*time.Minute, func() bool {
		return h.metric("fcd_sqlite_queue_messages") == 0 && h.metric("fcd_logsink_spool_bytes") == 0
	}) {
		t.Fatalf("%v invocations and messages, %v bytes of lines still wait", h.metric("fcd_sqlite_queue_messages"), h.metric("fcd_logsink_spool_bytes"))
	}
	dead := map[string]bool{}
	for _, x := range h.letters() {
		dead[x.id] = true
	}
	c.dead = len(dead)
	lines, told := map[string]int{}, ""
	for _, line := range cloud.lines("svc/") {
		if name, ok := strings.CutPrefix(line, "did "); ok {
			lines[name]++
		} else if strings.HasPrefix(line, "fail ") {
			c.retried++
		}
	}
	c.retried -= c.dead                          // whose last failure nothing followed
	told += strings.Join(cloud.lines("/"), "\n") // what is no function's: messages to the logstore
	page, err := ends.ListObjectsV2(oss.MaxKeys(1000))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range page.Objects {
		content, _ := get(ends, o.Key)
		told += content + "\n"
	}
	mu.Lock()
	for body := range queued {
		told += body + "\n"
	}
	mu.Unlock()
	for name, id := range ids {
		done, toldOf := lines[name] > 0, strings.Contains(told, id)
		switch {
		case dead[id]:
		case done && toldOf:
			c.completed++
			c.duplicated += lines[name] - 1
		default:
			t.Errorf("%s, %s: a line %v, the destination was told %v", name, id, done, toldOf)
			c.lost++
		}
	}
	t.Logf("%d tries for the code of 3 functions; asked: %d objects, %d logs, %d messages", tries, objects.asked.Load(), logs.asked.Load(), queue.asked.Load())
	fmt.Println(report("bad cloud", c))
}
