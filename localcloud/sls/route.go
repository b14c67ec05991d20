package sls

import (
	"cmp"
	"net/http"
	"strings"
)

// route is one operation: how its requests look, and the action that policies name.
type route struct {
	method  string
	path    string // "{name}" stands for one part, kept in call.parts
	kind    string // of the parameter "type", or else "action"; "" for requests without either
	action  string
	project bool // the host names a project
	handle  func(*call) error
}

func routes() []route {
	return []route{
		{http.MethodPost, "/", "", "CreateProject", true, (*call).createProject},
		{http.MethodPost, "/", "", "CreateProject", false, (*call).createProject}, // as the Node client does
		{http.MethodGet, "/", "", "ListProject", false, (*call).listProjects},
		{http.MethodGet, "/", "", "GetProject", true, (*call).getProject},
		{http.MethodPut, "/", "", "UpdateProject", true, (*call).updateProject},
		{http.MethodDelete, "/", "", "DeleteProject", true, (*call).deleteProject},

		{http.MethodPost, "/logstores", "", "CreateLogStore", true, (*call).createLogstore},
		{http.MethodGet, "/logstores", "", "ListLogStores", true, (*call).listLogstores},
		{http.MethodGet, "/logstores/{logstore}", "", "GetLogStore", true, (*call).getLogstore},
		{http.MethodPut, "/logstores/{logstore}", "", "UpdateLogStore", true, (*call).updateLogstore},
		{http.MethodDelete, "/logstores/{logstore}", "", "DeleteLogStore", true, (*call).deleteLogstore},

		{http.MethodPost, "/logstores/{logstore}/index", "", "CreateIndex", true, (*call).createIndex},
		{http.MethodGet, "/logstores/{logstore}/index", "", "GetIndex", true, (*call).getIndex},
		{http.MethodPut, "/logstores/{logstore}/index", "", "UpdateIndex", true, (*call).updateIndex},
		{http.MethodDelete, "/logstores/{logstore}/index", "", "DeleteIndex", true, (*call).deleteIndex},

		{http.MethodPost, "/logstores/{logstore}", "", "PostLogStoreLogs", true, (*call).postLogs},
		{http.MethodPost, "/logstores/{logstore}/shards/lb", "", "PostLogStoreLogs", true, (*call).postLogs},
		{http.MethodPost, "/logstores/{logstore}/shards/route", "", "PostLogStoreLogs", true, (*call).postLogs},

		{http.MethodGet, "/logstores/{logstore}", "log", "GetLogStoreLogs", true, (*call).getLogsOld},
		{http.MethodPost, "/logstores/{logstore}/logs", "", "GetLogStoreLogs", true, (*call).getLogs},
		{http.MethodGet, "/logstores/{logstore}", "histogram", "GetLogStoreHistogram", true, (*call).getHistogram},

		{http.MethodGet, "/logstores/{logstore}/shards", "", "ListShards", true, (*call).listShards},
		{http.MethodPost, "/logstores/{logstore}/shards/{shard}", "split", "SplitShard", true, (*call).splitShard},
		{http.MethodPost, "/logstores/{logstore}/shards/{shard}", "merge", "MergeShards", true, (*call).mergeShards},
		{http.MethodGet, "/logstores/{logstore}/shards/{shard}", "cursor", "GetCursorOrData", true, (*call).getCursor},
		{http.MethodGet, "/logstores/{logstore}/shards/{shard}", "cursor_time", "GetCursorOrData", true, (*call).getCursorTime},
		{http.MethodGet, "/logstores/{logstore}/shards/{shard}", "logs", "GetCursorOrData", true, (*call).pullLogs},

		{http.MethodPost, "/logstores/{logstore}/consumergroups", "", "CreateConsumerGroup", true, (*call).createGroup},
		{http.MethodGet, "/logstores/{logstore}/consumergroups", "", "ListConsumerGroup", true, (*call).listGroups},
		{http.MethodPut, "/logstores/{logstore}/consumergroups/{group}", "", "UpdateConsumerGroup", true, (*call).updateGroup},
		{http.MethodDelete, "/logstores/{logstore}/consumergroups/{group}", "", "DeleteConsumerGroup", true, (*call).deleteGroup},
		{http.MethodGet, "/logstores/{logstore}/consumergroups/{group}", "", "GetConsumerGroupCheckPoint", true, (*call).getCheckpoints},
		{http.MethodPost, "/logstores/{logstore}/consumergroups/{group}", "heartbeat", "ConsumerGroupHeartBeat", true, (*call).heartbeat},
		{http.MethodPost, "/logstores/{logstore}/consumergroups/{group}", "checkpoint", "ConsumerGroupUpdateCheckPoint", true, (*call).updateCheckpoint},
	}
}

// route finds the operation of a request and fills call.parts.
func (c *call) route() (*route, error) {
	query := c.r.URL.Query()
	kind := cmp.Or(query.Get("type"), query.Get("action"))
	known := false
	for _, rt := range routes() {
		parts, ok := match(rt.path, c.r.URL.Path)
		if !ok || rt.project != (c.project != "") {
			continue
		}
		known = true
		if rt.method == c.r.Method && rt.kind == kind {
			c.parts = parts
			return &rt, nil
		}
	}
	if known {
		return nil, badRequest("NotSupported", "%s %.200s with type %.40q is not served here", c.r.Method, c.r.URL.Path, kind)
	}
	return nil, notFound("NotSupported", "%s %.200s is not served here", c.r.Method, c.r.URL.Path)
}

// match compares a path with a pattern. A trailing slash does not count.
func match(pattern, path string) (map[string]string, bool) {
	want := strings.Split(strings.Trim(pattern, "/"), "/")
	got := strings.Split(strings.Trim(path, "/"), "/")
	if len(want) != len(got) {
		return nil, false
	}
	var parts map[string]string
	for i, w := range want {
		if !strings.HasPrefix(w, "{") {
			if w != got[i] {
				return nil, false
			}
			continue
		}
		if got[i] == "" {
			return nil, false
		}
		if parts == nil {
			parts = map[string]string{}
		}
		parts[strings.Trim(w, "{}")] = got[i]
	}
	return parts, true
}
