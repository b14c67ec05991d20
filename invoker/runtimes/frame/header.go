package frame

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"fcd/fc"
)

// Version of the protocol, in Hello and Ready.
const Version = 1

// Log styles of Hello.LogStyle: how the level stands in a line that the bootstrap prefixes.
const (
	LogPlain   = "plain"   // 2016-08-18T05:38:41.401Z 1234567890 verbose hello world
	LogBracket = "bracket" // 2016-08-18T05:38:41.401Z 1234567890 [verbose] hello world
)

// Values of Errors.Uncaught.
const (
	UncaughtDetail = "detail" // an uncaught Node error is answered with its message, type and stack
	UncaughtExited = "exited" // the process ends without an answer, as on the first Node 6 services
)

// Hello binds an instance to one function (TypeHello). It is sent once and has no answer, so it is written together
// with the first request.
type Hello struct {
	V              int               `json:"v"`       // Version
	Runtime        string            `json:"runtime"` // as the function names it, alias resolved: nodejs8
	Token          string            `json:"token"`   // Token.Hex
	CodeDir        string            `json:"codeDir"` // absolute, inside the sandbox: /code
	Handler        string            `json:"handler"`
	Initializer    string            `json:"initializer,omitempty"`
	PreStop        string            `json:"preStop,omitempty"`
	PreFreeze      string            `json:"preFreeze,omitempty"`
	Env            map[string]string `json:"env"` // set in the process before the function's code is loaded
	Function       Function          `json:"function"`
	Service        Service           `json:"service"`
	Region         string            `json:"region"`
	AccountID      string            `json:"accountId"`
	InstanceID     string            `json:"instanceId"`
	Credentials    Credentials       `json:"credentials"`
	LogStyle       string            `json:"logStyle"` // LogPlain, also for "", or LogBracket
	Errors         Errors            `json:"errors"`
	Concurrency    int               `json:"concurrency,omitempty"`    // requests that may be in flight at a time; 0 and 1: one
	IgnorePromises bool              `json:"ignorePromises,omitempty"` // Node: a promise that the handler returns does not settle the request
}

// Function is what a function's context tells of itself.
type Function struct {
	Name                  string `json:"name"`
	Handler               string `json:"handler"`
	MemoryMB              int    `json:"memory"`
	TimeoutSeconds        int    `json:"timeout"`
	Initializer           string `json:"initializer"`
	InitializationTimeout int    `json:"initializationTimeout"` // seconds
}

// Service is what a function's context tells of its service.
type Service struct {
	Name       string `json:"name"`
	LogProject string `json:"logProject"`
	LogStore   string `json:"logStore"`
	Qualifier  string `json:"qualifier"`
	VersionID  string `json:"versionId"`
}

// Credentials are the keys of the service's role; all empty when it has none.
type Credentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	AccessKeySecret string `json:"accessKeySecret"`
	SecurityToken   string `json:"securityToken"`
}

// Errors says how errors are answered.
type Errors struct {
	Uncaught string `json:"uncaught,omitempty"` // UncaughtDetail, also for "", or UncaughtExited
}

// Request is the header of TypeInit, TypeInvoke, TypePreStop and TypePreFreeze. The frame's body is the event.
type Request struct {
	ID          string          `json:"id"`         // the request id; ValidID
	DeadlineMS  int64           `json:"deadlineMs"` // when the request ends, Unix milliseconds; for the function's eyes, the daemon enforces it
	Credentials *Credentials    `json:"credentials,omitempty"`
	RetryCount  int             `json:"retryCount,omitempty"`
	Tracing     *Tracing        `json:"tracing,omitempty"`
	HTTP        *fc.HTTPRequest `json:"http,omitempty"` // of an HTTP trigger; the frame's body is the request's
}

// plain tells whether a request has only fields that need no JSON encoder, as nearly all have.
func (r *Request) plain() bool {
	return r.Credentials == nil && r.Tracing == nil && r.HTTP == nil && ValidID(r.ID) && !strings.ContainsAny(r.ID, `"\<>&`)
}

// appendPlain appends the JSON of a plain request.
func (r *Request) appendPlain(dst []byte) []byte {
	dst = append(append(dst, `{"id":"`...), r.ID...)
	dst = strconv.AppendInt(append(dst, `","deadlineMs":`...), r.DeadlineMS, 10)
	if r.RetryCount != 0 {
		dst = strconv.AppendInt(append(dst, `,"retryCount":`...), int64(r.RetryCount), 10)
	}
	return append(dst, '}')
}

// Tracing is the span that an invocation belongs to.
type Tracing struct {
	SpanContext    string            `json:"openTracingSpanContext"`
	SpanBaggages   map[string]string `json:"openTracingSpanBaggages"`
	JaegerEndpoint string            `json:"jaegerEndpoint"`
}

// Ready is the bootstrap's first word (TypeReady): it waits for a Hello.
type Ready struct {
	V       int    `json:"v"`
	PID     int    `json:"pid"`     // as it sees itself: 1 inside a pid namespace
	Version string `json:"version"` // of the interpreter: 20.20.2
}

// Answer ends a request.
type Answer struct {
	Type    Type                `json:"-"` // TypeResult, TypeHandled or TypeUnhandled
	ID      string              `json:"id"`
	Class   string              `json:"class,omitempty"`   // of an unhandled error: ImportModuleError, HandlerNotFound, ...
	Exit    bool                `json:"exit,omitempty"`    // the process ends after this frame
	Status  int                 `json:"status,omitempty"`  // of an HTTP trigger
	Headers map[string][]string `json:"headers,omitempty"` // of an HTTP trigger
	Body    []byte              `json:"-"`                 // the result, or the error as JSON
	Dropped int                 `json:"-"`                 // see Frame
	// Streamed says that the result has gone to the caller already. Never on the wire.
	Streamed bool `json:"-"`
}

// Error classes of Answer.Class, for metrics and logs.
const (
	ClassHandled       = "FunctionHandledError"
	ClassUnhandled     = "FunctionUnhandledError"
	ClassTimeout       = "FunctionTimeoutError"
	ClassOOM           = "FunctionOOMError"
	ClassImport        = "ImportModuleError"
	ClassNoHandler     = "HandlerNotFound"
	ClassSyntax        = "UserCodeSyntaxError"
	MaxErrorLogChars   = 262144                             // longest error JSON in a function's log, characters
	ErrorTruncatedMark = "... Truncated by FunctionCompute" // stands after the cut
)

// ReadReady reads the header of a TypeReady frame.
func ReadReady(f Frame) (Ready, error) {
	var r Ready
	if f.Type != TypeReady {
		return r, fmt.Errorf("%w: type %d in place of READY", ErrMalformed, f.Type)
	}
	if err := json.Unmarshal(f.Header, &r); err != nil {
		return r, fmt.Errorf("%w: READY: %w", ErrMalformed, err)
	}
	if r.V != Version {
		return r, fmt.Errorf("%w: READY of version %d, expected %d", ErrMalformed, r.V, Version)
	}
	return r, nil
}

// ReadAnswer reads a TypeResult, TypeHandled or TypeUnhandled frame. The caller compares the id with the request in
// flight; another id is the end of the instance.
func ReadAnswer(f Frame) (Answer, error) {
	if f.Type < TypeResult || f.Type > TypeUnhandled {
		return Answer{}, fmt.Errorf("%w: type %d in place of an answer", ErrMalformed, f.Type)
	}
	var a Answer
	if err := json.Unmarshal(f.Header, &a); err != nil {
		return Answer{}, fmt.Errorf("%w: answer: %w", ErrMalformed, err)
	}
	a.Type, a.Body, a.Dropped = f.Type, f.Body, f.Dropped
	if a.Class == "" && a.Type != TypeResult {
		a.Class = map[Type]string{TypeHandled: ClassHandled, TypeUnhandled: ClassUnhandled}[a.Type]
	}
	return a, nil
}
