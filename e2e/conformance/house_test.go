package conformance

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"fcd/api/client"
	"fcd/cmd/fcd/daemon"
	"fcd/config"
	"fcd/e2e/npm"
	"fcd/invoker/runtimes"
)

const (
	region   = "cn-shanghai"
	account  = "1234567890123456"
	project  = "conformance"
	logstore = "functions"
	plain    = "plain" // a service without a role
	keyed    = "keyed" // a service with one
	bucket   = "conformance"
)

var role = "acs:ram::" + account + ":role/AliyunFCDefaultRole"

// A house is a running daemon.
type house struct {
	daemon  *daemon.Daemon
	api     *client.Client
	metrics *prometheus.Registry
	log     *logbook
	dir     string
	stop    func() error
	status  map[string]runtimes.Status
}

// shared is the daemon that most tests use.
var shared sharedHouse

type sharedHouse struct {
	once  sync.Once
	house *house
	err   error
}

// get starts the daemon at its first use.
func (s *sharedHouse) get(t testing.TB) *house {
	t.Helper()
	s.once.Do(func() { s.house, s.err = openHouse(nil) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.house
}

func (s *sharedHouse) close() error {
	if s.house == nil {
		return nil
	}
	return s.house.close()
}

// openHouse starts a daemon with two services and a configuration that change, unless it is nil, has changed. Its functions get all of the processor, whatever their memory: what they
// give is compared, not how fast.
func openHouse(change func(*config.Config)) (*house, error) {
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return nil, err
	}
	c := config.Default()
	c.DataDir, c.Region, c.Sandbox.CPU = dir, region, "off"
	c.Account = config.Account{ID: account, AccessKeyID: "LTAIconformance", AccessKeySecret: "secret"}
	c.Shutdown.Drain = 10 * time.Second
	c.Pool.Max = 1                        // one interpreter of each kind waits, whatever the order of the tests: first calls claim or start
	c.Invoker.QueueWait = 5 * time.Minute // for a start, on a machine that is busy
	if c.RuntimesDir, err = installed(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if change != nil {
		change(c)
	}
	h := &house{dir: dir, metrics: prometheus.NewRegistry(), status: map[string]runtimes.Status{}}
	log := zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.AddSync(os.Stderr), zapcore.ErrorLevel))
	h.daemon, err = daemon.Open(context.Background(), daemon.Options{Config: c, AnyPorts: true, Log: log, Metrics: h.metrics})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.daemon.Run(ctx) }()
	h.stop = func() error { cancel(); return <-done }
	e := h.daemon.Endpoint()
	h.api = client.New(e.API, e.AccessKeyID, e.AccessKeySecret)
	h.api.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	h.log = newLogbook(e)
	for _, s := range h.daemon.Runtimes() {
		h.status[s.Name] = s
	}
	if err := errors.Join(h.service(plain, ""), h.service(keyed, role)); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// installed is the folder of the interpreters that the tests may use: what FCD_RUNTIMES_DIR names, or what
// `make test` has installed.
func installed() (string, error) {
	return filepath.Abs(cmp.Or(os.Getenv("FCD_RUNTIMES_DIR"), filepath.Join("..", "..", ".cache", "runtimes")))
}

func (h *house) close() error {
	h.api.HTTP.CloseIdleConnections()
	h.log.close()
	return errors.Join(h.stop(), os.RemoveAll(h.dir))
}

func (h *house) service(name, role string) error {
	return h.do(http.MethodPost, "/services", map[string]any{"serviceName": name, "role": role,
		"logConfig": map[string]string{"project": project, "logstore": logstore}})
}

func (h *house) do(method, path string, body any) error {
	_, err := h.api.Do(context.Background(), method, path, nil, body)
	return err
}

// A function is one to deploy. Fields that are zero get defaults of the suite.
type function struct {
	service, name        string
	runtime              string
	handler, initializer string
	code                 *codeZip
	memory               int // MB
	timeout, initTime    int // s
	env                  map[string]string
	freeze, stop         string // hooks
}

// deploy makes the function.
func (h *house) deploy(t testing.TB, f function) {
	t.Helper()
	if err := h.tryDeploy(f); err != nil {
		t.Fatalf("function %s: %v", f.name, err)
	}
	t.Cleanup(func() {
		if t.Failed() { // what failed did not remove it, and its instances would be found by others
			_ = h.do(http.MethodDelete, "/services/"+f.service+"/functions/"+f.name, nil)
		}
	})
}

func (h *house) tryDeploy(f function) error {
	body := map[string]any{"functionName": f.name, "runtime": f.runtime, "handler": f.handler, "initializer": f.initializer,
		"memorySize": or(f.memory, 256), "timeout": or(f.timeout, 60), "initializationTimeout": or(f.initTime, 60),
		"instanceLifecycleConfig": map[string]any{"PreFreeze": map[string]any{"Handler": f.freeze, "Timeout": 60},
			"PreStop": map[string]any{"Handler": f.stop, "Timeout": 60}},
		"environmentVariables": f.env, "code": map[string]any{"zipFile": f.code.bytes}}
	return h.do(http.MethodPost, "/services/"+f.service+"/functions", body)
}

// remove deletes the function, and so its instances.
func (h *house) remove(t testing.TB, f function) {
	t.Helper()
	if err := h.do(http.MethodDelete, "/services/"+f.service+"/functions/"+f.name, nil); err != nil {
		t.Errorf("delete %s: %v", f.name, err)
	}
}

// bucket makes a bucket in the embedded object storage.
func (h *house) bucket(t testing.TB, name string) *oss.Bucket {
	t.Helper()
	e := h.daemon.Endpoint()
	c, err := oss.New(e.OSS, e.AccessKeyID, e.AccessKeySecret, oss.HTTPClient(h.api.HTTP))
	if err == nil {
		err = c.CreateBucket(name)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Bucket(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// object is an object's content.
func object(t testing.TB, b *oss.Bucket, key string) string {
	t.Helper()
	r, err := b.GetObject(key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// invoke calls a function. A refusal is an error, a function's error an answer.
func (h *house) invoke(service, name string, event []byte, tail bool) (*client.Answer, error) {
	c := h.api
	if tail {
		c = c.With("X-Fc-Log-Type", "Tail")
	}
	return c.Do(context.Background(), http.MethodPost, "/services/"+service+"/functions/"+name+"/invocations", nil, event)
}

// A codeZip is a packed folder.
type codeZip struct {
	bytes    []byte
	checksum string // CRC-64, decimal
}

// zips are the packed themes, each packed once.
var zips sync.Map // folder -> func() (*codeZip, error)

// codeOf packs the code of a row's theme in a language.
func codeOf(t testing.TB, r *row, language string) *codeZip {
	t.Helper()
	switch {
	case language == "java":
		return zipOf(t, javaClasses(t))
	case r.Module != "":
		return zipWith(t, codeDir(r.theme(), language), r.Module)
	}
	return zipOf(t, codeDir(r.theme(), language))
}

// zipOf packs a folder.
func zipOf(t testing.TB, dir string) *codeZip {
	t.Helper()
	pack, _ := zips.LoadOrStore(dir, sync.OnceValues(func() (*codeZip, error) { return packDir(dir) }))
	z, err := pack.(func() (*codeZip, error))()
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// zipWith packs a folder together with a package of npm.
func zipWith(t testing.TB, dir, module string) *codeZip {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	err := z.AddFS(os.DirFS(dir))
	npm.Add(t, z, module)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return seal(b.Bytes())
}

func packDir(dir string) (*codeZip, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	if err := errors.Join(z.AddFS(os.DirFS(dir)), z.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return seal(b.Bytes()), nil
}

// zipFiles packs texts.
func zipFiles(t testing.TB, files map[string]string) *codeZip {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return seal(b.Bytes())
}

func seal(b []byte) *codeZip {
	return &codeZip{b, strconv.FormatUint(crc64.Checksum(b, crc64.MakeTable(crc64.ECMA)), 10)}
}
