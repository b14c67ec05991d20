// Package sls is the logsink.Sink that speaks to Log Service: the real one, or the embedded one of localcloud/sls, with the
// same client.
//
//	sink, err := sls.New(sls.Options{
//		Endpoint:    "https://cn-shanghai.log.aliyuncs.com",
//		Credentials: func() (fc.Credentials, error) { ... },
//	})
//
// One record becomes one log with the contents serviceName, functionName, qualifier, versionId, instanceID, requestId,
// message (and late: true for what was printed after the request's end). The group's topic is the batch's, its
// source Options.Source, its tag __pack_id__ the batch's pack id. Bodies are compressed by lz4.
//
// An error of Send is classed by the service's code, so that the Shipper knows whether to try again soon, later, or
// without the line (see classify). The SDK's own retries are held to Options.RetryTimeout.
package sls

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"

	"fcd/fc"
	"fcd/logsink"
)

// Versions of the request signature.
const (
	AuthV1 = "v1"
	AuthV4 = "v4" // needs Options.Region
)

// Options of a Sink. Endpoint and Credentials are required.
type Options struct {
	// Endpoint is the service's name; "<project>." is put before it. Without a scheme it means http.
	Endpoint string
	// Credentials gives the keys to sign with; it is asked before each request and should be quick.
	Credentials func() (fc.Credentials, error)
	AuthVersion string // AuthV1 (default) or AuthV4
	Region      string // like cn-shanghai
	Source      string // default the host's name
	// RequestTimeout bounds one request; default 10 s.
	RequestTimeout time.Duration
	// RetryTimeout bounds the SDK's own retries within one Send; default 1 s, at least 100 ms.
	RetryTimeout time.Duration
	// Dial, if set, opens every connection whatever the endpoint's name is. The embedded service is reached so.
	Dial func(ctx context.Context) (net.Conn, error)
}

// Sink sends batches to Log Service. Its methods may be called from several goroutines.
type Sink struct {
	client    *sdk.Client
	transport *http.Transport
	source    string
	sends     sync.WaitGroup // requests under way, also those that Send no longer waits for
}

// New makes a Sink. It does not connect.
func New(opts Options) (*Sink, error) {
	client, transport, err := newClient(opts)
	if err != nil {
		return nil, err
	}
	if opts.Source == "" {
		opts.Source, _ = os.Hostname() // a source is a courtesy: empty will do
	}
	return &Sink{client: client, transport: transport, source: opts.Source}, nil
}

// NewClient makes the SDK's client as a Sink has it, for others that speak to the same Log Service. It does not connect;
// close ends its idle connections.
func NewClient(opts Options) (client *sdk.Client, close func() error, err error) {
	client, transport, err := newClient(opts)
	if err != nil {
		return nil, nil, err
	}
	return client, func() error { transport.CloseIdleConnections(); return nil }, nil
}

func newClient(opts Options) (*sdk.Client, *http.Transport, error) {
	if opts.Endpoint == "" || opts.Credentials == nil {
		return nil, nil, errors.New("log service sink: it needs an endpoint and credentials")
	}
	if opts.AuthVersion == "" {
		opts.AuthVersion = AuthV1
	}
	if opts.AuthVersion != AuthV1 && opts.AuthVersion != AuthV4 {
		return nil, nil, fmt.Errorf("log service sink: authVersion %q is none of v1, v4", opts.AuthVersion)
	}
	if opts.AuthVersion == AuthV4 && opts.Region == "" {
		return nil, nil, errors.New("log service sink: authVersion v4 needs a region")
	}
	if opts.RequestTimeout <= 0 {
		opts.RequestTimeout = 10 * time.Second
	}
	if opts.RetryTimeout <= 0 {
		opts.RetryTimeout = time.Second
	}
	web, transport := httpClient(opts)
	client := &sdk.Client{
		Endpoint:       opts.Endpoint,
		UserAgent:      "fcd",
		RequestTimeOut: opts.RequestTimeout,
		RetryTimeOut:   max(opts.RetryTimeout, 100*time.Millisecond),
		HTTPClient:     web,
		Region:         opts.Region,
		AuthVersion:    sdk.AuthVersionType(opts.AuthVersion),
	}
	client.WithCredentialsProvider(credentials(opts.Credentials))
	return client, transport, nil
}

func httpClient(opts Options) (*http.Client, *http.Transport) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.IdleConnTimeout = 30 * time.Second
	if opts.Dial != nil {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return opts.Dial(ctx) }
	}
	return &http.Client{Transport: plainErrors{t}, Timeout: opts.RequestTimeout}, t
}

// credentials is our source of keys in the SDK's words.
type credentials func() (fc.Credentials, error)

// GetCredentials is what the SDK calls before each request.
func (c credentials) GetCredentials() (sdk.Credentials, error) {
	keys, err := c()
	return sdk.Credentials{AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.AccessKeySecret, SecurityToken: keys.SecurityToken}, err
}

// Close waits for the requests under way, at most RequestTimeout and RetryTimeout together, and ends idle connections.
func (s *Sink) Close() error {
	s.sends.Wait()
	s.transport.CloseIdleConnections()
	return nil
}

// groups is memory for log groups on their way.
var groups = sync.Pool{New: func() any { return new([]byte) }}

// Send posts a batch as one log group. The SDK takes no context: when ctx ends first, Send returns and the request runs on
// until its own timeout; the batch may arrive.
func (s *Sink) Send(ctx context.Context, b logsink.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	group := groups.Get().(*[]byte)
	*group = s.appendGroup((*group)[:0], b)
	done := make(chan error, 1)
	s.sends.Go(func() {
		err := s.client.PostRawLogWithCompressType(b.Project, b.Logstore, *group, sdk.Compress_LZ4, nil)
		groups.Put(group)
		done <- err
	})
	select {
	case err := <-done:
		return classify(err)
	case <-ctx.Done():
		return ctx.Err()
	}
}
