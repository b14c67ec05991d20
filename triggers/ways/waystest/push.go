package waystest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// mnsCertificate is the URL that every push of Message Service names.
const mnsCertificate = "https://mnstest.oss-cn-hangzhou.aliyuncs.com/x509_public_certificate.pem"

// FakeTopic signs pushes as Message Service does, with a key of its own of the same weak size.
type FakeTopic struct {
	N    *big.Int // the public key, with the exponent 65537
	d    *big.Int
	Cert string // URL that pushes name; default: the real one
}

// NewFakeTopic makes a key of 512 bits, which the standard library would not.
func NewFakeTopic(t testing.TB) *FakeTopic {
	t.Helper()
	e, one := big.NewInt(65537), big.NewInt(1)
	for {
		p, err := rand.Prime(rand.Reader, 256)
		if err != nil {
			t.Fatal(err)
		}
		q, err := rand.Prime(rand.Reader, 256)
		if err != nil {
			t.Fatal(err)
		}
		n := new(big.Int).Mul(p, q)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		if d := new(big.Int).ModInverse(e, phi); d != nil && n.BitLen() == 512 {
			return &FakeTopic{N: n, d: d}
		}
	}
}

// Push is a signed push of the body to the URL. header adds or replaces headers before it is signed.
func (f *FakeTopic) Push(t testing.TB, url, body string, header map[string]string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	cert := f.Cert
	if cert == "" {
		cert = mnsCertificate
	}
	h := r.Header
	for k, v := range map[string]string{
		"Date": time.Now().UTC().Format(http.TimeFormat), "Content-Type": "text/xml;charset=utf-8", "Content-MD5": "4CCBAD7AF2D23C2D00DDECCA59323A8C",
		"x-mns-version": "2015-06-06", "x-mns-request-id": "6423F9B7BF94313030AF5EA0",
		"x-mns-signing-cert-url": base64.StdEncoding.EncodeToString([]byte(cert)),
	} {
		h.Set(k, v)
	}
	for k, v := range header {
		h.Set(k, v)
	}
	var extra []string
	for k := range h {
		if low := strings.ToLower(k); strings.HasPrefix(low, "x-mns-") {
			extra = append(extra, low+":"+h.Get(k)+"\n")
		}
	}
	slices.Sort(extra)
	sum := sha1.Sum([]byte("POST\n" + h.Get("Content-MD5") + "\n" + h.Get("Content-Type") + "\n" + h.Get("Date") + "\n" + strings.Join(extra, "") + r.URL.RequestURI()))
	h.Set("Authorization", base64.StdEncoding.EncodeToString(f.sign(sum[:])))
	return r
}

// sign is RSASSA-PKCS1-v1_5 with SHA-1.
func (f *FakeTopic) sign(sum []byte) []byte {
	info := append([]byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14}, sum...)
	block := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 64-3-len(info))...)
	block = append(append(block, 0), info...)
	return new(big.Int).Exp(new(big.Int).SetBytes(block), f.d, f.N).FillBytes(make([]byte, 64))
}

// FakeEventBridge signs pushes as EventBridge does and answers requests for its certificate.
type FakeEventBridge struct {
	KeyURL  string // where the certificate is, as pushes say
	Token   string // signed along; "" for none
	Fetched int    // times that the certificate was asked for
	Answer  func(w http.ResponseWriter) bool
	key     *rsa.PrivateKey
}

// bridgeKey is the key of every FakeEventBridge, made once: it takes a while.
var bridgeKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// NewFakeEventBridge makes the EventBridge of a region.
func NewFakeEventBridge(t testing.TB, region string) *FakeEventBridge {
	t.Helper()
	key, err := bridgeKey()
	if err != nil {
		t.Fatal(err)
	}
	return &FakeEventBridge{KeyURL: "https://" + region + "-eventbridge.oss-accelerate.aliyuncs.com/key.pem", key: key}
}

// ServeHTTP answers with the public key, or as Answer does.
func (f *FakeEventBridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.Fetched++
	if f.Answer != nil && f.Answer(w) {
		return
	}
	if "https://"+r.Host+r.URL.Path != f.KeyURL {
		http.NotFound(w, r)
		return
	}
	der, _ := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	_ = pem.Encode(w, &pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// Push is a signed push of the body to public, the URL as EventBridge knows it, at the time.
func (f *FakeEventBridge) Push(t testing.TB, public, body string, at time.Time) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, public, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	stamp := strconv.FormatInt(at.UnixMilli(), 10)
	text := public + "\n" + fmt.Sprintf("x-eventbridge-signature-timestamp: %s\nx-eventbridge-hash-method: SHA256\nx-eventbridge-signature-version: 1.0\nx-eventbridge-signature-url: %s\n", stamp, f.KeyURL)
	if f.Token != "" {
		text += "x-eventbridge-signature-token: " + f.Token + "\n"
		r.Header.Set("x-eventbridge-signature-token", f.Token)
	}
	sum := sha256.Sum256([]byte(text + body))
	sig, err := rsa.SignPKCS1v15(nil, f.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"x-eventbridge-signature-timestamp": stamp, "x-eventbridge-hash-method": "SHA256", "x-eventbridge-signature-version": "1.0",
		"x-eventbridge-signature-url": f.KeyURL, "x-eventbridge-signature-v2": base64.StdEncoding.EncodeToString(sig),
		"Content-Type": "application/cloudevents+json",
	} {
		r.Header.Set(k, v)
	}
	return r
}
