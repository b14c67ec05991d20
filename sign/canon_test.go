package sign

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

// The keyed hash that is computed here is that of crypto/hmac, and its base64 form is the one that is accepted.
func FuzzMAC256(f *testing.F) {
	f.Add("", []byte(nil))
	for _, n := range []int{1, 30, 63, 64, 65, 200} {
		f.Add(strings.Repeat("k", n), bytes.Repeat([]byte{'x'}, n))
	}
	f.Fuzz(func(t *testing.T, secret string, text []byte) {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write(text)
		want := h.Sum(nil)
		got := mac256(secret, text)
		if !bytes.Equal(got[:], want) {
			t.Fatalf("%x; crypto/hmac: %x", got, want)
		}
		signature := base64.StdEncoding.EncodeToString(want)
		if !isBase64(signature, got) {
			t.Errorf("%s is not accepted", signature)
		}
		other := signature[:1] + string(signature[1]^1) + signature[2:]
		for _, wrong := range []string{"", other, signature[:43], signature + "=", signature + signature, string(text)} {
			if wrong != signature && isBase64(wrong, got) {
				t.Errorf("%q is accepted for %s", wrong, signature)
			}
		}
	})
}
