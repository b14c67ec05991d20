package ram

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"fcd/fc"
)

const (
	masterBytes = 32
	// temporaryPrefix begins the access keys of temporary credentials and of nothing else; clients go by it.
	temporaryPrefix = "STS."
	temporaryRandom = 24
	// tokenForm is authenticated with every token, so that tokens of an earlier form are refused as a whole.
	tokenForm = "fcd token 1"
)

// Reasons for which a token is refused.
var (
	errTokenForged  = errors.New("the security token is not one of ours")
	errTokenExpired = errors.New("the security token has expired")
	errTokenOther   = errors.New("the security token belongs to another access key")
)

// claims are what a security token says.
type claims struct {
	Role      string `json:"r"`
	AccessKey string `json:"a"`
	Expires   int64  `json:"e"` // Unix seconds
	Session   string `json:"s,omitempty"`
}

// issuer makes and opens temporary credentials. It holds no state but its keys.
type issuer struct {
	seal   cipher.AEAD
	secret []byte // of which access key secrets are derived
}

func newIssuer(master []byte) (*issuer, error) {
	block, err := aes.NewCipher(derive(master, "token"))
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &issuer{seal: seal, secret: derive(master, "secret")}, nil
}

func derive(key []byte, label string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(label))
	return m.Sum(nil)
}

// keyAlphabet has 64 letters, one for each six bits.
const keyAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789AZ"

// issue makes credentials that hold until expires.
func (i *issuer) issue(role, session string, expires time.Time) (fc.Credentials, error) {
	random := make([]byte, temporaryRandom)
	rand.Read(random)
	for n, b := range random {
		random[n] = keyAlphabet[b%64]
	}
	ak := temporaryPrefix + string(random)
	plain, err := json.Marshal(claims{Role: role, AccessKey: ak, Expires: expires.Unix(), Session: session})
	if err != nil {
		return fc.Credentials{}, err
	}
	nonce := make([]byte, i.seal.NonceSize(), i.seal.NonceSize()+len(plain)+i.seal.Overhead())
	rand.Read(nonce)
	return fc.Credentials{
		AccessKeyID:     ak,
		AccessKeySecret: i.secretOf(ak),
		SecurityToken:   base64.RawURLEncoding.EncodeToString(i.seal.Seal(nonce, nonce, plain, []byte(tokenForm))),
		Expiration:      time.Unix(expires.Unix(), 0).UTC(),
	}, nil
}

func (i *issuer) secretOf(accessKeyID string) string {
	return base64.RawURLEncoding.EncodeToString(derive(i.secret, accessKeyID))
}

// open reads a token that came with an access key.
func (i *issuer) open(accessKeyID, token string, now time.Time) (claims, error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(token, "="))
	n := i.seal.NonceSize()
	if err != nil || len(b) < n {
		return claims{}, errTokenForged
	}
	plain, err := i.seal.Open(nil, b[:n], b[n:], []byte(tokenForm))
	if err != nil {
		return claims{}, errTokenForged
	}
	var c claims
	if err := json.Unmarshal(plain, &c); err != nil {
		return claims{}, fmt.Errorf("%w: %w", errTokenForged, err)
	}
	switch {
	case !hmac.Equal([]byte(c.AccessKey), []byte(accessKeyID)):
		return claims{}, errTokenOther
	case now.Unix() >= c.Expires:
		return claims{}, errTokenExpired
	}
	return c, nil
}
