package sign

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// v4 is what the version 4 signatures of OSS and Log Service share: a scope that the key is derived for, a date text and
// the candidates of the canonical request.
type v4 struct {
	algorithm string // OSS4-HMAC-SHA256 or SLS4-HMAC-SHA256
	scope     v4Scope
	date      string // as the client wrote it
	canonical []string
	signature string // lower-case hex
}

// v4Scope is "<day>/<region>/<product>/aliyun_v4_request".
type v4Scope struct{ day, region, product string }

func (s v4Scope) String() string {
	return s.day + "/" + s.region + "/" + s.product + "/aliyun_v4_request"
}

// parseCredential splits "<key id>/<day>/<region>/<product>/aliyun_v4_request".
func parseCredential(s, product string) (id string, scope v4Scope, ok bool) {
	p := strings.Split(s, "/")
	if len(p) != 5 || p[0] == "" || len(p[1]) != 8 || p[2] == "" || p[3] != product || p[4] != "aliyun_v4_request" {
		return "", v4Scope{}, false
	}
	return p[0], v4Scope{p[1], p[2], p[3]}, true
}

// authFields splits the part of an Authorization header after its scheme: "Name=value,Name=value".
func authFields(s, sep string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(s, ",") {
		if k, v, ok := strings.Cut(strings.TrimSpace(part), sep); ok {
			out[k] = v
		}
	}
	return out
}

func (v v4) key(secret string) []byte {
	k := []byte("aliyun_v4" + secret)
	for _, part := range []string{v.scope.day, v.scope.region, v.scope.product, "aliyun_v4_request"} {
		k = macSum(sha256.New, k, part)
	}
	return k
}

func (v v4) verify(secret string) bool {
	key := v.key(secret)
	for _, c := range v.canonical {
		sum := sha256.Sum256([]byte(c))
		text := v.algorithm + "\n" + v.date + "\n" + v.scope.String() + "\n" + hex.EncodeToString(sum[:])
		if equal(hex.EncodeToString(macSum(sha256.New, key, text)), v.signature) {
			return true
		}
	}
	return false
}
