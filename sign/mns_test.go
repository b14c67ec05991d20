package sign

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A signature made with openssl: printf 'DELETE\n\napplication/xml\nMon, 05 Jan 2026 08:00:00 GMT\nx-mns-version:2015-06-06\n...'
// | openssl dgst -sha1 -hmac SK -binary | base64.
func TestSignMNS(t *testing.T) {
	at := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	r, _ := http.NewRequest("DELETE", "http://1.mns.cn-shanghai.aliyuncs.com/queues/q/messages?ReceiptHandle=1-ab", nil)
	SignMNS(r, "AK", "SK", "", at, nil)
	if got := r.Header.Get("Authorization"); got != "MNS AK:43oGpWywPA6Dyg/KT/ak/3S0UaE=" {
		t.Errorf("without a body: %s", got)
	}
	r, _ = http.NewRequest("POST", "http://1.mns.cn-shanghai.aliyuncs.com/queues/q/messages", nil)
	SignMNS(r, "AK", "SK", "TOKEN", at, []byte("<Message/>"))
	if got := r.Header.Get("Authorization"); got != "MNS AK:Rl4No1iJ34M3v1O8HqWwP8Bnc+k=" || r.Header.Get("Security-Token") != "TOKEN" {
		t.Errorf("with a body: %s", got)
	}
}

// push is a request that Message Service really sent, and its signature.
func push() *http.Request {
	h := http.Header{}
	for line := range strings.SplitSeq(`Content-MD5: 4CCBAD7AF2D23C2D00DDECCA59323A8C
Content-Type: text/plain;charset=utf-8
Date: Wed, 29 Mar 2023 08:41:27 GMT
x-mns-message-id: 250EB49D5F8D737A391C93C6ED165396
x-mns-publish-time: 1680079287576
x-mns-request-id: 6423F9B7BF94313030AF5EA0
x-mns-signing-cert-url: aHR0cHM6Ly9tbnN0ZXN0Lm9zcy1jbi1oYW5nemhvdS5hbGl5dW5jcy5jb20veDUwOV9wdWJsaWNfY2VydGlmaWNhdGUucGVt
x-mns-subscriber: 1321669497458181
x-mns-subscription-name: mns-en-subs-oss-fecdn-internal-pre-1-22849529855680
x-mns-topic-name: mns-en-topics-oss-fecdn-internal-pre-22849529792243
x-mns-topic-owner: 1321669497458181
x-mns-version: 2015-06-06
Authorization: LP3cxoTCbhsiLJi0KQdEiRaufaxMfWUdLH064yoVoKl8xNcY+299itGmGsirVMY8vDpuZ1VwS0Uw7R5dNduSXg==`, "\n") {
		k, v, _ := strings.Cut(line, ": ")
		h.Set(k, v)
	}
	return &http.Request{Method: "POST", Header: h, RequestURI: "/notifications"}
}

func TestMNSPushOfTheRealService(t *testing.T) {
	p, err := ParseMNSPush(push())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum([]byte(p.text))
	if len(p.text) != 591 || hex.EncodeToString(sum[:]) != "789c96bc0d4727f581ce2d2fb5e2e57f90212fac" {
		t.Errorf("the text has %d bytes and sum %x", len(p.text), sum)
	}
	if p.CertificateURL != MNSCertificateURL || !p.Verify(MNSKey()) {
		t.Errorf("the signature does not hold; certificate %s", p.CertificateURL)
	}
	for name, change := range map[string]func(*http.Request){
		"another method":  func(r *http.Request) { r.Method = "PUT" },
		"another path":    func(r *http.Request) { r.RequestURI = "/notifications?x" },
		"another digest":  func(r *http.Request) { r.Header.Set("Content-MD5", "4CCBAD7AF2D23C2D00DDECCA59323A8D") },
		"one more header": func(r *http.Request) { r.Header.Set("X-Mns-Message-Tag", "a") },
	} {
		r := push()
		change(r)
		if p, err := ParseMNSPush(r); err != nil || p.Verify(MNSKey()) {
			t.Errorf("%s: the signature holds", name)
		}
	}
}

func TestMNSPushSignaturesThatAreNone(t *testing.T) {
	p, _ := ParseMNSPush(push())
	key := MNSKey()
	more := new(big.Int).Add(new(big.Int).SetBytes(p.signature), key.N)
	for name, sig := range map[string][]byte{
		"nothing": nil, "a zero": make([]byte, 64), "one": append(make([]byte, 63), 1), "short": p.signature[:63],
		"with a leading zero": append([]byte{0}, p.signature...), "plus the modulus": more.Bytes(),
	} {
		forged := p
		forged.signature = sig
		if forged.Verify(key) {
			t.Errorf("%s is a signature", name)
		}
	}
	for _, key := range []RSAKey{{}, {N: big.NewInt(-5), E: 65537}, {N: big.NewInt(35), E: 65537}, {N: key.N, E: 1}} {
		if p.Verify(key) {
			t.Errorf("the signature holds for %v", key)
		}
	}
	for name, value := range map[string]string{"Authorization": "", "X-Mns-Signing-Cert-Url": "%"} {
		r := push()
		r.Header.Set(name, value)
		if _, err := ParseMNSPush(r); err == nil || !strings.Contains(err.Error(), strings.ToLower(name)) && !strings.Contains(err.Error(), name) {
			t.Errorf("%s %q: %v", name, value, err)
		}
	}
}

func FuzzMNSPush(f *testing.F) {
	f.Add("MNS ak:sig", "aHR0cA==", "x", "/p?q")
	f.Add(base64.StdEncoding.EncodeToString(make([]byte, 64)), "aHR0cA==", "\x00", "")
	f.Fuzz(func(t *testing.T, auth, cert, topic, uri string) {
		r := push()
		r.RequestURI = uri
		r.Header["Authorization"], r.Header["X-Mns-Signing-Cert-Url"], r.Header["X-Mns-Topic-Name"] = []string{auth}, []string{cert}, []string{topic}
		p, err := ParseMNSPush(r)
		if err == nil && p.Verify(MNSKey()) && (uri != "/notifications" || topic != "mns-en-topics-oss-fecdn-internal-pre-22849529792243") {
			t.Errorf("a forged push holds: %q %q %q %q", auth, cert, topic, uri)
		}
	})
}

// weak is a certificate with a key of 512 bits, like Message Service's.
const weak = `-----BEGIN CERTIFICATE-----
MIIBdTCCAR+gAwIBAgIUUAdIZKUVAO8KtCNFdjnNl+LftEMwDQYJKoZIhvcNAQEL
BQAwDzENMAsGA1UEAwwEd2VhazAeFw0yNjExMjkwMjU1MjZaFw0zNjExMjYwMjU1
MjZaMA8xDTALBgNVBAMMBHdlYWswXDANBgkqhkiG9w0BAQEFAANLADBIAkEA4h8w
z2uFd9/KduDPcPH8h8j5Yv+lF08lCZy3BSEWTxdQEGp7wF7Wh5+XOkF9XYLnq3tX
bfJvYWX0p7/xXWPrOwIDAQABo1MwUTAdBgNVHQ4EFgQUvFoCGNON7nx8TXcTuoJN
UOgDFc0wHwYDVR0jBBgwFoAUvFoCGNON7nx8TXcTuoJNUOgDFc0wDwYDVR0TAQH/
BAUwAwEB/zANBgkqhkiG9w0BAQsFAANBAMZZWzAr2Em9JFK9xyOFBUBcyDZvyMqu
KbluvUSiWcEn69MuD1j1UTr1ID9ACpWtrJYpn0o+V/r0ALwpR8ExmJM=
-----END CERTIFICATE-----`

func TestTheCertificateMayBeReplaced(t *testing.T) {
	key, err := ParseMNSCertificate([]byte(weak))
	if err != nil || key.N.BitLen() != 512 || key.E != 65537 {
		t.Errorf("got %v, %v", key, err)
	}
	for _, bad := range []string{"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if _, err := ParseMNSCertificate([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
