package oss_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"
	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/localcloud/oss"
	"fcd/ram"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		serveUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

const (
	accessKey, secretKey     = "AK", "SK"
	stsKey, stsSecret, token = "STS.AK", "STS-SK", "the-token"
	region                   = "cn-shanghai"
	account                  = "123456789"
)

// keys knows the account's key, a role's temporary key and nobody else.
type keys struct{}

func (keys) Authenticate(ak, tok string) (ram.Identity, error) {
	switch {
	case ak == accessKey && tok == "":
		return ram.Identity{Secret: secretKey, Principal: ram.Principal{Kind: ram.KindRoot, Account: account}}, nil
	case ak == stsKey && tok == token:
		return ram.Identity{Secret: stsSecret, Principal: ram.Principal{Kind: ram.KindRole, Account: account, Name: "worker", Session: "s"}}, nil
	case ak == stsKey:
		return ram.Identity{}, fc.Errorf(fc.AccessDenied, "the security token is not valid")
	}
	return ram.Identity{}, fc.Errorf(fc.InvalidAccessKeyID, "no such key %q", ak)
}

// recorder takes events over and keeps them. refuse, if set, is asked first.
type recorder struct {
	mu     sync.Mutex
	events []fc.ObjectEvent
	came   chan struct{} // one token per event
	refuse func(fc.ObjectEvent) error
}

func newRecorder() *recorder { return &recorder{came: make(chan struct{}, 1<<16)} }

func (r *recorder) ObjectEvent(_ context.Context, e fc.ObjectEvent) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		if err := r.refuse(e); err != nil {
			return err
		}
	}
	r.events = append(r.events, e)
	r.came <- struct{}{}
	return nil
}

// wait returns the first n events once there are that many.
func (r *recorder) wait(t testing.TB, n int) []fc.ObjectEvent {
	t.Helper()
	for range n {
		select {
		case <-r.came:
		case <-t.Context().Done():
			t.Fatal("events did not come")
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]fc.ObjectEvent(nil), r.events...)
}

// start serves a fresh directory on a loopback port.
func start(t testing.TB, change ...func(*oss.Options)) (*oss.Server, string) {
	t.Helper()
	opts := oss.Options{Dir: t.TempDir(), Region: region, AccountID: account, Keys: keys{}}
	for _, f := range change {
		f(&opts)
	}
	s, err := oss.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, h.URL
}

// client is a client of the first Go SDK with the account's key.
func client(t testing.TB, url string, opts ...sdk.ClientOption) *sdk.Client {
	t.Helper()
	return clientOf(t, url, accessKey, secretKey, opts...)
}

func clientOf(t testing.TB, url, ak, secret string, opts ...sdk.ClientOption) *sdk.Client {
	t.Helper()
	h := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(h.CloseIdleConnections)
	c, err := sdk.New(url, ak, secret, append(opts, sdk.HTTPClient(h))...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func v4() []sdk.ClientOption {
	return []sdk.ClientOption{sdk.AuthVersion(sdk.AuthV4), sdk.Region(region)}
}
