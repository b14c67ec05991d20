package sign

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
)

// MNSCertificateURL is where Message Service keeps the certificate that it signs pushes with. A push names it; any other
// URL is refused and none is ever fetched.
const MNSCertificateURL = "https://mnstest.oss-cn-hangzhou.aliyuncs.com/x509_public_certificate.pem"

// RSAKey is a public key of any size: the standard library refuses keys below 1024 bits, and that of Message Service has
// 512.
type RSAKey struct {
	N *big.Int
	E int
}

// MNSKey is the key of the certificate at MNSCertificateURL. It expired in 2016 and is in use all the same; numbers of its
// size can be factored, so a signature by it proves nothing to somebody determined.
func MNSKey() RSAKey {
	n, _ := new(big.Int).SetString("B5F4B05568C1CB753404230F261251FD2BA75ACE1CB933E24A74CCD59C0F25CC"+
		"5DAE4FCEC3D453025768BC21BCD0832CB5AE88B2BA3A1E5E9663A62FC1B2FF93", 16)
	return RSAKey{N: n, E: 65537}
}

// ParseMNSCertificate reads the key of a certificate in PEM, for the day on which Message Service has a new one.
func ParseMNSCertificate(text []byte) (RSAKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return RSAKey{}, errors.New("it is no certificate in PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return RSAKey{}, err
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return RSAKey{}, errors.New("its key is not one of RSA")
	}
	return RSAKey{N: key.N, E: key.E}, nil
}

// MNSPush is the signature of a message that Message Service pushes over HTTP (developer guide of MNS, "Endpoint
// signature authentication").
type MNSPush struct {
	CertificateURL string // as the push names it
	text           string
	signature      []byte
}

// ParseMNSPush reads the signature of r; an error says what of it is missing or malformed.
func ParseMNSPush(r *http.Request) (MNSPush, error) {
	auth := r.Header.Get("Authorization")
	if auth == "" {
		return MNSPush{}, errors.New("header Authorization is missing")
	}
	sig, err := base64.StdEncoding.DecodeString(auth)
	if err != nil {
		return MNSPush{}, errors.New("header Authorization is not base64")
	}
	cert, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Mns-Signing-Cert-Url"))
	if err != nil || len(cert) == 0 {
		return MNSPush{}, errors.New("header x-mns-signing-cert-url is missing or not base64")
	}
	return MNSPush{CertificateURL: string(cert), text: mnsText(r), signature: sig}, nil
}

// Verify tells whether the push was signed with the key.
func (p MNSPush) Verify(key RSAKey) bool {
	sum := sha1.Sum([]byte(p.text))
	return key.verifySHA1(sum[:], p.signature)
}

// sha1Info precedes a SHA-1 sum in a signature: the DER form of its DigestInfo (RFC 8017, 9.2).
var sha1Info = []byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14}

// verifySHA1 is RSASSA-PKCS1-v1_5 (RFC 8017, 8.2.2): the signature to the power of E must be the whole padded block.
func (k RSAKey) verifySHA1(sum, signature []byte) bool {
	if k.N == nil || k.N.Sign() <= 0 || k.E < 3 {
		return false
	}
	size := (k.N.BitLen() + 7) / 8
	pad := size - 3 - len(sha1Info) - len(sum)
	s := new(big.Int).SetBytes(signature)
	if len(signature) != size || pad < 8 || s.Cmp(k.N) >= 0 {
		return false
	}
	got := new(big.Int).Exp(s, big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, size))
	want := bytes.Join([][]byte{{0, 1}, bytes.Repeat([]byte{0xff}, pad), {0}, sha1Info, sum}, nil)
	return subtle.ConstantTimeCompare(got, want) == 1
}
