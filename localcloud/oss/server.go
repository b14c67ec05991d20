package oss

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/fc"
	"fcd/localcloud/oss/disk"
	"fcd/ram"
)

// Keys finds the secret and the principal of an access key. Errors are *fc.Error: InvalidAccessKeyID for an unknown
// key, AccessDenied for a token that is missing, wrong or expired.
type Keys interface {
	Authenticate(accessKeyID, token string) (ram.Identity, error)
}

// Policy decides whether a principal may do action on resource; nil means yes.
type Policy interface {
	Allowed(p ram.Principal, action, resource string, env ram.Env) error
}

// Events takes over the events of objects: nil means durably taken over, an error that it shall be asked again. It is
// called in order for one bucket and concurrently for several. An event may come again after a crash, with the same
// Sequence.
type Events interface {
	ObjectEvent(context.Context, fc.ObjectEvent) error
}

// Options of a Server. Dir and Keys are required.
type Options struct {
	Dir       string // made if missing; one process at a time
	Region    string // without "oss-"; default cn-shanghai
	AccountID string // the owner of all buckets, digits; default 123456789

	// Endpoints are host names that are reached with the bucket in the path, besides IP addresses and localhost.
	Endpoints []string
	// Domains are names below which a first label is a bucket, besides <region endpoint>.aliyuncs.com.
	Domains []string

	Keys   Keys
	Policy Policy // nil: whoever has a key may do everything
	Events Events // nil: no events
	// EventMeta puts the object's media type and x-oss-meta- headers into its events.
	EventMeta bool
	// EventsTogether is how many events of one DeleteObjects are handed over as one; default 1.
	EventsTogether int
	// NamesChanged is called after a bucket was made or deleted. It may call Buckets.
	NamesChanged func()

	MaxTotal  int64         // bound of all stored bytes; 0: none. Beyond it writes answer 507
	UploadTTL time.Duration // age at which an unfinished upload is aborted; default 7 days
	// Failed is called once when the index can no longer be written: every write answers 503 from then on and only a
	// restart helps. It must not block. Nil: it is logged only.
	Failed func(error)

	Log        *zap.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time // default time.Now
}

// Server serves the protocol from one directory. It is safe for concurrent use.
type Server struct {
	opts    Options
	disk    *disk.Disk
	metrics *metrics
}

// New opens the directory and starts its background work, the delivery of events that an earlier life left included.
func New(opts Options) (*Server, error) {
	if opts.Keys == nil {
		return nil, fmt.Errorf("object storage needs access keys")
	}
	opts = withDefaults(opts)
	d, err := disk.Open(disk.Options{
		Dir: opts.Dir, Deliver: deliverer(opts.Events), MaxTotal: opts.MaxTotal, UploadTTL: opts.UploadTTL,
		EventMeta: opts.EventMeta, EventsTogether: opts.EventsTogether,
		Failed: opts.Failed, Log: opts.Log, Now: opts.Now,
	})
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(opts.Registerer, d)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &Server{opts: opts, disk: d, metrics: m}, nil
}

func withDefaults(opts Options) Options {
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Region == "" {
		opts.Region = "cn-shanghai"
	}
	if opts.AccountID == "" {
		opts.AccountID = "123456789"
	}
	return opts
}

func deliverer(e Events) func(context.Context, fc.ObjectEvent) error {
	if e == nil {
		return nil
	}
	return e.ObjectEvent
}

// Close ends the background work and closes the directory. Requests must have ended: shut the http.Server down first.
// Events not taken over stay for the next life.
func (s *Server) Close() error {
	s.metrics.unregister()
	return s.disk.Close()
}

// Buckets are the names of all buckets in order.
func (s *Server) Buckets() []string {
	var names []string
	for _, b := range s.disk.Buckets() {
		names = append(names, b.Name)
	}
	return names
}

// CreateBucket makes a private bucket unless it is there. The error is an *Error if the name is refused.
func (s *Server) CreateBucket(ctx context.Context, name string) error {
	if err := checkBucketName(name); err != nil {
		return err
	}
	created, err := s.disk.CreateBucket(ctx, name, "")
	if created {
		s.namesChanged()
	}
	return err
}

func (s *Server) namesChanged() {
	if s.opts.NamesChanged != nil {
		s.opts.NamesChanged()
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := newCall(s, w, r)
	defer s.metrics.observe(c)
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}
