package sls

import (
	"net/url"
	"strconv"
	"time"
)

// maxLines is the most logs of one answer, and the default.
const maxLines = 100

// logsRequest is a GetLogs request in its new form; the old one has the same fields as parameters.
type logsRequest struct {
	From    int64  `json:"from"`
	To      int64  `json:"to"`
	FromNs  int64  `json:"fromNs"`
	ToNs    int64  `json:"toNs"`
	Topic   string `json:"topic"`
	Query   string `json:"query"`
	Line    int64  `json:"line"` // 0 means 100; more than 100 count as 100
	Offset  int64  `json:"offset"`
	Reverse bool   `json:"reverse"` // newest first
}

// logsAnswer is what was found.
type logsAnswer struct {
	rows     []map[string]string
	complete bool
	scanned  int64 // logs that matched
	began    time.Time
}

// getLogs is the new form: JSON in, JSON out.
func (c *call) getLogs() error {
	var req logsRequest
	if err := c.readJSON(&req); err != nil {
		return err
	}
	a, err := c.find(req)
	if err != nil {
		return err
	}
	return c.json(map[string]any{
		"meta": map[string]any{
			"progress": progress(a.complete), "count": len(a.rows), "hasSQL": false, "aggQuery": "", "whereQuery": req.Query,
			"processedRows": a.scanned, "processedBytes": 0, "elapsedMillisecond": elapsedMs(a.began),
			"cpuSec": 0, "cpuCores": 0, "limited": 0, "telementryType": "", "powerSql": false, "insertedSQL": "", "isAccurate": true,
		},
		"data": a.rows,
	})
}

// getLogsOld is the form with parameters: an array of rows, and the rest in headers, which clients read unchecked.
func (c *call) getLogsOld() error {
	req, err := c.oldRequest(c.r.URL.Query())
	if err != nil {
		return err
	}
	a, err := c.find(req)
	if err != nil {
		return err
	}
	c.setProgress(int64(len(a.rows)), a.complete)
	return c.json(a.rows)
}

// setProgress sets the two headers of old answers.
func (c *call) setProgress(count int64, complete bool) {
	h := c.w.Header()
	h.Set("x-log-count", itoa(count))
	h.Set("x-log-progress", progress(complete))
}

func (c *call) oldRequest(q url.Values) (logsRequest, error) {
	req := logsRequest{Topic: q.Get("topic"), Query: q.Get("query")}
	var err error
	if text := q.Get("reverse"); text != "" {
		if req.Reverse, err = strconv.ParseBool(text); err != nil {
			return req, badRequest("InvalidReverse", "parameter reverse is %.40q, not true or false", text)
		}
	}
	for name, into := range map[string]*int64{"from": &req.From, "to": &req.To, "line": &req.Line, "offset": &req.Offset,
		"fromNs": &req.FromNs, "toNs": &req.ToNs} {
		if *into, err = c.intParam(name, 0); err != nil {
			return req, err
		}
	}
	for _, name := range []string{"from", "to"} {
		if q.Get(name) == "" {
			return req, badRequest("ParameterInvalid", "parameter %s is missing", name)
		}
	}
	return req, nil
}

// find answers a query.
func (c *call) find(req logsRequest) (logsAnswer, error) {
	a := logsAnswer{began: time.Now()}
	l, err := c.logstore()
	if err != nil {
		return a, err
	}
	what, err := newSearch(req)
	if err != nil {
		return a, err
	}
	if req.Line < 0 || req.Offset < 0 || req.Offset > 1e6 {
		return a, badRequest("ParameterInvalid", "line %d or offset %d is not in its range (0-%d, 0-1000000)", req.Line, req.Offset, maxLines)
	}
	lines := int(min(orDefault(req.Line, maxLines), maxLines))
	page := pageOf{limit: int(req.Offset) + lines, order: hit.order}
	if req.Reverse {
		page.order = func(a, b hit) int { return b.order(a) }
	}
	ctx, cancel := c.queryContext()
	defer cancel()
	a.complete, err = c.scan(ctx, l, what, func(h hit, _ *logGroup, _ logLine) {
		a.scanned++
		page.add(h)
	})
	if err != nil {
		return a, err
	}
	page.cut()
	a.rows, err = c.rows(l, page.hits[min(int(req.Offset), len(page.hits)):])
	return a, err
}

func newSearch(req logsRequest) (search, error) {
	within, err := secondsRange(req.From, req.To, req.FromNs, req.ToNs)
	if err != nil {
		return search{}, err
	}
	q, err := parseQuery(req.Query)
	return search{within: within, topic: req.Topic, query: q}, err
}

// maxBuckets bounds a histogram.
const maxBuckets = 1000

// bucket is one bar of a histogram.
type bucket struct {
	From     int64  `json:"from"` // Unix seconds, [From, To)
	To       int64  `json:"to"`
	Count    int64  `json:"count"`
	Progress string `json:"progress"`
}

// getHistogram counts matching logs over time.
func (c *call) getHistogram() error {
	req, err := c.oldRequest(c.r.URL.Query())
	if err != nil {
		return err
	}
	interval, err := c.intParam("interval", 0)
	if err != nil {
		return err
	}
	l, err := c.logstore()
	if err != nil {
		return err
	}
	req.FromNs, req.ToNs = 0, 0
	what, err := newSearch(req)
	if err != nil {
		return err
	}
	buckets, err := newBuckets(req.From, max(req.To, req.From+1), interval)
	if err != nil {
		return err
	}
	width := buckets[0].To - buckets[0].From
	var total int64
	ctx, cancel := c.queryContext()
	defer cancel()
	complete, err := c.scan(ctx, l, what, func(h hit, _ *logGroup, ln logLine) {
		total++
		buckets[(int64(ln.time)-req.From)/width].Count++
	})
	if err != nil {
		return err
	}
	for i := range buckets {
		buckets[i].Progress = progress(complete)
	}
	c.setProgress(total, complete)
	return c.json(buckets)
}

// newBuckets parts [from, to) into bars of interval seconds, or about 60 bars if interval is 0.
func newBuckets(from, to, interval int64) ([]bucket, error) {
	if interval < 0 {
		return nil, badRequest("ParameterInvalid", "interval %d is negative", interval)
	}
	width := orDefault(interval, max(1, (to-from+59)/60))
	if (to-from)/width > maxBuckets {
		return nil, badRequest("ParameterInvalid", "interval %d parts %d seconds into more than %d", interval, to-from, maxBuckets)
	}
	var buckets []bucket
	for at := from; at < to; at += width {
		buckets = append(buckets, bucket{From: at, To: min(at+width, to)})
	}
	return buckets, nil
}
