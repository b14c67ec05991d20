package sign

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxPresign is the longest life of a URL signed with version 4.
const maxPresign = 7 * 24 * time.Hour

// ErrNoSignature means that a request carries no signature of any version: the caller is anonymous.
var ErrNoSignature = errors.New("the request is not signed")

// OSSError is a refusal in the words of Object Storage; Status is its HTTP status.
type OSSError struct {
	Code, Message string
	Status        int
}

func (e *OSSError) Error() string { return e.Code + ": " + e.Message }

func ossInvalid(format string, args ...any) error {
	return &OSSError{"InvalidArgument", fmt.Sprintf(format, args...), http.StatusBadRequest}
}

func ossDenied(format string, args ...any) error {
	return &OSSError{"AccessDenied", fmt.Sprintf(format, args...), http.StatusForbidden}
}

// OSS is the signature of an Object Storage request. It is a value; its methods may be called concurrently.
type OSS struct {
	AccessKeyID string
	Token       string // of temporary keys; "" if none was sent
	Version     string // "V1", "V2" or "V4"
	Presigned   bool   // signed in the query

	date    time.Time // the signed date; of a presigned URL: when it begins to hold, zero if unsaid
	expires time.Time // of a presigned URL
	check   func(secret string) bool
}

// ParseOSS reads the signature of r, a request for key in bucket (both decoded; "" where the request names none).
// It returns ErrNoSignature if there is none, else an *OSSError if it is malformed.
func ParseOSS(r *http.Request, bucket, key string) (OSS, error) {
	q := queryFields(r.URL.RawQuery)
	auth := r.Header.Get("Authorization")
	scheme, rest, _ := strings.Cut(auth, " ")
	switch {
	case scheme == "OSS":
		return parseOSSv1(r, q, bucket, key, rest)
	case scheme == "OSS2":
		return parseOSSv2(r, q, bucket, key, rest)
	case scheme == ossV4Algorithm:
		return parseOSSv4(r, q, bucket, key, rest)
	case auth != "":
		return OSS{}, ossInvalid("authorization scheme %q is not one of OSS, OSS2, %s", scheme, ossV4Algorithm)
	}
	version, _ := first(q, "x-oss-signature-version")
	switch {
	case version == "OSS2":
		return parseOSSv2Query(r, q, bucket, key)
	case version == ossV4Algorithm:
		return parseOSSv4Query(r, q, bucket, key)
	case version != "":
		return OSS{}, ossInvalid("x-oss-signature-version %q is not one of OSS2, %s", version, ossV4Algorithm)
	case hasField(q, "Signature") || hasField(q, "OSSAccessKeyId"):
		return parseOSSv1Query(r, q, bucket, key)
	}
	return OSS{}, ErrNoSignature
}

// Verify tells whether the request was signed with secret.
func (o OSS) Verify(secret string) bool { return o.check != nil && o.check(secret) }

// Expired is nil while the request may be served, else an *OSSError: RequestTimeTooSkewed if its date is more than
// MaxSkew from now, AccessDenied if it is a signed URL past its time.
func (o OSS) Expired(now time.Time) error {
	if !o.Presigned {
		if skewed(o.date, now) {
			return &OSSError{"RequestTimeTooSkewed",
				"the difference between the request time and the server's time is too large", http.StatusForbidden}
		}
		return nil
	}
	if now.After(o.expires) {
		return ossDenied("request has expired at %s", o.expires.Format(time.RFC3339))
	}
	if !o.date.IsZero() && o.date.Sub(now) > MaxSkew {
		return ossDenied("request does not hold before %s", o.date.Format(time.RFC3339))
	}
	return nil
}

// ossDates are the texts that may stand in the Date line of versions 1 and 2 and the date that bounds the skew. Some
// clients sign x-oss-date in that line and send no Date, or one that they do not sign; x-oss-date is always signed as an
// x-oss- header, so it decides where it stands.
func ossDates(r *http.Request) (texts []string, date time.Time, err error) {
	own, alt := r.Header.Get("Date"), r.Header.Get("X-Oss-Date")
	text := own
	if alt != "" {
		text = alt
	}
	if text == "" {
		return nil, date, ossDenied("the request has neither a Date nor an x-oss-date header")
	}
	date, ok := parseDate(text)
	if !ok {
		return nil, date, ossDenied("the date of the request %q is not an HTTP date", text)
	}
	if alt != "" && own != "" {
		return []string{own, alt}, date, nil
	}
	if own == "" {
		return []string{alt, ""}, date, nil
	}
	return []string{own}, date, nil
}

func unixSeconds(name, s string) (time.Time, error) {
	sec, err := strconv.ParseInt(s, 10, 64)
	if err != nil || sec < 0 {
		return time.Time{}, ossDenied("%s %q is not a time in seconds", name, s)
	}
	return time.Unix(sec, 0).UTC(), nil
}

func ossResource(bucket, key string) string {
	if bucket == "" {
		return "/" + key
	}
	return "/" + bucket + "/" + key
}
