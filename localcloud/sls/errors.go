package sls

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"fcd/sign"
)

// apiError is a refusal in the words of Log Service.
type apiError struct {
	status        int
	code, message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func refuse(status int, code, format string, args ...any) error {
	return &apiError{status, code, fmt.Sprintf(format, args...)}
}

func badRequest(code, format string, args ...any) error {
	return refuse(http.StatusBadRequest, code, format, args...)
}

func notFound(code, format string, args ...any) error {
	return refuse(http.StatusNotFound, code, format, args...)
}

// asAPIError finds the refusal in err; ok is false for an error of our own.
func asAPIError(err error) (*apiError, bool) {
	var api *apiError
	if errors.As(err, &api) {
		return api, true
	}
	var sig *sign.SLSError
	if errors.As(err, &sig) {
		return &apiError{sig.Status, sig.Code, sig.Message}, true
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &apiError{http.StatusServiceUnavailable, "ServerBusy", "the disk of the embedded Log Service is full: free some room there and retry"}, false
	}
	return &apiError{http.StatusInternalServerError, "InternalServerError", "an internal error has occurred, please retry"}, false
}
