package oss

import (
	"net/http"
	"strings"
	"time"

	"fcd/localcloud/oss/disk"
)

// conditions are those of a request's headers.
type conditions struct {
	match, noneMatch               string
	modifiedSince, unmodifiedSince time.Time // zero: not asked
}

// conditionsOf reads the headers with a prefix: "" for the object itself, "x-oss-copy-source-" for a copy's source.
// Dates that are none are ignored, as HTTP wants it.
func conditionsOf(h http.Header, prefix string) conditions {
	date := func(name string) time.Time {
		t, err := http.ParseTime(h.Get(prefix + name))
		if err != nil {
			return time.Time{}
		}
		return t
	}
	return conditions{
		match: h.Get(prefix + "If-Match"), noneMatch: h.Get(prefix + "If-None-Match"),
		modifiedSince: date("If-Modified-Since"), unmodifiedSince: date("If-Unmodified-Since"),
	}
}

func errPrecondition(name string) *Error {
	return refuse(http.StatusPreconditionFailed, "PreconditionFailed",
		"at least one of the pre-conditions you specified did not hold (condition: %s)", name)
}

// read holds the conditions of a read against the object.
func (q conditions) read(o disk.Object) error {
	modified := o.Modified.Truncate(time.Second)
	switch {
	case q.match != "" && !matches(q.match, o.ETag):
		return errPrecondition("If-Match")
	case !q.unmodifiedSince.IsZero() && modified.After(q.unmodifiedSince):
		return errPrecondition("If-Unmodified-Since")
	case q.noneMatch != "":
		if matches(q.noneMatch, o.ETag) {
			return errNotModified
		}
	case !q.modifiedSince.IsZero() && !modified.After(q.modifiedSince):
		return errNotModified
	}
	return nil
}

// write holds the conditions of a write against the object it replaces, nil if there is none.
func (q conditions) write(old *disk.Object) error {
	etag := ""
	if old != nil {
		etag = old.ETag
	}
	switch {
	case q.match != "" && (old == nil || !matches(q.match, etag)):
		return errPrecondition("If-Match")
	case q.noneMatch != "" && old != nil && matches(q.noneMatch, etag):
		return errPrecondition("If-None-Match")
	case !q.unmodifiedSince.IsZero() && old != nil && old.Modified.Truncate(time.Second).After(q.unmodifiedSince):
		return errPrecondition("If-Unmodified-Since")
	}
	return nil
}

// matches tells whether a list of entity tags, quoted or not, holds etag. "*" holds every one.
func matches(list, etag string) bool {
	for t := range strings.SplitSeq(list, ",") {
		t = strings.Trim(strings.TrimSpace(t), `"`)
		if t == "*" || strings.EqualFold(t, etag) {
			return true
		}
	}
	return false
}

// guard is the condition under which this request may replace or delete an object: its headers' and that
// x-oss-forbid-overwrite is kept.
func (c *call) guard() func(*disk.Object) error {
	q := conditionsOf(c.r.Header, "")
	forbid := strings.EqualFold(c.r.Header.Get("x-oss-forbid-overwrite"), "true")
	return func(old *disk.Object) error {
		if forbid && old != nil {
			return refuse(http.StatusConflict, "FileAlreadyExists",
				"the object you specified already exists and can not be overwritten")
		}
		return q.write(old)
	}
}
