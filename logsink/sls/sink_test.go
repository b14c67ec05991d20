package sls_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fcd/fc"
	"fcd/localcloud/sls"
	"fcd/logsink"
	"fcd/logsink/sinktest"
	sink "fcd/logsink/sls"
	"fcd/logsink/spool"
	"fcd/ram"
)

func TestMain(m *testing.M) {
	sink.LogTo(nil)
	goleak.VerifyTestMain(m)
}

// open lets everyone with the one key in.
type open struct{}

func (open) Authenticate(string, string) (ram.Identity, error) {
	return ram.Identity{Secret: "secret"}, nil
}
func (open) Allowed(ram.Principal, string, string, ram.Env) error { return nil }

// embedded is the embedded service and how to reach it.
type embedded struct {
	*sls.Server
	addr string
	stop func()
}

func serve(t testing.TB, dir, addr string) embedded {
	t.Helper()
	srv, err := sls.New(sls.Options{Dir: dir, Keys: open{}, Policy: open{}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: srv}
	ended := make(chan struct{})
	go func() { web.Serve(ln); close(ended) }()
	return embedded{srv, ln.Addr().String(), func() { web.Close(); <-ended; srv.Close() }}
}

func options(addr string) sink.Options {
	return sink.Options{
		Endpoint: "http://sls.fcd.local",
		Credentials: func() (fc.Credentials, error) {
			return fc.Credentials{AccessKeyID: "key", AccessKeySecret: "secret"}, nil
		},
		Region: "cn-shanghai",
		Source: "host-1",
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		},
	}
}

func newSink(t testing.TB, o sink.Options) *sink.Sink {
	t.Helper()
	s, err := sink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// reader is a client of the SDK that sees what arrived.
func reader(t testing.TB, addr string) *sdk.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return options(addr).Dial(ctx) }}
	t.Cleanup(tr.CloseIdleConnections)
	return &sdk.Client{Endpoint: "http://sls.fcd.local", AccessKeyID: "key", AccessKeySecret: "secret", HTTPClient: &http.Client{Transport: tr}}
}

func pull(t testing.TB, c *sdk.Client, project, logstore string) []*sdk.LogGroup {
	t.Helper()
	begin, err := c.GetCursor(project, logstore, 0, "begin")
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := c.PullLogs(project, logstore, 0, begin, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return list.LogGroups
}

func records(groups []*sdk.LogGroup, project, logstore string) []fc.LogRecord {
	var recs []fc.LogRecord
	for _, g := range groups {
		for _, l := range g.Logs {
			r := fc.LogRecord{Project: project, Logstore: logstore, Time: time.Unix(int64(l.GetTime()), int64(l.GetTimeNs())).UTC()}
			names := map[string]*string{"serviceName": &r.Service, "functionName": &r.Function, "qualifier": &r.Qualifier, "versionId": &r.VersionID,
				"instanceID": &r.InstanceID, "requestId": &r.RequestID, "message": &r.Message}
			for _, c := range l.Contents {
				if p := names[c.GetKey()]; p != nil {
					*p = c.GetValue()
				}
				r.Late = r.Late || c.GetKey() == "late" && c.GetValue() == "true"
			}
			recs = append(recs, r)
		}
	}
	return recs
}

func TestSink(t *testing.T) {
	for _, auth := range []string{sink.AuthV1, sink.AuthV4} {
		t.Run("signed by "+auth, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Subject {
				srv := serve(t, t.TempDir(), "127.0.0.1:0")
				t.Cleanup(srv.stop)
				if err := srv.EnsureLogstore(t.Context(), "some-project", "some-store"); err != nil {
					t.Fatal(err)
				}
				o := options(srv.addr)
				o.AuthVersion = auth
				c := reader(t, srv.addr)
				return sinktest.Subject{
					Sink: newSink(t, o), Project: "some-project", Logstore: "some-store", KnowsPackIDs: true,
					Read: func(t *testing.T) []fc.LogRecord {
						return records(pull(t, c, "some-project", "some-store"), "some-project", "some-store")
					},
					Topics: func(t *testing.T) (topics []string) {
						for _, g := range pull(t, c, "some-project", "some-store") {
							for range g.Logs {
								topics = append(topics, g.GetTopic())
							}
							if g.GetSource() != "host-1" {
								t.Errorf("source is %q", g.GetSource())
							}
						}
						return topics
					},
				}
			})
		})
	}
}

func TestClasses(t *testing.T) {
	cases := []struct {
		status int
		body   string
		want   logsink.Class
	}{
		{500, `{"errorCode":"InternalServerError","errorMessage":"m"}`, logsink.Temporary},
		{503, `{"errorCode":"ServerBusy","errorMessage":"m"}`, logsink.Temporary},
		{502, `<html>bad gateway</html>`, logsink.Temporary},
		{429, `{"errorCode":"Throttled","errorMessage":"m"}`, logsink.Temporary},
		{403, `{"errorCode":"WriteQuotaExceed","errorMessage":"m"}`, logsink.Temporary},
		{403, `{"errorCode":"ShardWriteQuotaExceed","errorMessage":"m"}`, logsink.Temporary},
		{403, `{"errorCode":"ProjectForbidden","errorMessage":"m"}`, logsink.Slow},
		{401, `{"errorCode":"SignatureNotMatch","errorMessage":"m"}`, logsink.Slow},
		{401, `{"errorCode":"Unauthorized","errorMessage":"m"}`, logsink.Slow},
		{404, `{"errorCode":"ProjectNotExist","errorMessage":"m"}`, logsink.Slow},
		{404, `{"errorCode":"LogStoreNotExist","errorMessage":"m"}`, logsink.Slow},
		{400, `{"errorCode":"RequestTimeTooSkewed","errorMessage":"m"}`, logsink.Slow},
		{400, `{"errorCode":"SomethingNew","errorMessage":"m"}`, logsink.Slow},
		{400, `{"errorCode":"PostBodyInvalid","errorMessage":"m"}`, logsink.Content},
		{400, `{"errorCode":"InvalidKey","errorMessage":"m"}`, logsink.Content},
		{400, `{"errorCode":"InvalidEncoding","errorMessage":"m"}`, logsink.Content},
		{400, `{"errorCode":"InvalidTimestamp","errorMessage":"m"}`, logsink.Content},
		{400, `{"errorCode":"PostBodyTooLarge","errorMessage":"m"}`, logsink.Content},
		{413, `too large`, logsink.Content},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.status, " ", c.body), func(t *testing.T) {
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer web.Close()
			o := options(strings.TrimPrefix(web.URL, "http://"))
			o.RetryTimeout = 100 * time.Millisecond
			err := newSink(t, o).Send(t.Context(), logsink.Batch{Project: "p", Logstore: "l", Records: []fc.LogRecord{{Time: time.Now()}}})
			if err == nil || logsink.ClassOf(err) != c.want || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %v (%v), want one of class %v in one line", err, logsink.ClassOf(err), c.want)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		o := options("127.0.0.1:1")
		o.RetryTimeout = 100 * time.Millisecond
		err := newSink(t, o).Send(t.Context(), logsink.Batch{Project: "p", Logstore: "l", Records: []fc.LogRecord{{Time: time.Now()}}})
		if err == nil || logsink.ClassOf(err) != logsink.Temporary {
			t.Errorf("error is %v (%v)", err, logsink.ClassOf(err))
		}
	})
	t.Run("the context ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // only then does the server notice a client that has gone
			cancel()
			<-r.Context().Done()
		}))
		defer web.Close()
		o := options(strings.TrimPrefix(web.URL, "http://"))
		o.RequestTimeout, o.RetryTimeout = 200*time.Millisecond, 100*time.Millisecond
		err := newSink(t, o).Send(ctx, logsink.Batch{Project: "p", Logstore: "l", Records: []fc.LogRecord{{Time: time.Now()}}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
}

// TestPipeline drives spool, Shipper, SDK and service over an outage of the service and a restart of the shipper.
func TestPipeline(t *testing.T) {
	dir, spoolDir := t.TempDir(), t.TempDir()
	srv := serve(t, dir, "127.0.0.1:0")
	addr := srv.addr
	if err := srv.EnsureLogstore(t.Context(), "some-project", "some-store"); err != nil {
		t.Fatal(err)
	}
	start := func() (*logsink.Shipper, func()) {
		sp, err := spool.Open(spool.Options{Dir: spoolDir})
		if err != nil {
			t.Fatal(err)
		}
		o := options(addr)
		o.RetryTimeout = 100 * time.Millisecond
		s := newSink(t, o)
		ship, err := logsink.NewShipper(logsink.Options{Spool: sp, Sink: s, Linger: time.Millisecond, MaxBatchLines: 50})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { ship.Run(ctx); close(ended) }()
		return ship, func() { cancel(); <-ended; s.Close(); sp.Close() }
	}
	n := 0
	var want []string
	add := func(ship *logsink.Shipper, count int) {
		for range count {
			msg := "line " + strconv.Itoa(n)
			ship.Append(fc.LogRecord{Time: time.Now(), Project: "some-project", Logstore: "some-store", Service: "svc", Function: "fn", Message: msg})
			want = append(want, msg)
			n++
		}
	}
	ship, stop := start()
	add(ship, 120)
	if err := ship.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv.stop() // the outage
	add(ship, 200)
	stop() // the restart
	ship, stop = start()
	defer stop()
	add(ship, 30)
	srv = serve(t, dir, addr)
	defer srv.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := ship.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records(pull(t, reader(t, addr), "some-project", "some-store"), "", "") {
		got = append(got, r.Message)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lines differ (-want +got):\n%s", d)
	}
}

func TestNewRefuses(t *testing.T) {
	good := options("x")
	for name, change := range map[string]func(*sink.Options){
		"no endpoint":         func(o *sink.Options) { o.Endpoint = "" },
		"no credentials":      func(o *sink.Options) { o.Credentials = nil },
		"unknown signature":   func(o *sink.Options) { o.AuthVersion = "v9" },
		"v4 without a region": func(o *sink.Options) { o.AuthVersion, o.Region = "v4", "" },
	} {
		o := good
		change(&o)
		if _, err := sink.New(o); err == nil {
			t.Errorf("%s: a sink was made", name)
		}
	}
}

func TestLogTo(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	sink.LogTo(zap.New(core))
	defer sink.LogTo(nil)
	if err := sdk.Logger.Log("msg", "hello", "err", errors.New("x")); err != nil || logs.Len() != 1 {
		t.Errorf("%d entries, %v", logs.Len(), err)
	}
}
