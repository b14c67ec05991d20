package sign

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
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

func TestAppendPrefixedIsLinesOfPrefixed(t *testing.T) {
	h := http.Header{"X-Other": {"0"}, "X-F": {"1"}, "X-Fc-": {""}, "X-Fc-A_b": {"2"}, "X-Fc-Ab": {"3", "4"}, "X-Fc-A": {"5"}, "x-fc-zz": {"6"}, "X-FC-Z": {}}
	for len(h) < 20 {
		h.Set("X-Fc-"+strings.Repeat("n", len(h)), "7")
	}
	want := "x-fc-:\nx-fc-a:5\nx-fc-a_b:2\nx-fc-ab:3,4\n"
	got := string(appendPrefixed(nil, h, "x-fc-"))
	if !strings.HasPrefix(got, want) || got != lines(prefixed(h, "x-fc-")) {
		t.Errorf("%q", got)
	}
}
