package sls

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/ram"
)

// Keys finds the secret and the owner of an access key. Errors mean that the key or its token is not good.
type Keys interface {
	Authenticate(accessKeyID, token string) (ram.Identity, error)
}

// Policy decides whether a principal may do an action like "log:PostLogStoreLogs" on a resource.
type Policy interface {
	Allowed(p ram.Principal, action, resource string, env ram.Env) error
}

// Options of a Server. Dir, Keys and Policy are required.
type Options struct {
	Dir       string // made if missing; no other process may use it
	Keys      Keys
	Policy    Policy
	Region    string // default cn-shanghai
	AccountID string // default 1
	// Domain is the endpoint's own name; "<project>.<Domain>" names a project. Default sls.fcd.local. The
	// names of the real service's endpoints and bare addresses are understood as well.
	Domain string
	// MaxBytes bounds all logs on disk; the oldest segments are deleted beyond it. Default 10 GiB.
	MaxBytes int64
	// QueryTimeout is how long a query reads before it answers "Incomplete". Default 10 s.
	QueryTimeout time.Duration
	SegmentBytes int64         // a segment is closed when it has reached this size; default 64 MiB
	SegmentAge   time.Duration // or this age; default 1 h
	// NamesChanged is called after a project appeared or went, not concurrently with itself. Projects tells the names.
	NamesChanged func()

	Clock      func() time.Time      // default time.Now
	Log        *zap.Logger           // nil logs nothing
	Registerer prometheus.Registerer // nil registers nothing
}

func (o *Options) defaults() {
	o.Region = orDefault(o.Region, "cn-shanghai")
	o.AccountID = orDefault(o.AccountID, "1")
	o.Domain = orDefault(o.Domain, "sls.fcd.local")
	o.MaxBytes = orDefault(o.MaxBytes, 10<<30)
	o.QueryTimeout = orDefault(o.QueryTimeout, 10*time.Second)
	o.SegmentBytes = orDefault(o.SegmentBytes, 64<<20)
	o.SegmentAge = orDefault(o.SegmentAge, time.Hour)
	if o.NamesChanged == nil {
		o.NamesChanged = func() {}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Server is the service; it is an http.Handler. Its methods may be called from several goroutines.
type Server struct {
	opts    Options
	log     *zap.Logger
	meta    *meta
	metrics *metrics
	stop    context.CancelFunc
	janitor sync.WaitGroup

	changing sync.Mutex // held by whoever changes projects and logstores, over the change on disk

	mu       sync.RWMutex // guards the fields below
	projects map[string]*project
}

// project is a project with its logstores; Server.mu guards it.
type project struct {
	doc    projectDoc
	stores map[string]*logstore
}

// projectDoc is a project as stored.
type projectDoc struct {
	Description string `json:"description"`
	CreateTime  int64  `json:"createTime"` // Unix seconds
	ModifyTime  int64  `json:"modifyTime"`
}

// New opens the service's folder. The Server serves until Close.
func New(opts Options) (*Server, error) {
	opts.defaults()
	if opts.Dir == "" || opts.Keys == nil || opts.Policy == nil {
		return nil, errors.New("log service: it needs a directory, keys and a policy")
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("log service: %w", err)
	}
	m, err := openMeta(filepath.Join(opts.Dir, "meta.db"))
	if err != nil {
		return nil, fmt.Errorf("log service %s: %w", opts.Dir, err)
	}
	s := &Server{opts: opts, log: opts.Log, meta: m, projects: map[string]*project{}, stop: func() {}}
	if err := errors.Join(os.RemoveAll(s.trash()), s.load()); err != nil {
		return nil, errors.Join(fmt.Errorf("log service %s: %w", opts.Dir, err), s.Close())
	}
	s.metrics = newMetrics(opts.Registerer, s.bytes)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.janitor.Go(func() { s.expireEvery(ctx, time.Minute) })
	return s, nil
}

// trash is where deleted logstores wait for their deletion. No project has this name.
func (s *Server) trash() string { return filepath.Join(s.opts.Dir, ".trash") }

func (s *Server) limits() shardLimits { return shardLimits{s.opts.SegmentBytes, s.opts.SegmentAge} }

// load reads the metadata and opens all logstores.
func (s *Server) load() error {
	for name, d := range s.meta.all("project") {
		var doc projectDoc
		if err := d.decode(&doc); err != nil {
			return err
		}
		s.projects[name[0]] = &project{doc: doc, stores: map[string]*logstore{}}
	}
	type opened struct {
		name []string
		doc  logstoreDoc
	}
	var stores []opened
	for name, d := range s.meta.all("logstore") {
		o := opened{name: name}
		if err := d.decode(&o.doc); err != nil {
			return err
		}
		stores = append(stores, o)
	}
	for _, o := range stores {
		l, err := openLogstore(filepath.Join(s.opts.Dir, o.name[0], o.name[1]), o.name[0], o.name[1], o.doc, s.limits())
		if err != nil {
			return err
		}
		s.projects[o.name[0]].stores[o.name[1]] = l
	}
	for name, d := range s.meta.all("index") {
		if err := d.decode(&s.projects[name[0]].stores[name[1]].index); err != nil {
			return err
		}
	}
	return s.loadGroups()
}

// Close stops the service and closes its files. Requests that come later fail. It may be called twice.
func (s *Server) Close() error {
	s.stop()
	s.janitor.Wait()
	s.changing.Lock()
	defer s.changing.Unlock()
	var err error
	for _, l := range s.logstores() {
		err = errors.Join(err, l.close())
	}
	return errors.Join(err, s.meta.close())
}

// Projects are the names of all projects, sorted.
func (s *Server) Projects() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := make([]string, 0, len(s.projects))
	for name := range s.projects {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *Server) logstores() []*logstore {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*logstore
	for _, p := range s.projects {
		for _, l := range p.stores {
			all = append(all, l)
		}
	}
	return all
}

// logstore finds a logstore; the errors are ProjectNotExist and LogStoreNotExist.
func (s *Server) logstore(projectName, name string) (*logstore, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.projects[projectName]
	if !ok {
		return nil, projectNotExist(projectName)
	}
	l, ok := p.stores[name]
	if !ok {
		return nil, notFound("LogStoreNotExist", "logstore %s does not exist", name)
	}
	return l, nil
}

func projectNotExist(name string) error {
	return notFound("ProjectNotExist", "The Project does not exist : %s", name)
}

func (s *Server) bytes() (n int64) {
	for _, l := range s.logstores() {
		n += l.bytes()
	}
	return n
}
