package sign

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxEventBridgeSkew is how far the time of a push may be from the server's clock.
const maxEventBridgeSkew = time.Minute

// Headers of a push by EventBridge.
const (
	ebSignature = "X-Eventbridge-Signature-V2"
	ebTimestamp = "X-Eventbridge-Signature-Timestamp"
	ebMethod    = "X-Eventbridge-Hash-Method"
	ebVersion   = "X-Eventbridge-Signature-Version"
	ebKeyURL    = "X-Eventbridge-Signature-Url"
	ebToken     = "X-Eventbridge-Signature-Token"
)

// EventBridge is the signature, version 2, of events that EventBridge pushes over HTTP (EventBridge user guide, "HTTP
// targets").
type EventBridge struct {
	KeyURL string // where the certificate is, as the push says: check it with EventBridgeKeyURL
	Token  string // the token of the target; "" if none was sent

	at        time.Time
	signature []byte
	head      string
}

// ParseEventBridge reads the headers of a push; an error says which is missing or malformed.
func ParseEventBridge(h http.Header) (EventBridge, error) {
	sig, err := base64.StdEncoding.DecodeString(h.Get(ebSignature))
	if err != nil || len(sig) == 0 {
		return EventBridge{}, fmt.Errorf("header %s is missing or not base64", strings.ToLower(ebSignature))
	}
	n, err := strconv.ParseInt(h.Get(ebTimestamp), 10, 64)
	if err != nil || n < 0 {
		return EventBridge{}, fmt.Errorf("header %s is not a Unix time", strings.ToLower(ebTimestamp))
	}
	at := time.Unix(n, 0)
	if n > 1e11 { // milliseconds
		at = time.UnixMilli(n)
	}
	if m, v := h.Get(ebMethod), h.Get(ebVersion); m != "SHA256" || v != "1.0" {
		return EventBridge{}, fmt.Errorf("hash method %q and signature version %q are not SHA256 and 1.0", m, v)
	}
	e := EventBridge{KeyURL: h.Get(ebKeyURL), Token: h.Get(ebToken), at: at, signature: sig}
	names := []string{ebTimestamp, ebMethod, ebVersion, ebKeyURL}
	if _, sent := h[ebToken]; sent {
		names = append(names, ebToken)
	}
	var b strings.Builder
	for _, name := range names {
		b.WriteString(strings.ToLower(name) + ": " + h.Get(name) + "\n")
	}
	e.head = b.String()
	return e, nil
}

// Skewed tells whether the push is more than a minute off.
func (e EventBridge) Skewed(now time.Time) bool {
	d := now.Sub(e.at)
	return d > maxEventBridgeSkew || d < -maxEventBridgeSkew
}

// Verify tells whether the body was sent to the URL and signed with the key. The URL is the target's as EventBridge knows
// it, in full.
func (e EventBridge) Verify(key *rsa.PublicKey, url string, body []byte) bool {
	h := sha256.New()
	h.Write([]byte(url + "\n" + e.head))
	h.Write(body)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, h.Sum(nil), e.signature) == nil
}

// EventBridgeKeyURL tells whether text may be where EventBridge of the region keeps its certificate. Nothing else may be
// fetched on a push's word.
func EventBridgeKeyURL(region, text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("the URL of the certificate is malformed")
	case u.Scheme != "https" || u.User != nil || u.Opaque != "" || u.Host != region+"-eventbridge.oss-accelerate.aliyuncs.com":
		return fmt.Errorf("the certificate is not one of EventBridge in %s", region)
	}
	return nil
}
