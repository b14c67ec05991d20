package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/fc"
)

// ossTrigger is the body of a trigger on the bucket for put objects.
func ossTrigger(name, bucket, role, prefix, suffix string) m {
	return m{"triggerName": name, "triggerType": "oss", "invocationRole": role,
		"sourceArn": "acs:oss:" + region + ":" + account + ":" + bucket,
		"triggerConfig": m{"events": []string{"oss:ObjectCreated:PutObject"},
			"filter": m{"key": m{"prefix": prefix, "suffix": suffix}}}}
}

// client is the OSS SDK with a key, the account's own for none.
func (h *house) oss(keys ...fc.Credentials) *oss.Client {
	h.t.Helper()
	k := fc.Credentials{AccessKeyID: h.e.AccessKeyID, AccessKeySecret: h.e.AccessKeySecret}
	if len(keys) > 0 {
		k = keys[0]
	}
	c, err := oss.New(h.e.OSS, k.AccessKeyID, k.AccessKeySecret, oss.SecurityToken(k.SecurityToken),
		oss.AuthVersion(oss.AuthV4), oss.Region(region), oss.HTTPClient(h.http))
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// makeBucket makes a bucket and returns the SDK's handle of it.
func (h *house) makeBucket(name string) *oss.Bucket {
	h.t.Helper()
	c := h.oss()
	if err := c.CreateBucket(name); err != nil {
		h.t.Fatal(err)
	}
	b, err := c.Bucket(name)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (h *house) put(b *oss.Bucket, key, content string) {
	h.t.Helper()
	if err := b.PutObject(key, strings.NewReader(content)); err != nil {
		h.t.Fatal(err)
	}
}

// get is an object's content; false while there is none.
func get(b *oss.Bucket, key string) (string, bool) {
	body, err := b.GetObject(key)
	if err != nil {
		return "", false
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	return string(content), err == nil
}

// sls is the Log Service SDK with a key, the account's own for none. The SDK puts the project before the endpoint's
// name, which no resolver knows here: its connections go to the daemon whatever the name.
func (h *house) sls(keys ...fc.Credentials) *sls.Client {
	h.t.Helper()
	k := fc.Credentials{AccessKeyID: h.e.AccessKeyID, AccessKeySecret: h.e.AccessKeySecret}
	if len(keys) > 0 {
		k = keys[0]
	}
	u, err := url.Parse(h.e.SLS)
	if err != nil {
		h.t.Fatal(err)
	}
	t := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, u.Host)
	}}
	h.t.Cleanup(t.CloseIdleConnections)
	c := sls.CreateNormalInterface(h.e.SLS, k.AccessKeyID, k.AccessKeySecret, k.SecurityToken).(*sls.Client)
	c.SetHTTPClient(&http.Client{Transport: t, Timeout: 10 * time.Second})
	return c
}

// lines are the messages of a function ("service/function", or all of a service) in the logstore, in order.
func (h *house) lines(ref string) []string {
	h.t.Helper()
	var all []string
	for _, r := range h.records(ref) {
		all = append(all, r["message"])
	}
	return all
}

// records are the log lines of a function with all their fields, by time.
func (h *house) records(ref string) []map[string]string {
	h.t.Helper()
	all := h.arrived(ref)
	slices.SortStableFunc(all, func(a, b map[string]string) int { return strings.Compare(a["__time__"], b["__time__"]) })
	return all
}

// arrived are the records of a function as they lie in the logstore, shard by shard.
func (h *house) arrived(ref string) (all []map[string]string) {
	h.t.Helper()
	service, function, _ := strings.Cut(ref, "/")
	c := h.sls()
	shards, err := c.ListShards(project, logstore)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range shards {
		cursor, err := c.GetCursor(project, logstore, s.ShardID, "begin")
		if err != nil {
			h.t.Fatal(err)
		}
		for {
			groups, next, err := c.PullLogs(project, logstore, s.ShardID, cursor, "", 1000)
			if err != nil {
				h.t.Fatal(err)
			}
			for _, g := range groups.LogGroups {
				for _, l := range g.Logs {
					r := map[string]string{"__topic__": g.GetTopic(), "__time__": fmt.Sprintf("%d.%09d", l.GetTime(), l.GetTimeNs())}
					for _, c := range l.Contents {
						r[c.GetKey()] = c.GetValue()
					}
					if r["serviceName"] == service && (function == "" || r["functionName"] == function) {
						all = append(all, r)
					}
				}
			}
			if next == cursor {
				break
			}
			cursor = next
		}
	}
	return all
}

// logged waits until the function's log holds a line that contains each of the texts.
func (h *house) logged(ref string, texts ...string) {
	h.t.Helper()
	var last []string
	ok := soon(20*time.Second, func() bool {
		last = h.lines(ref)
		for _, text := range texts {
			if !slices.ContainsFunc(last, func(l string) bool { return strings.Contains(l, text) }) {
				return false
			}
		}
		return true
	})
	if !ok {
		h.t.Fatalf("the log of %s lacks one of %q: %q", ref, texts, last)
	}
}
