package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"

	"fcd/cmd/fcd/daemon"
	"fcd/logsink/sls"
)

// logLine is one line of a function's log as read back from its logstore.
type logLine struct {
	Time      time.Time `json:"time"`
	Service   string    `json:"serviceName"`
	Function  string    `json:"functionName"`
	RequestID string    `json:"requestId"`
	Message   string    `json:"message"`
}

// logFilter selects lines; empty fields select all.
type logFilter struct{ service, function, requestID string }

func (f logFilter) wants(l logLine) bool {
	return (f.service == "" || f.service == l.Service) && (f.function == "" || f.function == l.Function) &&
		(f.requestID == "" || f.requestID == l.RequestID)
}

// logReader reads a logstore forward with the Log Service SDK, shard by shard, by the order in which lines arrived
// there: no line is passed over, however late it came.
type logReader struct {
	client            *sdk.Client
	project, logstore string
	cursors           map[int]string
}

// newLogReader opens a logstore at what arrived from since on.
func newLogReader(e daemon.Endpoint, project, logstore string, since time.Time) (*logReader, error) {
	if e.SLS == "" {
		return nil, errors.New("the daemon has no embedded Log Service; give the profile the address of the real one as sls")
	}
	r := &logReader{client: logClient(e), project: project, logstore: logstore, cursors: map[int]string{}}
	shards, err := r.client.ListShards(project, logstore)
	if err != nil {
		return nil, fmt.Errorf("logstore %s/%s: %w", project, logstore, err)
	}
	for _, s := range shards {
		r.cursors[s.ShardID], err = r.client.GetCursor(project, logstore, s.ShardID, strconv.FormatInt(since.Unix(), 10))
		if err != nil {
			return nil, fmt.Errorf("logstore %s/%s: %w", project, logstore, err)
		}
	}
	return r, nil
}

// logClient is the SDK's client. It puts the project before the endpoint's name, which an embedded endpoint cannot
// resolve: connections to a bare address go there whatever the name.
func logClient(e daemon.Endpoint) *sdk.Client {
	sls.LogTo(nil)
	c := sdk.CreateNormalInterface(e.SLS, e.AccessKeyID, e.AccessKeySecret, "").(*sdk.Client)
	u, err := url.Parse(e.SLS)
	if err != nil || net.ParseIP(u.Hostname()) == nil {
		return c
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, u.Host)
	}
	c.SetHTTPClient(&http.Client{Transport: t, Timeout: 30 * time.Second})
	return c
}

// next reads what has arrived since the last call, in order of time.
func (r *logReader) next(f logFilter) ([]logLine, error) {
	var lines []logLine
	for shard, cursor := range r.cursors {
		for {
			groups, next, err := r.client.PullLogs(r.project, r.logstore, shard, cursor, "", 1000)
			if err != nil {
				return nil, fmt.Errorf("logstore %s/%s: %w", r.project, r.logstore, err)
			}
			for _, g := range groups.LogGroups {
				lines = append(lines, linesOf(g, f)...)
			}
			if next == cursor {
				break
			}
			cursor = next
		}
		r.cursors[shard] = cursor
	}
	slices.SortStableFunc(lines, func(a, b logLine) int { return cmp.Compare(a.Time.UnixNano(), b.Time.UnixNano()) })
	return lines, nil
}

func linesOf(g *sdk.LogGroup, f logFilter) (lines []logLine) {
	for _, l := range g.Logs {
		line := logLine{Time: time.Unix(int64(l.GetTime()), int64(l.GetTimeNs())).UTC()}
		for _, c := range l.Contents {
			switch c.GetKey() {
			case "serviceName":
				line.Service = c.GetValue()
			case "functionName":
				line.Function = c.GetValue()
			case "requestId":
				line.RequestID = c.GetValue()
			case "message":
				line.Message = c.GetValue()
			}
		}
		if f.wants(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// String is the line as a terminal shows it. A record may hold carriage returns for the newlines of one log call.
func (l logLine) String() string { return strings.ReplaceAll(l.Message, "\r", "\n") }
