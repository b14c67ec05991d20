package sls_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"
	consumerlib "github.com/aliyun/aliyun-log-go-sdk/consumer"
	kitlog "github.com/go-kit/kit/log"
	"github.com/google/go-cmp/cmp"
)

func TestProjects(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	if _, err := s.client.CreateProject("one-project", "first"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.CreateProject("one-project", "again"); err == nil {
		t.Error("a project was created twice")
	} else {
		wantCode(t, err, 400, "ProjectAlreadyExist")
	}
	if _, err := s.client.CreateProject("Bad_Name", ""); err == nil {
		t.Error("a bad project name was taken")
	}
	p, err := s.client.GetProject("one-project")
	if err != nil || p.Description != "first" || p.Status != "Normal" || p.Region != "cn-shanghai" {
		t.Errorf("project is %+v, %v", p, err)
	}
	if _, err := s.client.UpdateProject("one-project", "changed"); err != nil {
		t.Fatal(err)
	}
	if p, _ := s.client.GetProject("one-project"); p.Description != "changed" {
		t.Errorf("description is %q after the update", p.Description)
	}
	names, err := s.client.ListProject()
	if d := cmp.Diff([]string{"one-project"}, names); d != "" || err != nil {
		t.Errorf("projects differ: %s, %v", d, err)
	}
	if err := s.client.DeleteProject("one-project"); err != nil {
		t.Fatal(err)
	}
	_, err = s.client.GetProject("one-project")
	wantCode(t, err, 404, "ProjectNotExist")
}

func TestLogstores(t *testing.T) {
	s := withStore(t, 2)
	l, err := s.client.GetLogStore(project, logstore)
	if err != nil || l.TTL != 7 || l.ShardCount != 2 || l.CreateTime == 0 {
		t.Errorf("logstore is %+v, %v", l, err)
	}
	wantCode(t, s.client.CreateLogStore(project, logstore, 7, 1, false, 0), 400, "LogStoreAlreadyExist")
	wantCode(t, s.client.CreateLogStore(project, "too-many", 7, 65, false, 0), 400, "LogStoreInfoInvalid")
	wantCode(t, s.client.CreateLogStore(project, "../evil", 7, 1, false, 0), 400, "LogStoreInfoInvalid")
	wantCode(t, s.client.CreateLogStore("no-such-project", "x1", 7, 1, false, 0), 404, "ProjectNotExist")
	if err := s.client.UpdateLogStore(project, logstore, 30, 9); err != nil {
		t.Fatal(err)
	}
	if l, _ := s.client.GetLogStore(project, logstore); l.TTL != 30 || l.ShardCount != 2 {
		t.Errorf("after an update ttl is %d and shardCount %d, want 30 and still 2", l.TTL, l.ShardCount)
	}
	if err := s.client.CreateLogStoreV2(project, &sdk.LogStore{Name: "second", TTL: 3650, ShardCount: 1, AppendMeta: true}); err != nil {
		t.Fatal(err)
	}
	if l, _ := s.client.GetLogStore(project, "second"); !l.AppendMeta {
		t.Error("a field without meaning here was not echoed")
	}
	names, err := s.client.ListLogStore(project)
	if d := cmp.Diff([]string{logstore, "second"}, names); d != "" || err != nil {
		t.Errorf("logstores differ: %s, %v", d, err)
	}
	names, _ = s.client.ListLogStoreV2(project, 1, 10, "")
	if d := cmp.Diff([]string{"second"}, names); d != "" {
		t.Errorf("the second page differs: %s", d)
	}
	if err := s.client.DeleteLogStore(project, "second"); err != nil {
		t.Fatal(err)
	}
	_, err = s.client.GetLogStore(project, "second")
	wantCode(t, err, 404, "LogStoreNotExist")
	if ok, err := s.client.CheckLogstoreExist(project, "second"); ok || err != nil {
		t.Errorf("deleted logstore exists: %v, %v", ok, err)
	}
}

func TestDeletedLogsStayDeleted(t *testing.T) {
	s := withStore(t, 1)
	s.put(t, group("t", "message=old"))
	if err := s.client.DeleteLogStore(project, logstore); err != nil {
		t.Fatal(err)
	}
	if err := s.client.CreateLogStore(project, logstore, 7, 1, false, 0); err != nil {
		t.Fatal(err)
	}
	if got := s.find(t, ""); len(got) != 0 {
		t.Errorf("the new logstore holds %q", got)
	}
}

func TestIndex(t *testing.T) {
	s := withStore(t, 1)
	_, err := s.client.GetIndex(project, logstore)
	wantCode(t, err, 404, "IndexConfigNotExist")
	index := sdk.CreateDefaultIndex()
	index.Keys = map[string]sdk.IndexKey{"level": {Type: "text", Token: []string{" "}}}
	if err := s.client.CreateIndex(project, logstore, *index); err != nil {
		t.Fatal(err)
	}
	got, err := s.client.GetIndex(project, logstore)
	if err != nil || got.Keys["level"].Type != "text" || len(got.Line.Token) != len(index.Line.Token) {
		t.Errorf("index is %+v, %v", got, err)
	}
	index.Keys["code"] = sdk.IndexKey{Type: "long"}
	if err := s.client.UpdateIndex(project, logstore, *index); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.client.GetIndex(project, logstore); len(got.Keys) != 2 {
		t.Errorf("after the update the index has %d keys", len(got.Keys))
	}
	if err := s.client.DeleteIndex(project, logstore); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.client.UpdateIndex(project, logstore, *index), 404, "IndexConfigNotExist")
}

func TestPutAndGet(t *testing.T) {
	for kind, name := range map[int]string{sdk.Compress_LZ4: "lz4", sdk.Compress_ZSTD: "zstd", sdk.Compress_None: "no"} {
		t.Run("logs written with "+name+" compression come back", func(t *testing.T) {
			s := withStore(t, 1)
			req := &sdk.PostLogStoreLogsRequest{LogGroup: group("svc", "message=hello,level=info"), CompressType: kind}
			if err := s.client.PostLogStoreLogsV2(project, logstore, req); err != nil {
				t.Fatal(err)
			}
			resp, err := s.client.GetLogsV3(project, logstore, &sdk.GetLogRequest{From: base.Unix(), To: base.Unix() + 10})
			if err != nil || !resp.IsComplete() || resp.Meta.Count != 1 {
				t.Fatalf("answer is %+v, %v", resp, err)
			}
			want := []map[string]string{{"message": "hello", "level": "info", "__time__": fmt.Sprint(base.Unix()), "__topic__": "svc",
				"__source__": "10.0.0.1", "__tag__:host": "web-1"}}
			if d := cmp.Diff(want, resp.Logs); d != "" {
				t.Error(d)
			}
		})
	}
	t.Run("pages go forward and backward", func(t *testing.T) {
		s := withStore(t, 3)
		var texts []string
		for i := range 250 {
			texts = append(texts, fmt.Sprintf("message=line %03d", i))
		}
		for i := 0; i < len(texts); i += 50 {
			g := group("svc", texts[i:i+50]...)
			for j, l := range g.Logs {
				*l.Time = uint32(base.Unix()) + uint32(i+j)
			}
			s.put(t, g)
		}
		read := func(offset, line int64, reverse bool) (string, string, int) {
			resp, err := s.client.GetLogs(project, logstore, "", base.Unix(), base.Unix()+3600, "*", line, offset, reverse)
			if err != nil {
				t.Fatal(err)
			}
			got := column(resp.Logs, "message")
			if len(got) == 0 {
				return "", "", 0
			}
			return got[0], got[len(got)-1], len(got)
		}
		for _, c := range []struct {
			offset, line int64
			reverse      bool
			first, last  string
			n            int
		}{
			{0, 0, false, "line 000", "line 099", 100}, {100, 100, false, "line 100", "line 199", 100}, {200, 100, false, "line 200", "line 249", 50},
			{0, 10, true, "line 249", "line 240", 10}, {240, 100, true, "line 009", "line 000", 10}, {250, 10, false, "", "", 0}, {9999, 10, true, "", "", 0},
		} {
			if first, last, n := read(c.offset, c.line, c.reverse); first != c.first || last != c.last || n != c.n {
				t.Errorf("offset %d line %d reverse %v gives %d logs from %q to %q", c.offset, c.line, c.reverse, n, first, last)
			}
		}
	})
	t.Run("from equal to means that second, to is exclusive", func(t *testing.T) {
		s := withStore(t, 1)
		s.put(t, group("svc", "message=a", "message=b", "message=c"))
		for _, c := range []struct {
			from, to int64
			want     string
		}{{0, 0, "a"}, {0, 1, "a"}, {0, 2, "a b"}, {1, 3, "b c"}, {3, 9, ""}} {
			resp, err := s.client.GetLogsV2(project, logstore, &sdk.GetLogRequest{From: base.Unix() + c.from, To: base.Unix() + c.to})
			if err != nil || strings.Join(column(resp.Logs, "message"), " ") != c.want {
				t.Errorf("[%d,%d) gives %v, %v, want %q", c.from, c.to, resp, err, c.want)
			}
		}
	})
	t.Run("a pack id is written once", func(t *testing.T) {
		dir := t.TempDir()
		s := serve(t, dir, nil)
		s.makeStore(t, 2)
		g := group("svc", "message=once")
		g.LogTags = append(g.LogTags, &sdk.LogTag{Key: str("__pack_id__"), Value: str("00AB-1")})
		s.put(t, g)
		s.put(t, g)
		s.close()
		s = serve(t, dir, nil)
		s.put(t, g)
		if got := s.find(t, ""); len(got) != 1 {
			t.Errorf("found %q", got)
		}
	})
	t.Run("everything is there after a restart", func(t *testing.T) {
		dir := t.TempDir()
		s := serve(t, dir, nil)
		s.makeStore(t, 1)
		s.put(t, group("svc", "message=a"))
		s.close()
		s = serve(t, dir, nil)
		s.put(t, group("svc", "message=b"))
		if got := strings.Join(s.find(t, ""), " "); got != "a b" {
			t.Errorf("found %q", got)
		}
	})
	t.Run("histogram counts", func(t *testing.T) {
		s := withStore(t, 1)
		s.put(t, group("svc", "message=a", "message=b", "message=a"))
		h, err := s.client.GetHistograms(project, logstore, "", base.Unix(), base.Unix()+60, "a")
		if err != nil || h.Count != 2 || !h.IsComplete() || len(h.Histograms) != 60 || h.Histograms[2].Count != 1 {
			t.Errorf("histogram is %+v, %v", h, err)
		}
	})
}

func TestQueries(t *testing.T) {
	s := withStore(t, 1)
	s.put(t, group("order-service",
		"message=GET /index.html 200,level=info,latency=12,trace=a:b",
		"message=failed to open file,level=ERROR,latency=250.5",
		"message=hello-world done,level=info,latency=100",
		"message=用户 登录,level=warn"))
	s.put(t, group("other", "message=nothing here,level=debug"))
	all := []int{0, 4, 1, 2, 3}
	messages := []string{"GET /index.html 200", "failed to open file", "hello-world done", "用户 登录", "nothing here"}
	for query, want := range map[string][]int{
		"": all, "*": all, "failed": {1}, "FAILED": {1}, "fail": {}, "fail*": {1}, "*ed": {1}, `"open file"`: {1}, `"file open"`: {},
		"file open": {1}, "index.html": {0}, "/index.html": {0}, "level:error": {1}, "level: info": {0, 2}, "level:info and done": {2},
		"level:info done": {2}, "level:info or level:warn": {0, 2, 3}, "not level:info": {4, 1, 3}, "level:info not done": {0},
		"(level:info or level:error) and latency>50": {1, 2}, "latency>=100": {1, 2}, "latency < 100": {0}, "latency<=100": {0, 2}, "latency=12": {0},
		"latency in [12 100]": {0, 2}, "latency in (12 100]": {2}, "latency in [12 100)": {0}, "latency:*": {0, 1, 2},
		"__topic__:other": {4}, "__topic__: order-service and level:warn": {3}, "__source__:10.0.0.1 and level:debug": {4},
		"__tag__:host:web-1 and level:debug": {4}, `"level":info`: {0, 2}, `trace:a:b`: {0}, `trace:"a:b"`: {0}, "用户": {3},
		"hello-world": {2}, "hello": {}, "level:in*o": {0, 2}, "NOT nothing AND NOT level:info": {1, 3}, "order*": {0, 1, 2, 3},
	} {
		exp := []string{}
		for _, i := range want {
			exp = append(exp, messages[i])
		}
		if d := cmp.Diff(exp, s.find(t, query)); d != "" {
			t.Errorf("query %q (-want +got):\n%s", query, d)
		}
	}
	for query, code := range map[string]string{
		"* | select count(*)": "NotSupported", "(a": "InvalidQueryString", "a)": "InvalidQueryString", `"a`: "InvalidQueryString", "a and": "InvalidQueryString",
		"or a": "InvalidQueryString", "k:": "InvalidQueryString", "k>x": "InvalidQueryString", "k in [1": "InvalidQueryString", "not": "InvalidQueryString",
		strings.Repeat("(", 100) + "a": "InvalidQueryString",
	} {
		_, err := s.client.GetLogsV2(project, logstore, &sdk.GetLogRequest{From: 1, To: 2, Query: query})
		wantCode(t, err, 400, code)
	}
	_, err := s.client.GetLogsV2(project, logstore, &sdk.GetLogRequest{From: 5, To: 2})
	wantCode(t, err, 400, "InvalidTimeRange")
	_, err = s.client.GetLogsV2(project, "nope", &sdk.GetLogRequest{From: 1, To: 2})
	wantCode(t, err, 404, "LogStoreNotExist")
	resp, err := s.client.GetLogsV2(project, logstore, &sdk.GetLogRequest{From: base.Unix(), To: base.Unix() + 60, Topic: "other"})
	if err != nil || len(resp.Logs) != 1 {
		t.Errorf("topic parameter: %+v, %v", resp, err)
	}
}

func TestPull(t *testing.T) {
	s := withStore(t, 1)
	begin, err := s.client.GetCursor(project, logstore, 0, "begin")
	if err != nil {
		t.Fatal(err)
	}
	if end, _ := s.client.GetCursor(project, logstore, 0, "end"); end != begin {
		t.Errorf("cursors of an empty shard are %s and %s", begin, end)
	}
	before := time.Now().Unix()
	for i := range 5 {
		s.put(t, group("svc", fmt.Sprintf("message=%d", i)))
	}
	end, _ := s.client.GetCursor(project, logstore, 0, "end")
	pull := func(from, to string, count int) (string, string) {
		t.Helper()
		list, next, err := s.client.PullLogs(project, logstore, 0, from, to, count)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range list.LogGroups {
			got = append(got, g.Logs[0].Contents[0].GetValue())
		}
		return strings.Join(got, " "), next
	}
	got, next := pull(begin, "", 2)
	if got != "0 1" {
		t.Errorf("first pull gives %q", got)
	}
	got, last := pull(next, "", 100)
	if got != "2 3 4" || last != end {
		t.Errorf("second pull gives %q up to %s, want the end %s", got, last, end)
	}
	if got, again := pull(last, "", 100); got != "" || again != last {
		t.Errorf("a pull at the end gives %q and moves the cursor to %s", got, again)
	}
	if got, at := pull(begin, next, 100); got != "0 1" || at != next {
		t.Errorf("a pull up to a cursor gives %q up to %s", got, at)
	}
	if cur, _ := s.client.GetCursor(project, logstore, 0, fmt.Sprint(before)); cur == end {
		t.Error("a cursor by time before all is the end")
	}
	if cur, _ := s.client.GetCursor(project, logstore, 0, fmt.Sprint(time.Now().Unix()+10)); cur != end {
		t.Error("a cursor by time in the future is not the end")
	}
	if at, err := s.client.GetPrevCursorTime(project, logstore, 0, end); err != nil || at.Unix() < before || at.Unix() > time.Now().Unix() {
		t.Errorf("cursor time is %v, %v", at, err)
	}
	if got, _, err := s.client.PullLogsWithQuery(&sdk.PullLogRequest{Project: project, Logstore: logstore, Cursor: begin, LogGroupMaxCount: 10,
		CompressType: sdk.Compress_ZSTD}); err != nil || len(got.LogGroups) != 5 {
		t.Errorf("zstd pull: %v, %v", got, err)
	}
	_, _, err = s.client.PullLogs(project, logstore, 0, "bad cursor", "", 10)
	wantCode(t, err, 400, "InvalidCursor")
	_, _, err = s.client.PullLogs(project, logstore, 9, begin, "", 10)
	wantCode(t, err, 404, "ShardNotExist")
}

func TestShards(t *testing.T) {
	s := withStore(t, 4)
	shards, err := s.client.ListShards(project, logstore)
	if err != nil || len(shards) != 4 {
		t.Fatalf("shards are %v, %v", shards, err)
	}
	want := [][2]string{{"00000000000000000000000000000000", "40000000000000000000000000000000"}, {"40000000000000000000000000000000", "80000000000000000000000000000000"},
		{"80000000000000000000000000000000", "c0000000000000000000000000000000"}, {"c0000000000000000000000000000000", "ffffffffffffffffffffffffffffffff"}}
	for i, sh := range shards {
		if sh.ShardID != i || sh.Status != "readwrite" || sh.InclusiveBeginKey != want[i][0] || sh.ExclusiveBeginKey != want[i][1] {
			t.Errorf("shard %d is %+v", i, sh)
		}
		key := sh.InclusiveBeginKey
		req := &sdk.PostLogStoreLogsRequest{LogGroup: group("t", "message="+key), HashKey: &key}
		if err := s.client.PostLogStoreLogsV2(project, logstore, req); err != nil {
			t.Fatal(err)
		}
		cur, _ := s.client.GetCursor(project, logstore, i, "begin")
		list, _, err := s.client.PullLogs(project, logstore, i, cur, "", 10)
		if err != nil || len(list.LogGroups) != 1 {
			t.Errorf("shard %d holds %v, %v", i, list, err)
		}
	}
	bad := "xyz"
	err = s.client.PostLogStoreLogsV2(project, logstore, &sdk.PostLogStoreLogsRequest{LogGroup: group("t", "message=1"), HashKey: &bad})
	wantCode(t, err, 400, "ParameterInvalid")
}

func TestSignatures(t *testing.T) {
	s := withStore(t, 1)
	t.Run("V4 is accepted", func(t *testing.T) {
		c := s.newClient(testKey, testSecret, "")
		c.SetAuthVersion(sdk.AuthV4)
		c.SetRegion("cn-shanghai")
		if err := c.PutLogs(project, logstore, group("t", "message=v4")); err != nil {
			t.Error(err)
		}
		if _, err := c.GetLogs(project, logstore, "", base.Unix(), base.Unix()+60, "a or \"b c\"", 10, 0, false); err != nil {
			t.Error(err)
		}
	})
	for _, v := range []sdk.AuthVersionType{sdk.AuthV1, sdk.AuthV4} {
		t.Run("temporary keys with their token are accepted, "+string(v), func(t *testing.T) {
			c := s.newClient(stsKey, stsSecret, stsToken)
			c.SetAuthVersion(v)
			c.SetRegion("cn-shanghai")
			if err := c.PutLogs(project, logstore, group("t", "message=sts")); err != nil {
				t.Error(err)
			}
		})
	}
	for _, c := range []struct{ name, id, secret, token, code string }{
		{"a wrong secret", testKey, "wrong", "", "SignatureNotMatch"}, {"an unknown key", "nobody", "x", "", "Unauthorized"},
		{"temporary keys with a wrong token", stsKey, stsSecret, "old", "Unauthorized"}, {"temporary keys without token", stsKey, stsSecret, "", "Unauthorized"},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) {
			wantCode(t, s.newClient(c.id, c.secret, c.token).PutLogs(project, logstore, group("t", "message=x")), 401, c.code)
		})
	}
	t.Run("the policy is asked for action and resource", func(t *testing.T) {
		s.keys.denied = []string{"log:PostLogStoreLogs " + resourcePrefix + "project/demo-project/logstore/demo-store"}
		wantCode(t, s.client.PutLogs(project, logstore, group("t", "message=x")), 401, "Unauthorized")
		if _, err := s.client.GetLogs(project, logstore, "", 1, 2, "", 10, 0, false); err != nil {
			t.Error(err)
		}
	})
}

func TestConsumerLibrary(t *testing.T) {
	s := withStore(t, 1) // the library sets its client up without a lock in the worker of each shard
	for i := range 10 {
		s.put(t, group("svc", fmt.Sprintf("message=%d", i)))
	}
	seen := make(chan string, 100)
	worker := consumerlib.InitConsumerWorkerWithCheckpointTracker(consumerlib.LogHubConfig{
		Endpoint: "http://sls.fcd.local", AccessKeyID: testKey, AccessKeySecret: testSecret, Project: project, Logstore: logstore,
		ConsumerGroupName: "readers", ConsumerName: "reader-1", CursorPosition: consumerlib.BEGIN_CURSOR, HTTPClient: s.http,
		HeartbeatIntervalInSecond: 1, DataFetchIntervalInMs: 10, Logger: kitlog.NewNopLogger(), DisableRuntimeMetrics: true,
	}, func(_ int, list *sdk.LogGroupList, tracker consumerlib.CheckPointTracker) (string, error) {
		for _, g := range list.LogGroups {
			seen <- g.Logs[0].Contents[0].GetValue()
		}
		return "", tracker.SaveCheckPoint(true)
	})
	worker.Start()
	got := map[string]bool{}
	for timeout := time.After(wait); len(got) < 10; {
		select {
		case m := <-seen:
			got[m] = true
		case <-timeout:
			t.Fatalf("only %v were consumed", got)
		}
	}
	worker.StopAndWait()
	groups, err := s.client.ListConsumerGroup(project, logstore)
	if err != nil || len(groups) != 1 || groups[0].ConsumerGroupName != "readers" {
		t.Errorf("groups are %v, %v", groups, err)
	}
	points, err := s.client.GetCheckpoint(project, logstore, "readers")
	if err != nil || len(points) != 1 {
		t.Fatalf("checkpoints are %v, %v", points, err)
	}
	for _, p := range points {
		if end, _ := s.client.GetCursor(project, logstore, p.ShardID, "end"); p.CheckPoint != end || p.Consumer != "reader-1" || p.UpdateTime == 0 {
			t.Errorf("checkpoint %+v is not at the end %s", p, end)
		}
	}
}

func TestConsumerGroups(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir, nil)
	s.makeStore(t, 4)
	g := sdk.ConsumerGroup{ConsumerGroupName: "readers", Timeout: 30}
	if err := s.client.CreateConsumerGroup(project, logstore, g); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.client.CreateConsumerGroup(project, logstore, g), 400, "ConsumerGroupAlreadyExist")
	beat := func(who string, held ...int) []int {
		t.Helper()
		shards, err := s.client.HeartBeat(project, logstore, "readers", who, held)
		if err != nil {
			t.Fatal(err)
		}
		return shards
	}
	steps := []struct {
		who        string
		held, want []int
	}{
		{"a", nil, []int{0, 1, 2, 3}},
		{"b", nil, nil},                       // a still reads what b is to have
		{"a", []int{0, 1, 2, 3}, []int{0, 1}}, // a is told to let go
		{"b", nil, nil},                       // but has not yet
		{"a", []int{0, 1}, []int{0, 1}},       // now it has
		{"b", nil, []int{2, 3}},
	}
	for i, st := range steps {
		if d := cmp.Diff(st.want, beat(st.who, st.held...)); d != "" {
			t.Errorf("step %d: shards of %s differ (-want +got):\n%s", i, st.who, d)
		}
	}
	if err := s.client.UpdateCheckpoint(project, logstore, "readers", "a", 0, "MTIz", false); err != nil {
		t.Error(err)
	}
	wantCode(t, s.client.UpdateCheckpoint(project, logstore, "readers", "a", 2, "MTIz", false), 400, "ConsumerNotMatch")
	wantCode(t, s.client.UpdateCheckpoint(project, logstore, "nobody", "a", 2, "MTIz", true), 404, "ConsumerGroupNotExist")
	g.InOrder, g.Timeout = true, 90
	if err := s.client.UpdateConsumerGroup(project, logstore, g); err != nil {
		t.Fatal(err)
	}
	s.close()
	s = serve(t, dir, nil)
	groups, _ := s.client.ListConsumerGroup(project, logstore)
	if len(groups) != 1 || *groups[0] != g {
		t.Errorf("groups after a restart are %v", groups)
	}
	if points, _ := s.client.GetCheckpoint(project, logstore, "readers"); len(points) != 1 || points[0].CheckPoint != "MTIz" {
		t.Errorf("checkpoints after a restart are %v", points)
	}
	if err := s.client.DeleteConsumerGroup(project, logstore, "readers"); err != nil {
		t.Fatal(err)
	}
	_, err := s.client.GetCheckpoint(project, logstore, "readers")
	wantCode(t, err, 404, "ConsumerGroupNotExist")
}
