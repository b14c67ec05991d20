package conformance

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"

	"fcd/cmd/fcd/daemon"
)

// patience is how long a test waits for what must come before it calls it lost.
const patience = 60 * time.Second

// A logbook reads the logstore to its end, each record once, with the Log Service's own client.
type logbook struct {
	client    *sls.Client
	transport *http.Transport

	mu      sync.Mutex // guards what follows
	shards  []*shard   // nil until the logstore is there
	records map[string][]record
	hooks   map[string]string // the last request of a hook, by function and hook: "hooks-python3 PreStop"
}

type shard struct {
	id     int
	cursor string
}

// A record is one line of a function's log.
type record struct {
	at   int64 // ns
	text string
	late bool
}

func newLogbook(e daemon.Endpoint) *logbook {
	u, err := url.Parse(e.SLS)
	if err != nil {
		panic(err) // the daemon's own
	}
	l := &logbook{records: map[string][]record{}, hooks: map[string]string{}}
	// The client puts the project before the endpoint's name, which no resolver knows here.
	l.transport = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, u.Host)
	}}
	l.client = sls.CreateNormalInterface(e.SLS, e.AccessKeyID, e.AccessKeySecret, "").(*sls.Client)
	l.client.SetHTTPClient(&http.Client{Transport: l.transport, Timeout: 30 * time.Second})
	return l
}

func (l *logbook) close() { l.transport.CloseIdleConnections() }

// of waits until the log holds the end of a request's invocation, or of its failed initializer, and so many late lines.
// It gives the request's lines in their order.
func (l *logbook) of(t testing.TB, id string, late int) []record {
	t.Helper()
	return l.until(t, id, func(all []record) bool {
		ended, n := false, 0
		for _, r := range all {
			ended = ended || strings.HasPrefix(r.text, "FC Invoke End RequestId: "+id) ||
				strings.HasPrefix(r.text, "FC Initialize End RequestId: "+id+", Error")
			if r.late {
				n++
			}
		}
		return ended && n >= late
	})
}

// ofHook waits until a function's hook has run and gives its lines.
func (l *logbook) ofHook(t testing.TB, function, hook string) []record {
	t.Helper()
	var id string
	if !soon(func() bool {
		if _, err := l.read(""); err != nil {
			t.Fatal(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		id = l.hooks[function+" "+hook]
		return id != ""
	}) {
		t.Fatalf("%s of %s did not run", hook, function)
	}
	return l.until(t, id, func(all []record) bool {
		return slices.ContainsFunc(all, func(r record) bool { return strings.HasPrefix(r.text, "FC "+hook+" End RequestId: "+id) })
	})
}

// until waits for the records of a request.
func (l *logbook) until(t testing.TB, id string, complete func([]record) bool) []record {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for seen := -1; ; {
		all, err := l.read(id)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) > seen && complete(all) {
			all = slices.Clone(all)
			slices.SortStableFunc(all, func(a, b record) int { return cmp.Compare(a.at, b.at) })
			return all
		}
		seen = len(all)
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("the log of request %s does not end: %d lines, of these the last: %.2000q", id, len(all), fmt.Sprint(all[max(0, len(all)-5):]))
		}
	}
}

// read takes what is new in the logstore and gives the records of a request.
func (l *logbook) read(id string) ([]record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shards == nil {
		if err := l.open(); err != nil || l.shards == nil {
			return nil, err
		}
	}
	for _, s := range l.shards {
		if err := l.pull(s); err != nil {
			return nil, err
		}
	}
	return slices.Clip(l.records[id]), nil
}

// open finds the shards. The logstore is made with the first batch sent to it.
func (l *logbook) open() error {
	if ok, err := l.client.CheckLogstoreExist(project, logstore); err != nil || !ok {
		if e, is := err.(*sls.Error); is && e.Code == "ProjectNotExist" {
			return nil
		}
		return err
	}
	shards, err := l.client.ListShards(project, logstore)
	if err != nil {
		return err
	}
	for _, s := range shards {
		cursor, err := l.client.GetCursor(project, logstore, s.ShardID, "begin")
		if err != nil {
			return err
		}
		l.shards = append(l.shards, &shard{s.ShardID, cursor})
	}
	return nil
}

func (l *logbook) pull(s *shard) error {
	for {
		groups, next, err := l.client.PullLogs(project, logstore, s.id, s.cursor, "", 1000)
		if err != nil {
			return err
		}
		for _, g := range groups.LogGroups {
			for _, log := range g.Logs {
				l.add(log)
			}
		}
		if next == s.cursor {
			return nil
		}
		s.cursor = next
	}
}

func (l *logbook) add(log *sls.Log) {
	r := record{at: int64(log.GetTime())*1e9 + int64(log.GetTimeNs())}
	id, function := "", ""
	for _, c := range log.Contents {
		switch c.GetKey() {
		case "message":
			r.text = c.GetValue()
		case "late":
			r.late = c.GetValue() == "true"
		case "requestId":
			id = c.GetValue()
		case "functionName":
			function = c.GetValue()
		}
	}
	l.records[id] = append(l.records[id], r)
	for _, hook := range []string{"PreFreeze", "PreStop"} {
		if strings.HasPrefix(r.text, "FC "+hook+" Start RequestId: ") {
			l.hooks[function+" "+hook] = id
		}
	}
}
