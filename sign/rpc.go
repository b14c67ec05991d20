package sign

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/url"
	"strings"
)

// SignRPC is the signature of a request to one of the cloud's RPC interfaces, version 1.0: base64 of the HMAC-SHA1 of
// method, "/" and the sorted parameters, each escaped, under the secret with "&" behind it. params are all parameters but
// Signature, which the caller then adds.
// (Documented as "Signature method" of the RPC style APIs; the vector of its own example is in the test.)
func SignRPC(method string, params url.Values, secret string) string {
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(method + "&" + rpcEscape("/") + "&" + rpcEscape(rpcQuery(params))))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// rpcQuery are the parameters in order of their names. Encode sorts; its "+" is the only escape that RFC 3986 has not.
func rpcQuery(params url.Values) string { return rpcFix(params.Encode()) }

func rpcEscape(s string) string { return rpcFix(url.QueryEscape(s)) }

func rpcFix(s string) string { return strings.ReplaceAll(s, "+", "%20") }
