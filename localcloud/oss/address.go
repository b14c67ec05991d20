package oss

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const cloudDomain = ".aliyuncs.com"

// address finds the bucket and the key of a request. The path is taken as it was sent: the key is everything behind the
// bucket, percent-decoded once, so that "%2F" in it is a slash and "+" a plus.
func (s *Server) address(r *http.Request) (bucket, key string, err error) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	bucket, ok := s.hostBucket(r.Host)
	if !ok {
		bucket, path, _ = strings.Cut(path, "/")
		if bucket, err = url.PathUnescape(bucket); err != nil {
			return "", "", badRequest("InvalidURI", "the path %q is not percent-encoded correctly", r.URL.EscapedPath())
		}
	}
	if key, err = url.PathUnescape(path); err != nil {
		return "", "", badRequest("InvalidURI", "the path %q is not percent-encoded correctly", r.URL.EscapedPath())
	}
	return bucket, key, nil
}

// hostBucket is the bucket that the Host header names; ok is false if the bucket stands in the path.
func (s *Server) hostBucket(host string) (bucket string, ok bool) {
	host = strings.ToLower(hostname(host))
	if net.ParseIP(strings.Trim(host, "[]")) != nil || host == "localhost" || slices.Contains(s.opts.Endpoints, host) {
		return "", false
	}
	for _, d := range s.opts.Domains {
		if b, ok := strings.CutSuffix(host, "."+d); ok && b != "" && !strings.Contains(b, ".") {
			return b, true
		}
	}
	if rest, ok := strings.CutSuffix(host, cloudDomain); ok && strings.Count(rest, ".") == 1 {
		b, _, _ := strings.Cut(rest, ".")
		return b, b != ""
	}
	return "", false
}

func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// checkBucketName holds a name against the service's rule: 3 to 63 lower-case letters, digits and inner hyphens.
func checkBucketName(name string) error {
	ok := len(name) >= 3 && len(name) <= 63 && name[0] != '-' && name[len(name)-1] != '-'
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return badRequest("InvalidBucketName", "the specified bucket name %q is not valid", name)
	}
	return nil
}

func checkKey(key string) error {
	if key == "" || len(key) > 1023 || !utf8.ValidString(key) || key[0] == '/' || key[0] == '\\' {
		return badRequest("InvalidObjectName", "the specified object name %q is not valid", key)
	}
	return nil
}
