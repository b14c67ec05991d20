package sign

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// mnsVersion is the version of the Message Service protocol (developer guide of MNS, "API call method").
const mnsVersion = "2015-06-06"

// SignMNS signs a request to Message Service: it sets Date, x-mns-version, Content-Type, Content-MD5 where there is a
// body, security-token where there is one, and Authorization. The request's query must be final.
func SignMNS(r *http.Request, accessKeyID, secret, token string, at time.Time, body []byte) {
	h := r.Header
	h.Set("Date", at.UTC().Format(http.TimeFormat))
	h.Set("X-Mns-Version", mnsVersion)
	h.Set("Content-Type", "application/xml")
	if len(body) > 0 {
		sum := md5.Sum(body)
		h.Set("Content-Md5", base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:]))))
	}
	if token != "" {
		h.Set("Security-Token", token)
	}
	sum := macSum(sha1.New, []byte(secret), mnsText(r))
	h.Set("Authorization", "MNS "+accessKeyID+":"+base64.StdEncoding.EncodeToString(sum))
}

// mnsText is the string to sign of a request to or from Message Service: header values stand in it as they are.
func mnsText(r *http.Request) string {
	return strings.Join([]string{r.Method, r.Header.Get("Content-Md5"), r.Header.Get("Content-Type"), r.Header.Get("Date")}, "\n") +
		"\n" + lines(prefixed(r.Header, "x-mns-")) + mnsResource(r)
}

// mnsResource is the path with the query, as it travels.
func mnsResource(r *http.Request) string {
	if r.RequestURI != "" || r.URL == nil { // a server's
		return r.RequestURI
	}
	return r.URL.RequestURI()
}
