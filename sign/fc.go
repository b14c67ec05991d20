package sign

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"fcd/fc"
)

// proxyPrefix begins the paths of HTTP triggers; their signature covers the query and may stand in the query.
const proxyPrefix = "/2016-08-15/proxy/"

// Names of the query-signed form.
const (
	fcExpires   = "x-fc-expires"
	fcKeyID     = "x-fc-access-key-id"
	fcToken     = "x-fc-security-token"
	fcSignature = "x-fc-signature"
)

// FC is the signature of a Function Compute request, whose method and header must not change before Verify. It is a
// value; its methods may be called concurrently.
type FC struct {
	AccessKeyID string
	Token       string    // of temporary keys; "" if none was sent
	Date        time.Time // the signed date; zero if Presigned
	Presigned   bool      // signed in the query, as URLs of HTTP triggers are
	Expires     time.Time // of a presigned URL, else zero

	signature string
	request   *http.Request
	line      string // the date as the request tells it
	resource  string // as most clients sign it
	others    []string
}

// ParseFC reads the signature of r. Paths of HTTP triggers ("/2016-08-15/proxy/...") may also be signed in the query.
// Errors are *fc.Error: AccessDenied (nothing signed, or malformed), MissingRequiredHeader (no date) or
// RequestTimeTooSkewed (a date that is none).
func ParseFC(r *http.Request) (FC, error) {
	proxy := strings.HasPrefix(r.URL.Path, proxyPrefix)
	auth := value(r.Header, "Authorization")
	if auth == "" && proxy {
		if q := queryFields(r.URL.RawQuery); hasField(q, fcSignature) {
			return parseFCQuery(r, q)
		}
	}
	if auth == "" {
		return FC{}, fc.Errorf(fc.AccessDenied, "the request is not signed: header Authorization is missing")
	}
	rest, ok := strings.CutPrefix(auth, "FC ")
	id, sig, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 || id == "" || sig == "" {
		return FC{}, fc.Errorf(fc.AccessDenied, "header Authorization is not of the form 'FC <access key ID>:<signature>'")
	}
	line := cmp.Or(value(r.Header, "Date"), value(r.Header, "X-Fc-Date"))
	if line == "" {
		return FC{}, fc.Errorf(fc.MissingRequiredHeader, "required HTTP header Date was not specified")
	}
	date, ok := parseDate(line)
	if !ok {
		return FC{}, fc.Errorf(fc.RequestTimeTooSkewed, "the date of the request %q is not an HTTP date", line)
	}
	f := FC{AccessKeyID: id, Token: value(r.Header, "X-Fc-Security-Token"), Date: date, signature: sig, request: r, line: line}
	if proxy {
		f.resource, f.others = proxyResources(r, queryFields(r.URL.RawQuery))
	} else {
		f.resource, f.others = plainResources(r)
	}
	return f, nil
}

func parseFCQuery(r *http.Request, q []field) (FC, error) {
	id, _ := first(q, fcKeyID)
	sig, _ := first(q, fcSignature)
	expires, _ := first(q, fcExpires)
	if id == "" || sig == "" {
		return FC{}, fc.Errorf(fc.AccessDenied, "the signed URL lacks %s or %s", fcKeyID, fcSignature)
	}
	sec, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return FC{}, fc.Errorf(fc.AccessDenied, "%s %q of the signed URL is not a time in seconds", fcExpires, expires)
	}
	token, _ := first(q, fcToken)
	f := FC{
		AccessKeyID: id, Token: token, Presigned: true, Expires: time.Unix(sec, 0).UTC(),
		signature: sig, request: r, line: expires,
	}
	f.resource, f.others = proxyResources(r, q)
	return f, nil
}

func hasField(fs []field, name string) bool {
	_, ok := first(fs, name)
	return ok
}

// appendFCHead appends the string to sign without the resource. Empty x-fc-* values stay in it.
func appendFCHead(b []byte, r *http.Request, date string) []byte {
	for _, part := range [...]string{r.Method, value(r.Header, "Content-Md5"), value(r.Header, "Content-Type"), date} {
		b = append(append(b, part...), '\n')
	}
	return appendPrefixed(b, r.Header, "x-fc-")
}

// plainResources are the candidates of management and invoke paths: decoded (Java, Python), as on the wire (Go, Node) and
// with the query (the guide's form).
func plainResources(r *http.Request) (decoded string, others []string) {
	esc := r.URL.EscapedPath()
	if esc != r.URL.Path {
		others = append(others, esc)
	}
	if r.URL.RawQuery != "" {
		others = append(others, esc+"?"+r.URL.RawQuery)
	}
	return r.URL.Path, others
}

// proxyResources are the candidates of HTTP trigger paths: decoded or as on the wire, followed by the sorted query, where
// a parameter without "=" may have been signed as "key=" or as "key".
func proxyResources(r *http.Request, q []field) (one string, others []string) {
	var out []string
	for _, path := range []string{r.URL.Path, r.URL.EscapedPath()} {
		for _, bare := range []bool{false, true} {
			if s := path + "\n" + proxyQuery(q, bare); !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out[0], out[1:]
}

func proxyQuery(q []field, bare bool) string {
	parts := make([]string, 0, len(q))
	for _, f := range q {
		if f.name == fcSignature {
			continue
		}
		if f.bare && bare {
			parts = append(parts, f.name)
		} else {
			parts = append(parts, f.name+"="+f.value)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "\n")
}

// Verify tells whether the request was signed with secret.
func (f FC) Verify(secret string) bool {
	var room [512]byte
	head := appendFCHead(room[:0], f.request, f.line)
	signed := isBase64(f.signature, mac256(secret, append(head, f.resource...)))
	for i := 0; i < len(f.others) && !signed; i++ {
		signed = isBase64(f.signature, mac256(secret, append(head, f.others[i]...)))
	}
	return signed
}

// Skewed tells whether the date of the request is more than MaxSkew from now, or the signed URL has expired.
func (f FC) Skewed(now time.Time) bool {
	if f.Presigned {
		return now.After(f.Expires)
	}
	return skewed(f.Date, now)
}

// Check is Skewed as the refusal to answer: RequestTimeTooSkewed, or AccessDenied for an expired URL.
func (f FC) Check(now time.Time) error {
	switch {
	case !f.Skewed(now):
		return nil
	case f.Presigned:
		return fc.Errorf(fc.AccessDenied, "the signed URL expired at %s", f.Expires.Format(time.RFC3339))
	default:
		return fc.Errorf(fc.RequestTimeTooSkewed, "the date of the request %s is more than %v from the server's time %s",
			f.Date.Format(time.RFC3339), MaxSkew, now.UTC().Format(time.RFC3339))
	}
}

// SignFC signs r as the fc-go-sdk does: it sets Date and Authorization and, if token is not empty,
// X-Fc-Security-Token. All other x-fc-* headers, Content-Type and Content-MD5 must be set before.
func SignFC(r *http.Request, accessKeyID, secret, token string, now time.Time) {
	date := now.UTC().Format(http.TimeFormat)
	r.Header.Set("Date", date)
	if token != "" {
		r.Header.Set("X-Fc-Security-Token", token)
	}
	res := r.URL.EscapedPath()
	if strings.HasPrefix(r.URL.Path, proxyPrefix) {
		res = r.URL.Path + "\n" + proxyQuery(queryFields(r.URL.RawQuery), false)
	}
	sum := mac256(secret, append(appendFCHead(nil, r, date), res...))
	r.Header.Set("Authorization", "FC "+accessKeyID+":"+base64.StdEncoding.EncodeToString(sum[:]))
}
