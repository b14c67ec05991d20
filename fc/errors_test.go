package fc_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"fcd/fc"
)

// TestStatuses holds the statuses that clients rely on.
func TestStatuses(t *testing.T) {
	for code, want := range map[fc.Code]int{
		fc.InvalidArgument: 400, fc.MissingRequiredHeader: 400, fc.PathNotSupported: 400, fc.EntityTooLarge: 400,
		fc.AccessDenied: 403, fc.InvalidAccessKeyID: 403, fc.SignatureNotMatch: 403, fc.RequestTimeTooSkewed: 403,
		fc.ServiceNotFound: 404, fc.FunctionNotFound: 404, fc.TriggerNotFound: 404, fc.VersionNotFound: 404, fc.AliasNotFound: 404,
		fc.ServiceAlreadyExists: 409, fc.FunctionAlreadyExists: 409, fc.TriggerAlreadyExists: 409,
		fc.ServiceNotEmpty: 409, fc.FunctionNotEmpty: 409, fc.ConcurrentUpdateError: 409,
		fc.PreconditionFailed: 412, fc.ResourceExhausted: 429, fc.InternalServerError: 500, fc.ResourceThrottled: 503,
		"Unheard": 500,
	} {
		if got := fc.Errorf(code, "x").Status(); got != want {
			t.Errorf("%s has status %d, want %d", code, got, want)
		}
	}
}

func TestCodeOf(t *testing.T) {
	refusal := fc.Errorf(fc.ServiceNotFound, "service '%s' does not exist", "a")
	for want, err := range map[fc.Code]error{
		"":                     nil,
		fc.ServiceNotFound:     fmt.Errorf("read: %w", refusal),
		fc.InternalServerError: io.EOF,
	} {
		if got := fc.CodeOf(err); got != want {
			t.Errorf("%v has code %q, want %q", err, got, want)
		}
	}
}

func TestInternalHidesItsCauseFromTheMessageOnly(t *testing.T) {
	err := fc.Internal("store.Get", io.ErrUnexpectedEOF)
	if err.Message != "an internal error has occurred. Please retry." || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %+v", err)
	}
	want := "store.Get: InternalServerError: an internal error has occurred. Please retry.: unexpected EOF"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err.Error(), want)
	}
}

func TestETagsDifferByKeyAndRevision(t *testing.T) {
	seen := map[string]bool{}
	for _, key := range []string{"svc/a", "svc/a1", "svc/b"} {
		for _, rev := range []int64{1, 2, 11} {
			tag := fc.ETag(key, rev)
			if len(tag) != 32 || seen[tag] || tag != fc.ETag(key, rev) {
				t.Errorf("%s at %d has the tag %q", key, rev, tag)
			}
			seen[tag] = true
		}
	}
}

func TestFormatTime(t *testing.T) {
	at := time.Date(2017, 4, 21, 20, 46, 37, 5e6, time.FixedZone("", 8*3600))
	if got := fc.FormatTime(at); got != "2017-04-21T12:46:37.005+0000" {
		t.Errorf("got %s", got)
	}
}
