package fc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Latest is the qualifier that names a service's unpublished, current state.
const Latest = "LATEST"

// FunctionRef names a function: service, qualifier ("" means LATEST) and function.
type FunctionRef struct{ Service, Qualifier, Function string }

// String is "service/qualifier/function" with an empty qualifier kept empty, for example "demo//resize".
// ParseFunctionRef reads it back. Names hold no slash.
func (r FunctionRef) String() string { return r.Service + "/" + r.Qualifier + "/" + r.Function }

// ParseFunctionRef reads what FunctionRef.String wrote.
func ParseFunctionRef(s string) (FunctionRef, error) {
	p := strings.Split(s, "/")
	if len(p) != 3 || p[0] == "" || p[2] == "" {
		return FunctionRef{}, fmt.Errorf("function reference %q is not service/qualifier/function", s)
	}
	return FunctionRef{Service: p[0], Qualifier: p[1], Function: p[2]}, nil
}

// Target is a function together with its service, resolved through a qualifier: everything an invocation needs.
// It is immutable and shared. Generation differs whenever anything in it differs, so instances are keyed by it.
type Target struct {
	Ref        FunctionRef // as asked for
	VersionID  string      // "LATEST" or a published version id
	Service    *Service
	Function   *Function
	Generation string
}

// Call is one invocation to make.
type Call struct {
	RequestID string
	Ref       FunctionRef
	Payload   []byte // the event; the callee does not change it and may keep it until the call returns
	Tail      bool   // collect Result.LogTail
	// RetryCount is 0 for the first attempt of an asynchronous invocation and for every synchronous one.
	RetryCount int
	HTTP       *HTTPRequest // of an HTTP trigger; nil for an event
	// Stop, if not nil, ends the invocation at once when it is closed, and the call returns as one that was cut. Its
	// instance is killed; one that serves others as well is let be, and what the function goes on to do is for nobody.
	Stop <-chan struct{}
}

// Error types of an invocation, sent as X-Fc-Error-Type.
const (
	HandledInvocationError   = "HandledInvocationError"
	UnhandledInvocationError = "UnhandledInvocationError"
)

// Result is what a function gave back, a function error included. A nil error with ErrorType set means the invocation
// took place and the function failed; a non-nil error from Invoke means it did not take place.
type Result struct {
	RequestID    string
	Body         []byte
	ErrorType    string // "" on success, else HandledInvocationError or UnhandledInvocationError
	ErrorClass   string // FunctionTimeoutError, FunctionOOMError, ImportModuleError, ...: for metrics and logs
	LogTail      []byte // last 4 KiB of the request's log when Call.Tail was set
	Duration     time.Duration
	MaxMemoryMB  float64
	CodeChecksum string
	VersionID    string
	InstanceID   string
	Cold         bool          // the instance was started or claimed for this call
	HTTP         *HTTPResponse // of a call with Call.HTTP that succeeded
}

// Credentials are temporary keys handed to a function. The zero value means the service has no role.
type Credentials struct {
	AccessKeyID, AccessKeySecret, SecurityToken string
	Expiration                                  time.Time
}

// LogRecord is one line of a function's log on its way to a logstore.
type LogRecord struct {
	Time       time.Time
	Project    string // of the service's LogConfig; a record with an empty Project or Logstore is not shipped
	Logstore   string
	Service    string
	Function   string
	Qualifier  string // as invoked; "" when none
	VersionID  string
	InstanceID string
	RequestID  string
	Message    string // without the line's newline
	Late       bool   // printed after the request had ended
}

// Invoker makes synchronous invocations. Errors are *Error with InvalidArgument, ...NotFound, EntityTooLarge,
// ResourceExhausted (429), ResourceThrottled (503) or InternalServerError.
type Invoker interface {
	Invoke(ctx context.Context, call Call) (Result, error)
}

// Outcome is how an invocation ended, as records tell it.
type Outcome struct {
	Status    int    // HTTP status that a synchronous caller gets: 200 for a function that failed, too
	ErrorType string // Result.ErrorType, or the code of the error; "" on success
	Cause     string // class and message of the error, at most 1024 bytes
}

const maxCause = 1024

// OutcomeOf judges what Invoke gave back. Of an error that is not an *Error only its kind is told.
func OutcomeOf(res Result, err error) Outcome {
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		return Outcome{Status: refusal.Status(), ErrorType: string(refusal.Code), Cause: refusal.Message[:min(len(refusal.Message), maxCause)]}
	case err != nil:
		return Outcome{Status: http.StatusInternalServerError, ErrorType: string(InternalServerError)}
	case res.ErrorType == "":
		return Outcome{Status: http.StatusOK}
	}
	var body struct {
		ErrorMessage string `json:"errorMessage"`
	}
	cause := res.ErrorClass
	if err := json.Unmarshal(res.Body, &body); err == nil && body.ErrorMessage != "" {
		cause += ": " + body.ErrorMessage
	}
	return Outcome{Status: http.StatusOK, ErrorType: res.ErrorType, Cause: cause[:min(len(cause), maxCause)]}
}
