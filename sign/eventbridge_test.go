package sign

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	ebURL  = "https://fcd.example.com/push/eb/secret"
	ebBody = `{"specversion":"1.0"}`
	ebCert = "https://cn-shanghai-eventbridge.oss-accelerate.aliyuncs.com/cert.pem"
)

// ebPush signs a push as the documents say, with a key of the test.
func ebPush(t testing.TB, key *rsa.PrivateKey, stamp, token string) http.Header {
	t.Helper()
	text := ebURL + "\nx-eventbridge-signature-timestamp: " + stamp + "\nx-eventbridge-hash-method: SHA256\nx-eventbridge-signature-version: 1.0\n" +
		"x-eventbridge-signature-url: " + ebCert + "\n"
	h := http.Header{}
	if token != "" {
		text += "x-eventbridge-signature-token: " + token + "\n"
		h.Set("x-eventbridge-signature-token", token)
	}
	sum := sha256.Sum256([]byte(text + ebBody))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"timestamp": stamp, "version": "1.0", "url": ebCert, "v2": base64.StdEncoding.EncodeToString(sig)} {
		h.Set("x-eventbridge-signature-"+k, v)
	}
	h.Set("x-eventbridge-hash-method", "SHA256")
	return h
}

func TestEventBridge(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1767600000, 0)
	for _, stamp := range []string{strconv.FormatInt(now.Unix(), 10), strconv.FormatInt(now.UnixMilli(), 10)} {
		for _, token := range []string{"", "tok"} {
			e, err := ParseEventBridge(ebPush(t, key, stamp, token))
			if err != nil || e.Token != token || e.KeyURL != ebCert || !e.Verify(&key.PublicKey, ebURL, []byte(ebBody)) {
				t.Errorf("%s %q: %+v, %v", stamp, token, e, err)
			}
			if e.Verify(&key.PublicKey, ebURL+"x", []byte(ebBody)) || e.Verify(&key.PublicKey, ebURL, []byte(ebBody+" ")) {
				t.Error("another URL or body holds")
			}
			if e.Skewed(now.Add(time.Minute)) || !e.Skewed(now.Add(61*time.Second)) || !e.Skewed(now.Add(-61*time.Second)) {
				t.Error("the bound of the skew is not a minute")
			}
		}
	}
	for name, value := range map[string]string{ebSignature: "!", ebTimestamp: "now", ebMethod: "MD5", ebVersion: "2.0"} {
		h := ebPush(t, key, "1767600000", "")
		h.Set(name, value)
		if _, err := ParseEventBridge(h); err == nil {
			t.Errorf("%s %q is taken", name, value)
		}
	}
	h := ebPush(t, key, "1767600000", "tok")
	h.Set(ebToken, "other")
	if e, _ := ParseEventBridge(h); e.Verify(&key.PublicKey, ebURL, []byte(ebBody)) {
		t.Error("another token holds")
	}
}

func TestEventBridgeKeyURL(t *testing.T) {
	if err := EventBridgeKeyURL("cn-shanghai", ebCert); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "http" + ebCert[5:], "https://cn-shanghai-eventbridge.oss-accelerate.aliyuncs.com:443/x", "https://u@cn-shanghai-eventbridge.oss-accelerate.aliyuncs.com/x",
		"https://cn-beijing-eventbridge.oss-accelerate.aliyuncs.com/x", "https://cn-shanghai-eventbridge.oss-accelerate.aliyuncs.com.evil.example/x",
		"https://evil.example/cn-shanghai-eventbridge.oss-accelerate.aliyuncs.com", "https:cn-shanghai-eventbridge.oss-accelerate.aliyuncs.com/x", "https://cn-shanghai-eventbridge.oss-accelerate.aliyuncs.com@evil.example/",
		"https://169.254.169.254/", "file:///etc/passwd", "https://cn-shanghai-eventbridge.oss-accelerate.aliyuncs.com\\@evil.example/"} {
		if EventBridgeKeyURL("cn-shanghai", bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzEventBridge(f *testing.F) {
	f.Add("c2ln", "1767600000", "SHA256", "1.0", ebCert, "tok")
	f.Add("", "-1", "", "", "https://x@y", "")
	f.Fuzz(func(t *testing.T, sig, stamp, method, version, url, token string) {
		h := http.Header{ebSignature: {sig}, ebTimestamp: {stamp}, ebMethod: {method}, ebVersion: {version}, ebKeyURL: {url}, ebToken: {token}}
		e, err := ParseEventBridge(h)
		if err == nil && (method != "SHA256" || e.Token != token) {
			t.Errorf("%+v", e)
		}
		if EventBridgeKeyURL("cn-shanghai", url) == nil && !strings.HasPrefix(url, "https://cn-shanghai-eventbridge.oss-accelerate.aliyuncs.com") && !strings.HasPrefix(strings.ToLower(url), "https://cn-shanghai-eventbridge.oss-accelerate.aliyuncs.com") {
			t.Errorf("%q is taken", url)
		}
	})
}
