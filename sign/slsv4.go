package sign

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

const (
	slsV4Algorithm = "SLS4-HMAC-SHA256"
	emptySHA256    = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

func parseSLSv4(r *http.Request, body []byte, rest string) (SLS, error) {
	f := authFields(rest, "=")
	id, scope, ok := parseCredential(f["Credential"], "sls")
	if !ok || f["Signature"] == "" {
		return SLS{}, slsError(http.StatusUnauthorized, "Unauthorized", "credential %q of the authorization header is not <access key ID>/<yyyymmdd>/<region>/sls/aliyun_v4_request, or the signature is missing", f["Credential"])
	}
	text := r.Header.Get("X-Log-Date")
	date, ok := parseDate(text)
	if !ok || date.Format("20060102") != scope.day {
		return SLS{}, slsError(http.StatusBadRequest, "InvalidDateFormat", "x-log-date %q is not a date %s on the credential's day %s", text, isoBasic, scope.day)
	}
	payload := r.Header.Get("X-Log-Content-Sha256")
	if err := slsV4Body(payload, body); err != nil {
		return SLS{}, err
	}
	v := v4{
		algorithm: slsV4Algorithm, scope: scope, date: text, signature: f["Signature"],
		canonical: slsV4Canonical(r, payload),
	}
	return SLS{AccessKeyID: id, Token: r.Header.Get("X-Acs-Security-Token"), Version: "V4", Date: date, check: v.verify}, nil
}

// slsV4Body compares the body with its checksum. Clients may send the checksum of nothing for a body that they did not
// hash.
func slsV4Body(payload string, body []byte) error {
	if payload == emptySHA256 {
		return nil
	}
	if sum := sha256.Sum256(body); payload != hex.EncodeToString(sum[:]) {
		return slsError(http.StatusUnauthorized, "SignatureNotMatch", "x-log-content-sha256 %q is not that of the body", payload)
	}
	return nil
}

// slsV4Canonical are the candidates: clients differ in whether they sign host and content-type, and the header does not
// say it.
func slsV4Canonical(r *http.Request, payload string) []string {
	query := encodedQuery(queryFields(r.URL.RawQuery), true)
	var out []string
	for _, without := range [][]string{nil, {"host"}, {"content-type"}, {"host", "content-type"}} {
		hs := signedHeaders(r, func(n string) bool { return slsV4Signed(n, without) })
		names := make([]string, len(hs))
		for i, h := range hs {
			names[i] = h.name
		}
		out = append(out, r.Method+"\n"+r.URL.EscapedPath()+"\n"+query+"\n"+lines(hs)+"\n"+strings.Join(names, ";")+"\n"+payload)
	}
	return out
}

func slsV4Signed(lower string, without []string) bool {
	for _, w := range without {
		if lower == w {
			return false
		}
	}
	return lower == "host" || lower == "content-type" || slsPrefixed(lower) && !strings.HasPrefix(lower, "x-log-meta-")
}
