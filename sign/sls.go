package sign

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// SLSError is a refusal in the words of Log Service; Status is its HTTP status.
type SLSError struct {
	Code, Message string
	Status        int
}

func (e *SLSError) Error() string { return e.Code + ": " + e.Message }

func slsError(status int, code, format string, args ...any) error {
	return &SLSError{Code: code, Message: fmt.Sprintf(format, args...), Status: status}
}

// SLS is the signature of a Log Service request. It is a value; its methods may be called concurrently.
type SLS struct {
	AccessKeyID string
	Token       string    // of temporary keys; "" if none was sent
	Version     string    // "V1" or "V4"
	Date        time.Time // the signed date

	check func(secret string) bool
}

// ParseSLS reads the signature of r, whose whole body is given as it came (compressed if it was). The body must be the
// one that the client's checksum names. Errors are *SLSError: Unauthorized, MissingDate, InvalidDateFormat, InvalidContentMD5
// or SignatureNotMatch for a body that is not the signed one.
func ParseSLS(r *http.Request, body []byte) (SLS, error) {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch scheme {
	case "LOG", "SLS":
		return parseSLSv1(r, body, rest)
	case slsV4Algorithm:
		return parseSLSv4(r, body, rest)
	case "":
		return SLS{}, slsError(http.StatusUnauthorized, "Unauthorized", "the request is not signed: header Authorization is missing")
	}
	return SLS{}, slsError(http.StatusUnauthorized, "Unauthorized", "authorization scheme %q is not one of LOG, SLS, %s", scheme, slsV4Algorithm)
}

// Verify tells whether the request was signed with secret.
func (s SLS) Verify(secret string) bool { return s.check != nil && s.check(secret) }

// Skewed tells whether the date of the request is more than MaxSkew from now.
func (s SLS) Skewed(now time.Time) bool { return skewed(s.Date, now) }

func parseSLSv1(r *http.Request, body []byte, rest string) (SLS, error) {
	id, sig, ok := strings.Cut(rest, ":")
	if !ok || id == "" || sig == "" {
		return SLS{}, slsError(http.StatusUnauthorized, "Unauthorized", "authorization header is not of the form 'LOG <access key ID>:<signature>'")
	}
	dates, date, err := slsDates(r)
	if err != nil {
		return SLS{}, err
	}
	if want := r.Header.Get("Content-Md5"); want != "" {
		if sum := md5.Sum(body); !strings.EqualFold(want, hex.EncodeToString(sum[:])) {
			return SLS{}, slsError(http.StatusBadRequest, "InvalidContentMD5", "content-md5 %q is not that of the body", want)
		}
	}
	texts := make([]string, len(dates))
	for i, d := range dates {
		texts[i] = slsV1Text(r, d)
	}
	return SLS{
		AccessKeyID: id, Token: r.Header.Get("X-Acs-Security-Token"), Version: "V1", Date: date,
		check: func(secret string) bool { return macMatches(sha1.New, secret, sig, texts) },
	}, nil
}

// slsDates are the texts that may stand in the Date line. x-log-date is signed as an x-log- header, so it bounds the skew
// where it stands.
func slsDates(r *http.Request) ([]string, time.Time, error) {
	own, alt := r.Header.Get("Date"), r.Header.Get("X-Log-Date")
	texts := slices.DeleteFunc([]string{own, alt}, func(s string) bool { return s == "" })
	if len(texts) == 0 {
		return nil, time.Time{}, slsError(http.StatusBadRequest, "MissingDate", "the request has neither a Date nor an x-log-date header")
	}
	text := texts[len(texts)-1]
	date, ok := parseDate(text)
	if !ok {
		return nil, date, slsError(http.StatusBadRequest, "InvalidDateFormat", "the date of the request %q is not an HTTP date", text)
	}
	return texts, date, nil
}

func slsV1Text(r *http.Request, date string) string {
	hs := headers(r.Header, slsPrefixed)
	canon := strings.TrimSuffix(lines(hs), "\n")
	q := queryFields(r.URL.RawQuery)
	slices.SortStableFunc(q, byName)
	res := r.URL.EscapedPath()
	for i, f := range q {
		res += "?&"[min(i, 1):min(i, 1)+1] + f.name + "=" + f.value
	}
	return r.Method + "\n" + r.Header.Get("Content-Md5") + "\n" + r.Header.Get("Content-Type") + "\n" + date + "\n" + canon + "\n" + res
}

func slsPrefixed(lower string) bool {
	return strings.HasPrefix(lower, "x-log-") || strings.HasPrefix(lower, "x-acs-")
}
