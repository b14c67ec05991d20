package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/api/client"
	"fcd/bench/comparators"
	"fcd/sign"
	"fcd/store/sqlite"
)

const service = "bench" // what all functions are in

// memoryMB of every function: as much as comes with a whole core, so that it is fcd and not the function's share of the
// processor that is measured.
const memoryMB = 1024

// settings differ from the defaults in that a function has two instances, that a client with many connections gets no
// 429, that there may be as many instances as a row wants, and that a stop does not wait for a function that sleeps.
const settings = `
invoker: {maxInstancesPerFunction: 2, queuePerFunction: 1000, maxInstances: 2000, maxMemoryMB: 4000000, idleTimeout: 1h}
shutdown: {drain: 100ms}
log: {level: warn}
`

// m is a JSON object.
type m = map[string]any

// A server is `fcd serve` as a child, on a data directory of its own.
type server struct {
	*process
	bin, dir string
	e        endpoint
	api      *client.Client
	took     time.Duration     // from its start to ready
	runtimes map[string]string // by the extension of a handler's file
}

// serve starts a daemon on a directory of that name, which may hold the state of an earlier one. more are lines of
// configuration.
func (l *lab) serve(ctx context.Context, name string, more ...string) (*server, error) {
	s := &server{bin: l.bin, dir: filepath.Join(l.dir, name), runtimes: map[string]string{".js": l.node.Name, ".py": l.python.Name}}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(l.dir, name+".yaml")
	if err := os.WriteFile(file, []byte(settings+strings.Join(more, "\n")), 0o600); err != nil {
		return nil, err
	}
	begin := time.Now()
	var err error
	if s.process, err = start(ctx, l.dir, name, l.bin, "serve", "--ports", "any", "--config", file, "--data-dir", s.dir); err != nil {
		return nil, err
	}
	s.took = time.Since(begin)
	if s.e, err = readEndpoint(s.dir); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.api = client.New(s.e.API, s.e.AccessKeyID, s.e.AccessKeySecret)
	return s, nil
}

// fresh starts a daemon on an empty directory and makes the service.
func (l *lab) fresh(ctx context.Context, name string, more ...string) (*server, error) {
	s, err := l.serve(ctx, name, more...)
	if err != nil {
		return nil, err
	}
	if err := s.makeService(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// endpoint is what a daemon says of itself in endpoint.json.
type endpoint struct{ AccountID, Region, AccessKeyID, AccessKeySecret, API, OSS, Admin string }

func readEndpoint(dir string) (e endpoint, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "endpoint.json"))
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	return e, err
}

func (s *server) post(ctx context.Context, path string, body any) error {
	_, err := s.api.Do(ctx, http.MethodPost, path, nil, body)
	return err
}

func (s *server) makeService(ctx context.Context) error {
	return s.post(ctx, "/services", m{"serviceName": service,
		"role":      "acs:ram::" + s.e.AccountID + ":role/AliyunFCDefaultRole",
		"logConfig": m{"project": "bench-logs", "logstore": "functions"}})
}

// deploy makes a function of one of the comparators' handlers, like "hello.js". padding is so many bytes of other files.
func (s *server) deploy(ctx context.Context, name, file string, padding int) error {
	code, err := comparators.Files.ReadFile(file)
	if err != nil {
		return err
	}
	zipped, err := pack(name, "index"+filepath.Ext(file), code, padding)
	if err != nil {
		return err
	}
	return s.post(ctx, "/services/"+service+"/functions", m{"functionName": name, "runtime": s.runtimes[filepath.Ext(file)],
		"handler": "index.handler", "timeout": 300, "memorySize": memoryMB, "code": m{"zipFile": zipped}})
}

// pack makes the code package of a function: its own like no other, with the handler's file and, as real ones have,
// libraries in files of 8 KiB.
func pack(function, name string, code []byte, padding int) ([]byte, error) {
	files := map[string][]byte{name: code, "function.txt": []byte(function)}
	line := []byte("// a line of a library that the function brings along\n")
	for i := range padding / libraryFile {
		files[fmt.Sprintf("lib/part%04d.js", i)] = append(fmt.Appendf(nil, "// %d\n", i), bytes.Repeat(line, libraryFile/len(line))...)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, data := range files {
		e, err := w.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := e.Write(data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

const libraryFile = 8 << 10

// invocation is a signed request to invoke a function; a header may be given as key and value.
func (s *server) invocation(function string, event []byte, header ...string) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodPost,
		s.e.API+"/2016-08-15/services/"+service+"/functions/"+function+"/invocations", bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("User-Agent", "")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	sign.SignFC(r, s.e.AccessKeyID, s.e.AccessKeySecret, "", time.Now())
	return r, nil
}

// load opens connections that invoke a function.
func (s *server) load(function string, event []byte, connections int, header ...string) (load, error) {
	r, err := s.invocation(function, event, header...)
	if err != nil {
		return nil, err
	}
	want := http.StatusOK
	if len(header) > 0 {
		want = http.StatusAccepted
	}
	return newLoad(connections, want, r)
}

// async are the header of an asynchronous invocation.
var async = []string{"X-Fc-Invocation-Type", "Async"}

// oss is the real OSS SDK on the embedded OSS.
func (s *server) oss() (*oss.Client, error) {
	return oss.New(s.e.OSS, s.e.AccessKeyID, s.e.AccessKeySecret, oss.AuthVersion(oss.AuthV4), oss.Region(s.e.Region))
}

// lines counts log lines by what became of them: appended, sent, dropped.
func (s *server) lines() (map[string]float64, error) {
	res, err := http.Get(s.e.Admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	counts := map[string]float64{}
	for in := bufio.NewScanner(res.Body); in.Scan(); {
		rest, ok := strings.CutPrefix(in.Text(), `fcd_logsink_lines_total{result="`)
		if !ok {
			continue
		}
		result, value, _ := strings.Cut(rest, `"} `)
		if counts[result], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// metric reads one of the daemon's figures that has no labels.
func (s *server) metric(name string) (float64, error) {
	res, err := http.Get(s.e.Admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	for in := bufio.NewScanner(res.Body); in.Scan(); {
		if value, ok := strings.CutPrefix(in.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("the daemon has no metric %s", name)
}

// profile keeps a processor profile of the daemon over the next seconds.
func (s *server) profile(ctx context.Context, path string, seconds int) error {
	q := url.Values{"seconds": {strconv.Itoa(seconds)}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.e.Admin+"/debug/pprof/profile?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s: %s", res.Status, b)
	}
	return os.WriteFile(path, b, 0o644)
}

// an entry is what a function said when it was entered.
type entry struct {
	at    float64 // seconds since 1970, of the same clock as this program's
	event string
}

// entries waits until the function's log, read by `fcd logs`, holds so many entries, for at most some seconds.
func (s *server) entries(ctx context.Context, function string, want int) ([]entry, error) {
	end := time.Now().Add(15 * time.Second)
	for {
		out, err := exec.CommandContext(ctx, s.bin, "logs", service+"/"+function, "-o", "json", "--data-dir", s.dir).Output()
		if err != nil {
			return nil, fmt.Errorf("fcd logs: %w", err)
		}
		got, err := parseEntries(out)
		if err != nil || len(got) >= want {
			return got, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("function %s was entered %d times in place of %d", function, len(got), want)
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func parseEntries(out []byte) (all []entry, err error) {
	for line := range bytes.Lines(out) {
		var l struct{ Message string }
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, err
		}
		_, rest, ok := strings.Cut(l.Message, "entered ")
		if !ok {
			continue
		}
		at, event, _ := strings.Cut(rest, " ")
		seconds, err := strconv.ParseFloat(at, 64)
		if err != nil {
			return nil, fmt.Errorf("log line %q: %w", l.Message, err)
		}
		all = append(all, entry{seconds, event})
	}
	return all, nil
}

// fill opens the store of a daemon that does not run.
func fill(ctx context.Context, dir string, do func(*sqlite.Store) error) error {
	s, err := sqlite.Open(ctx, sqlite.Options{Dir: filepath.Join(dir, "store")})
	if err != nil {
		return err
	}
	if err := do(s); err != nil {
		s.Close()
		return err
	}
	return s.Close()
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
