package sign

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"time"
)

// mnsVersion is the only version of the Message Service API.
const mnsVersion = "2015-06-06"

// SignMNS signs a request to Message Service in place, with the headers that it must have. body is what the request
// sends. token is that of temporary keys, "" for none.
func SignMNS(r *http.Request, body []byte, accessKeyID, secret, token string, at time.Time) {
	h := r.Header
	h.Set("Date", at.UTC().Format(http.TimeFormat))
	h.Set("X-Mns-Version", mnsVersion)
	if token != "" {
		h.Set("Security-Token", token)
	}
	if len(body) > 0 {
		sum := md5.Sum(body)
		h.Set("Content-MD5", base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:]))))
	}
	h.Set("Authorization", "MNS "+accessKeyID+":"+mnsSignature(r, secret))
}

// mnsSignature is the signature of a request that has all its other headers.
func mnsSignature(r *http.Request, secret string) string {
	text := r.Method + "\n" + r.Header.Get("Content-MD5") + "\n" + r.Header.Get("Content-Type") + "\n" + r.Header.Get("Date") + "\n" +
		lines(prefixed(r.Header, "x-mns-")) + r.URL.RequestURI()
	return base64.StdEncoding.EncodeToString(macSum(sha1.New, []byte(secret), text))
}
