package sign

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const ossV4Algorithm = "OSS4-HMAC-SHA256"

func parseOSSv4(r *http.Request, q []field, bucket, key, rest string) (OSS, error) {
	f := authFields(rest, "=")
	id, scope, ok := parseCredential(f["Credential"], "oss")
	if !ok || f["Signature"] == "" {
		return OSS{}, ossInvalid("credential %q of the authorization header is not <access key ID>/<yyyymmdd>/<region>/oss/aliyun_v4_request, or the signature is missing", f["Credential"])
	}
	text := r.Header.Get("X-Oss-Date")
	if text == "" {
		text = r.Header.Get("Date")
	}
	date, err := ossV4Date(text, scope)
	if err != nil {
		return OSS{}, err
	}
	v := v4{
		algorithm: ossV4Algorithm, scope: scope, date: text, signature: f["Signature"],
		canonical: []string{ossV4Canonical(r, q, bucket, key, f["AdditionalHeaders"])},
	}
	return OSS{AccessKeyID: id, Token: r.Header.Get("X-Oss-Security-Token"), Version: "V4", date: date, check: v.verify}, nil
}

func parseOSSv4Query(r *http.Request, q []field, bucket, key string) (OSS, error) {
	credential, _ := first(q, "x-oss-credential")
	sig, _ := first(q, "x-oss-signature")
	id, scope, ok := parseCredential(credential, "oss")
	if !ok || sig == "" {
		return OSS{}, ossInvalid("x-oss-credential %q is not <access key ID>/<yyyymmdd>/<region>/oss/aliyun_v4_request, or x-oss-signature is missing", credential)
	}
	text, _ := first(q, "x-oss-date")
	date, err := ossV4Date(text, scope)
	if err != nil {
		return OSS{}, err
	}
	expires, _ := first(q, "x-oss-expires")
	sec, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || sec < 1 || sec > int64(maxPresign/time.Second) {
		return OSS{}, ossInvalid("x-oss-expires %q is not a number of seconds from 1 to %d", expires, int64(maxPresign/time.Second))
	}
	token, _ := first(q, "x-oss-security-token")
	extra, _ := first(q, "x-oss-additional-headers")
	v := v4{
		algorithm: ossV4Algorithm, scope: scope, date: text, signature: sig,
		canonical: []string{ossV4Canonical(r, q, bucket, key, extra)},
	}
	return OSS{
		AccessKeyID: id, Token: token, Version: "V4", Presigned: true,
		date: date, expires: date.Add(time.Duration(sec) * time.Second), check: v.verify,
	}, nil
}

// ossV4Date reads the signed date and checks that the key's day is that day.
func ossV4Date(text string, scope v4Scope) (time.Time, error) {
	if text == "" {
		return time.Time{}, ossDenied("the request has neither an x-oss-date nor a Date")
	}
	date, ok := parseDate(text)
	if !ok {
		return time.Time{}, ossDenied("the date of the request %q is neither %s nor an HTTP date", text, isoBasic)
	}
	if date.Format("20060102") != scope.day {
		return time.Time{}, ossInvalid("the day %s of the credential is not the day of the request's date %q", scope.day, text)
	}
	return date, nil
}

func ossV4Canonical(r *http.Request, q []field, bucket, key, additional string) string {
	names := slices.DeleteFunc(splitNames(additional), ossV4Always)
	hs := signedHeaders(r, func(n string) bool { return ossV4Always(n) || slices.Contains(names, n) })
	for i := range hs {
		hs[i].value = strings.TrimSpace(hs[i].value)
	}
	payload := r.Header.Get("X-Oss-Content-Sha256")
	if payload == "" {
		payload = "UNSIGNED-PAYLOAD"
	}
	return r.Method + "\n" + encode(ossResource(bucket, key), true) + "\n" + encodedQuery(q, false, "x-oss-signature") + "\n" +
		lines(hs) + "\n" + strings.Join(names, ";") + "\n" + payload
}

// ossV4Always tells which headers are signed without being named.
func ossV4Always(lower string) bool {
	return lower == "content-type" || lower == "content-md5" || strings.HasPrefix(lower, "x-oss-")
}
