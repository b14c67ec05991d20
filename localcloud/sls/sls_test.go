package sls_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"
	kitlog "github.com/go-kit/kit/log"
	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/localcloud/sls"
	"fcd/ram"
)

func TestMain(m *testing.M) {
	sdk.Logger = kitlog.NewNopLogger()
	goleak.VerifyTestMain(m)
}

// keyring is a fixed set of keys and a policy that refuses what is listed.
type keyring struct {
	mu     sync.Mutex
	denied []string // "action resource"
	asked  []string
}

const (
	testKey, testSecret         = "LTAItest", "s3cr3t"
	stsKey, stsSecret, stsToken = "STS.test", "sts-s3cr3t", "the-token"
	project, logstore           = "demo-project", "demo-store"
	accountID                   = "123456"
	resourcePrefix              = "acs:log:cn-shanghai:123456:"
	wait                        = 20 * time.Second
)

func (k *keyring) Authenticate(id, token string) (ram.Identity, error) {
	switch {
	case id == testKey && token == "":
		return ram.Identity{Secret: testSecret, Principal: ram.Principal{Kind: ram.KindRoot, Account: accountID}}, nil
	case id == stsKey && token == stsToken:
		return ram.Identity{Secret: stsSecret, Principal: ram.Principal{Kind: ram.KindRole, Account: accountID, Name: "r"}}, nil
	case id == stsKey:
		return ram.Identity{}, fc.Errorf(fc.AccessDenied, "token is wrong")
	}
	return ram.Identity{}, fc.Errorf(fc.InvalidAccessKeyID, "unknown")
}

func (k *keyring) Allowed(_ ram.Principal, action, resource string, _ ram.Env) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, action+" "+resource)
	if slices.Contains(k.denied, action+" "+resource) {
		return fc.Errorf(fc.AccessDenied, "no")
	}
	return nil
}

// service is a running Server with a client of the real SDK.
type service struct {
	*sls.Server
	keys   *keyring
	addr   string
	client *sdk.Client
	http   *http.Client
	close  func()
}

// serve starts a Server in dir that stops with the test, or by close.
func serve(t testing.TB, dir string, change func(*sls.Options)) *service {
	t.Helper()
	s := &service{keys: &keyring{}}
	opts := sls.Options{Dir: dir, Keys: s.keys, Policy: s.keys, AccountID: accountID}
	if change != nil {
		change(&opts)
	}
	var err error
	if s.Server, err = sls.New(opts); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Server)
	s.addr = web.Listener.Addr().String()
	s.http = dialOnly(s.addr)
	s.client = s.newClient(testKey, testSecret, "")
	s.close = sync.OnceFunc(func() {
		s.http.CloseIdleConnections()
		web.Close()
		if err := s.Server.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.close)
	return s
}

// dialOnly is a client that connects to addr whatever the name of the host.
func dialOnly(addr string) *http.Client {
	return &http.Client{Timeout: wait, Transport: &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		},
	}}
}

func (s *service) newClient(id, secret, token string) *sdk.Client {
	return &sdk.Client{Endpoint: "http://sls.fcd.local", AccessKeyID: id, AccessKeySecret: secret, SecurityToken: token,
		RequestTimeOut: wait, RetryTimeOut: time.Second, HTTPClient: s.http}
}

// withStore is a service with a project and a logstore of n shards.
func withStore(t testing.TB, n int) *service {
	t.Helper()
	s := serve(t, t.TempDir(), nil)
	s.makeStore(t, n)
	return s
}

func (s *service) makeStore(t testing.TB, n int) {
	t.Helper()
	if _, err := s.client.CreateProject(project, "for tests"); err != nil {
		t.Fatal(err)
	}
	if err := s.client.CreateLogStore(project, logstore, 7, n, false, 0); err != nil {
		t.Fatal(err)
	}
}

// base is the time of the first log that tests write.
var base = time.Now().Add(-time.Hour).Truncate(time.Second)

// group makes a log group with one log per text, a second apart from base on; a text is "key=value,key=value".
func group(topic string, texts ...string) *sdk.LogGroup {
	g := &sdk.LogGroup{Topic: str(topic), Source: str("10.0.0.1"), LogTags: []*sdk.LogTag{{Key: str("host"), Value: str("web-1")}}}
	for i, text := range texts {
		at := uint32(base.Unix()) + uint32(i)
		l := &sdk.Log{Time: &at}
		for kv := range strings.SplitSeq(text, ",") {
			k, v, _ := strings.Cut(kv, "=")
			l.Contents = append(l.Contents, &sdk.LogContent{Key: str(k), Value: str(v)})
		}
		g.Logs = append(g.Logs, l)
	}
	return g
}

func str(s string) *string { return &s }

func (s *service) put(t testing.TB, g *sdk.LogGroup) {
	t.Helper()
	if err := s.client.PutLogs(project, logstore, g); err != nil {
		t.Fatal(err)
	}
}

// find answers the "message" of every log a query finds.
func (s *service) find(t testing.TB, query string) []string {
	t.Helper()
	resp, err := s.client.GetLogsV2(project, logstore, &sdk.GetLogRequest{From: base.Unix(), To: base.Unix() + 3600, Query: query})
	if err != nil {
		t.Fatalf("query %q: %v", query, err)
	}
	return column(resp.Logs, "message")
}

func column(rows []map[string]string, key string) []string {
	all := []string{}
	for _, r := range rows {
		all = append(all, r[key])
	}
	return all
}

func wantCode(t *testing.T, err error, status int, code string) {
	t.Helper()
	e, ok := err.(*sdk.Error)
	if !ok || int(e.HTTPCode) != status || e.Code != code {
		t.Errorf("error is %v, want %d %s", err, status, code)
		return
	}
	if len(e.RequestID) != 24 || e.Message == "" {
		t.Errorf("error has request id %q and message %q", e.RequestID, e.Message)
	}
}

func mkdir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
