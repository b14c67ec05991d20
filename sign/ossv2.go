package sign

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
)

func parseOSSv2(r *http.Request, q []field, bucket, key, rest string) (OSS, error) {
	f := authFields(rest, ":")
	id, sig := f["AccessKeyId"], f["Signature"]
	if id == "" || sig == "" {
		return OSS{}, ossInvalid("authorization header is not of the form 'OSS2 AccessKeyId:<id>,Signature:<signature>'")
	}
	dates, date, err := ossDates(r)
	if err != nil {
		return OSS{}, err
	}
	texts := ossV2Texts(r, q, bucket, key, f["AdditionalHeaders"], dates)
	return OSS{
		AccessKeyID: id, Token: r.Header.Get("X-Oss-Security-Token"), Version: "V2", date: date,
		check: func(secret string) bool { return macMatches(sha256.New, secret, sig, texts) },
	}, nil
}

func parseOSSv2Query(r *http.Request, q []field, bucket, key string) (OSS, error) {
	id, _ := first(q, "x-oss-access-key-id")
	sig, _ := first(q, "x-oss-signature")
	expires, _ := first(q, "x-oss-expires")
	if id == "" || sig == "" || expires == "" {
		return OSS{}, ossDenied("a signed URL needs x-oss-access-key-id, x-oss-expires and x-oss-signature")
	}
	until, err := unixSeconds("x-oss-expires", expires)
	if err != nil {
		return OSS{}, err
	}
	token, _ := first(q, "security-token")
	extra, _ := first(q, "x-oss-additional-headers")
	texts := ossV2Texts(r, q, bucket, key, extra, []string{expires})
	return OSS{
		AccessKeyID: id, Token: token, Version: "V2", Presigned: true, expires: until,
		check: func(secret string) bool { return macMatches(sha256.New, secret, sig, texts) },
	}, nil
}

func ossV2Texts(r *http.Request, q []field, bucket, key, additional string, dates []string) []string {
	names := splitNames(additional)
	canon := lines(signedHeaders(r, func(n string) bool {
		return strings.HasPrefix(n, "x-oss-") || slices.Contains(names, n)
	}))
	res := encode(ossResource(bucket, key), false)
	if eq := encodedQuery(q, false, "x-oss-signature"); eq != "" {
		res += "?" + eq
	}
	head := r.Method + "\n" + r.Header.Get("Content-MD5") + "\n" + r.Header.Get("Content-Type") + "\n"
	tail := canon + strings.Join(names, ";") + "\n" + res
	out := make([]string, len(dates))
	for i, d := range dates {
		out[i] = head + d + "\n" + tail
	}
	return out
}

// splitNames reads a list of header names "a;b", lower-cased and sorted.
func splitNames(s string) []string {
	var out []string
	for n := range strings.SplitSeq(s, ";") {
		if n = strings.ToLower(strings.TrimSpace(n)); n != "" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// signedHeaders is headers with the Host header put back, which net/http keeps apart.
func signedHeaders(r *http.Request, wanted func(string) bool) []field {
	fs := headers(r.Header, func(n string) bool { return n != "host" && wanted(n) })
	if wanted("host") {
		fs = append(fs, field{name: "host", value: r.Host})
		slices.SortFunc(fs, byName)
	}
	return fs
}
