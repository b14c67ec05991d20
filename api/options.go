package api

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/fc"
	"fcd/ram"
	"fcd/store"
	"fcd/store/packages"
)

// Options are what the API needs of the other rooms. Those without "optional" in their comment must be set.
type Options struct {
	Store    store.Store
	Catalog  Catalog
	Packages Packages
	Invoker  fc.Invoker
	Keys     Keys
	Policy   Policy
	Triggers Triggers

	// InvocationRoles is asked when a trigger is created or changed. Optional: nil checks the form of role names only,
	// and a role that may not invoke is refused when an event arrives.
	InvocationRoles InvocationRoles
	// Objects reads code packages named by ossBucketName and ossObjectName. Optional: nil refuses that form.
	Objects ObjectReader
	// Invocations answers questions about asynchronous invocations. Optional: nil refuses them.
	Invocations Invocations
	// Stopper ends them. Optional: nil refuses that.
	Stopper Stopper
	// Events takes events that callers report. Optional: nil refuses them.
	Events Events
	// History answers what became of events and delivers them again. Optional: nil refuses that.
	History History
	// Logstores tells whether a service's logConfig names something that exists. Optional: nil accepts any.
	Logstores Logstores

	// Region and AccountID are part of every resource name that policies are asked about.
	Region, AccountID string
	// Disk is what callers are told of where the daemon keeps its data, when there is no room. Default "the data directory".
	Disk string
	// ExternalURL is the base of code-download URLs, like "http://127.0.0.1:8080", asked for at each use because the
	// port may be known only after listening.
	ExternalURL func() string
	// CodeURLKey signs code-download URLs. Optional: by default a random key, so that URLs end with the process. Several
	// daemons behind one address share a key.
	CodeURLKey []byte
	// CodeURLLifetime is how long a code-download URL works. Default 10 minutes.
	CodeURLLifetime time.Duration
	// AsyncMaxAge is how long an asynchronous invocation may wait before it becomes a dead letter. Default 5 hours.
	AsyncMaxAge time.Duration
	// UploadBytes bounds the memory of all create and update bodies that are being read at one time; more wait. Default
	// 512 MiB; never less than one body.
	UploadBytes int64
	// Limits default to fc.DefaultLimits().
	Limits fc.Limits

	Log        *zap.Logger           // optional
	Registerer prometheus.Registerer // optional
	Now        func() time.Time      // optional; time.Now
}

// Catalog is the view of the records that invocations are resolved with.
type Catalog interface {
	// Target resolves a function; ServiceNotFound, FunctionNotFound, VersionNotFound or AliasNotFound.
	Target(fc.FunctionRef) (*fc.Target, error)
	TriggersBySource(arn string) []*fc.Trigger
	// HTTPTrigger finds the trigger of a function that takes HTTP requests.
	HTTPTrigger(service, function string) (*fc.Trigger, bool)
	// Trigger finds a trigger by its id.
	Trigger(id string) (*fc.Trigger, bool)
	// Wait returns when the view holds everything up to rev.
	Wait(ctx context.Context, rev store.Rev) error
}

// Packages keeps code packages by the SHA-256 of their bytes.
type Packages interface {
	// Put keeps a package that is safe to unpack; anything else is InvalidArgument. before is the sum of the one that it
	// replaces, "" if there is none.
	Put(ctx context.Context, r io.Reader, before string) (packages.Package, error)
	// Open gives the bytes of a package and their number; fs.ErrNotExist if there is no such package.
	Open(sha256 string) (io.ReadSeekCloser, int64, error)
}

// Keys finds whom an access key belongs to: InvalidAccessKeyId for an unknown key, AccessDenied for a bad token.
type Keys interface {
	Authenticate(accessKeyID, token string) (ram.Identity, error)
}

// Policy decides what a caller may do; a refusal is AccessDenied.
type Policy interface {
	Allowed(p ram.Principal, action, resource string, env ram.Env) error
}

// Triggers knows the rules of each kind of trigger.
type Triggers interface {
	// Normalize checks sourceArn, role and configuration of t and sets t.Config and what follows from it. For an update,
	// old is what is stored and raw is merged into its configuration; for a create old is nil.
	Normalize(old, t *fc.Trigger, raw json.RawMessage) error
	// Conflict refuses a trigger that may not stand beside others of its function or its source.
	Conflict(t *fc.Trigger, others []*fc.Trigger) error
	// RoleService is the service that must be trusted by the invocation role of that type of trigger, like
	// "oss.aliyuncs.com"; "" for a type that needs no role.
	RoleService(triggerType string) string
	// Upcoming tells the next n instants after now at which a trigger fires by the clock; InvalidArgument for other types.
	Upcoming(t *fc.Trigger, now time.Time, n int) (fc.Upcoming, error)
}

// InvocationRoles tells whether a role exists, trusts the service and may invoke the resource; AccessDenied if not.
type InvocationRoles interface {
	CheckInvocationRole(roleARN, service, resource string) error
}

// ObjectReader opens an object of Object Storage Service and tells its size in bytes, -1 if unknown. Its *fc.Error is
// shown to the caller.
type ObjectReader interface {
	Open(ctx context.Context, bucket, object string) (io.ReadCloser, int64, error)
}

// Invocations answers questions about asynchronous invocations; the store does.
type Invocations interface {
	store.Ledger
	Find(ctx context.Context, requestID string) (store.Invocation, error)
	Outcomes(ctx context.Context, f store.InvocationFilter, after string, limit int) ([]store.Invocation, error)
}

// Stopper ends asynchronous invocations for their callers; the dispatcher does.
type Stopper interface {
	// Stop ends a waiting one at once and has a running one cut. store.ErrNotFound if there is none.
	Stop(ctx context.Context, requestID string) error
	// Stopping tells whether a running one, by its id in the queue, has been asked to stop.
	Stopping(id int64) bool
}

// Logstores checks that a project and its logstore exist. The refusal is InvalidArgument, whose message holds "not exist"
// and either "project" or "logstore": deployment tools then wait and try again.
type Logstores interface {
	CheckLogstore(ctx context.Context, project, logstore string) error
}
