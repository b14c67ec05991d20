package fc

import (
	"errors"
	"fmt"
	"net/http"
)

// Code names a kind of refusal as the guide spells it.
type Code string

// The error codes of the API. Their HTTP statuses stand in statusOf.
const (
	InvalidArgument       Code = "InvalidArgument"
	MissingRequiredHeader Code = "MissingRequiredHeader"
	PathNotSupported      Code = "PathNotSupported"
	EntityTooLarge        Code = "EntityTooLarge"
	AccessDenied          Code = "AccessDenied"
	InvalidAccessKeyID    Code = "InvalidAccessKeyId"
	SignatureNotMatch     Code = "SignatureNotMatch"
	RequestTimeTooSkewed  Code = "RequestTimeTooSkewed"
	ServiceNotFound       Code = "ServiceNotFound"
	FunctionNotFound      Code = "FunctionNotFound"
	TriggerNotFound       Code = "TriggerNotFound"
	EventNotFound         Code = "EventNotFound"
	VersionNotFound       Code = "VersionNotFound"
	AliasNotFound         Code = "AliasNotFound"
	AsyncConfigNotExists  Code = "AsyncConfigNotExists"
	InvocationNotFound    Code = "StatefulAsyncInvocationNotFound"
	DeadLetterNotFound    Code = "DeadLetterNotFound"
	ServiceAlreadyExists  Code = "ServiceAlreadyExists"
	FunctionAlreadyExists Code = "FunctionAlreadyExists"
	TriggerAlreadyExists  Code = "TriggerAlreadyExists"
	ServiceNotEmpty       Code = "ServiceNotEmpty"
	FunctionNotEmpty      Code = "FunctionNotEmpty"
	ConcurrentUpdateError Code = "ConcurrentUpdateError"
	PreconditionFailed    Code = "PreconditionFailed"
	ResourceExhausted     Code = "ResourceExhausted"
	MethodNotAllowed      Code = "MethodNotAllowed" // of an HTTP trigger; not in the guide
	InternalServerError   Code = "InternalServerError"
	ResourceThrottled     Code = "ResourceThrottled"
)

var statusOf = map[Code]int{
	InvalidArgument:       http.StatusBadRequest,
	MissingRequiredHeader: http.StatusBadRequest,
	PathNotSupported:      http.StatusBadRequest,
	EntityTooLarge:        http.StatusBadRequest,
	AccessDenied:          http.StatusForbidden,
	InvalidAccessKeyID:    http.StatusForbidden,
	SignatureNotMatch:     http.StatusForbidden,
	RequestTimeTooSkewed:  http.StatusForbidden,
	ServiceNotFound:       http.StatusNotFound,
	FunctionNotFound:      http.StatusNotFound,
	TriggerNotFound:       http.StatusNotFound,
	EventNotFound:         http.StatusNotFound,
	VersionNotFound:       http.StatusNotFound,
	AliasNotFound:         http.StatusNotFound,
	AsyncConfigNotExists:  http.StatusNotFound,
	InvocationNotFound:    http.StatusNotFound,
	DeadLetterNotFound:    http.StatusNotFound,
	ServiceAlreadyExists:  http.StatusConflict,
	FunctionAlreadyExists: http.StatusConflict,
	TriggerAlreadyExists:  http.StatusConflict,
	ServiceNotEmpty:       http.StatusConflict,
	FunctionNotEmpty:      http.StatusConflict,
	ConcurrentUpdateError: http.StatusConflict,
	PreconditionFailed:    http.StatusPreconditionFailed,
	ResourceExhausted:     http.StatusTooManyRequests,
	MethodNotAllowed:      http.StatusMethodNotAllowed,
	InternalServerError:   http.StatusInternalServerError,
	ResourceThrottled:     http.StatusServiceUnavailable,
}

// Error is a refusal with a code of the API. Message is shown to the caller as it stands, so it holds no secret; Op and
// Err are for the operator's log only.
type Error struct {
	Code    Code
	Message string
	Op      string // where it arose, like "store/packages.Put"; "" if Message says enough
	Err     error  // the cause; nil if there is none
	// HTTPStatus replaces the status of the code where an operator may choose it. 0: the table's.
	HTTPStatus int
}

// Errorf makes an Error with a formatted message. A %w verb is not looked at: set Err for a cause.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Internal wraps a cause that the caller must not see; the API answers its table text and the request id.
func Internal(op string, err error) *Error {
	return &Error{Code: InternalServerError, Message: "an internal error has occurred. Please retry.", Op: op, Err: err}
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Status is the HTTP status of the code; 500 for a code outside the table.
func (e *Error) Status() int {
	if e.HTTPStatus != 0 {
		return e.HTTPStatus
	}
	if s, ok := statusOf[e.Code]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// CodeOf is the code of the first *Error in err's chain, "" for nil and InternalServerError for any other error.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return InternalServerError
}
