package oss

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"

	"fcd/fc"
	"fcd/localcloud/oss/disk"
	"fcd/sign"
)

// Error is a refusal in the service's words.
type Error struct {
	Status  int
	Code    string
	Message string
	Header  map[string]string // further response headers
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refuse(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func badRequest(code, format string, args ...any) *Error {
	return refuse(http.StatusBadRequest, code, format, args...)
}

func invalidArgument(format string, args ...any) *Error {
	return badRequest("InvalidArgument", format, args...)
}

func notImplemented(what string) *Error {
	return refuse(http.StatusNotImplemented, "NotImplemented", "%s is not implemented by the embedded object storage", what)
}

// errNotModified answers a read whose condition says that the client has the object already.
var errNotModified = &Error{Status: http.StatusNotModified, Code: "NotModified", Message: "the object has not been modified"}

// statusClientGone is recorded for a request whose client went away; nobody reads the answer.
const statusClientGone = 499

// asError turns any error of a request into what the client is told. The cause of an internal error is not.
func asError(err error) *Error {
	var own *Error
	var signed *sign.OSSError
	var domain *fc.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &signed):
		return refuse(signed.Status, signed.Code, "%s", signed.Message)
	case errors.As(err, &domain):
		return refuse(http.StatusForbidden, string(domain.Code), "%s", domain.Message)
	}
	if e := storageError(err); e != nil {
		return e
	}
	if errors.Is(err, context.Canceled) {
		return refuse(statusClientGone, "RequestCanceled", "the client went away before the request was complete")
	}
	if body := (bodyError{}); errors.As(err, &body) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badRequest("IncompleteBody", "the request body could not be read to its end: %v", err)
	}
	return refuse(http.StatusInternalServerError, "InternalError", "please contact the server administrator")
}

// storageError is what package disk refuses, in the service's words; nil if it is something else.
func storageError(err error) *Error {
	var position *disk.PositionError
	var part *disk.PartError
	switch {
	case errors.As(err, &position):
		return positionError(position)
	case errors.As(err, &part):
		return partError(part)
	case errors.Is(err, disk.ErrNoBucket):
		return refuse(http.StatusNotFound, "NoSuchBucket", "the specified bucket does not exist")
	case errors.Is(err, disk.ErrNoObject):
		return refuse(http.StatusNotFound, "NoSuchKey", "the specified key does not exist")
	case errors.Is(err, disk.ErrNoUpload):
		return refuse(http.StatusNotFound, "NoSuchUpload", "the specified upload does not exist; it may be completed or aborted")
	case errors.Is(err, disk.ErrBucketNotEmpty):
		return refuse(http.StatusConflict, "BucketNotEmpty", "the bucket you tried to delete is not empty")
	case errors.Is(err, disk.ErrTooLarge):
		return badRequest("EntityTooLarge", "your proposed upload exceeds the maximum allowed size of %d bytes", int64(disk.MaxObject))
	case errors.Is(err, disk.ErrFull):
		return refuse(http.StatusInsufficientStorage, "InsufficientStorage", "the embedded object storage is full")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return refuse(http.StatusInsufficientStorage, "InsufficientStorage", "the disk of the embedded object storage is full: free some room there and retry")
	case errors.Is(err, disk.ErrBroken), errors.Is(err, disk.ErrClosed):
		return refuse(http.StatusServiceUnavailable, "ServiceUnavailable", "please reduce your request rate or try again later")
	}
	return nil
}

func positionError(e *disk.PositionError) *Error {
	code := "PositionNotEqualToLength"
	if e.NotAppendable {
		code = "ObjectNotAppendable"
	}
	answer := refuse(http.StatusConflict, code, "%s", e)
	answer.Header = map[string]string{"x-oss-next-append-position": fmt.Sprint(e.Next)}
	return answer
}

func partError(e *disk.PartError) *Error {
	switch e.Kind {
	case disk.PartOutOfOrder:
		return badRequest("InvalidPartOrder", "the list of parts is not in ascending order at part %d", e.Number)
	case disk.PartTooSmall:
		return badRequest("EntityTooSmall", "part %d is smaller than the minimum of %d bytes", e.Number, disk.MinPart)
	}
	return badRequest("InvalidPart", "part %d could not be found or its entity tag does not match", e.Number)
}
