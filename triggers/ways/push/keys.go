package push

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"fcd/sign"
)

const (
	keyLife   = time.Hour
	maxKey    = 64 << 10
	maxKeys   = 16 // URLs kept; EventBridge has one or two at a time
	keyWithin = 4 * time.Second
)

// keys are EventBridge's certificates, fetched when a push first names them.
type keys struct {
	region string
	http   *http.Client
	now    func() time.Time
	flight singleflight.Group

	mu    sync.Mutex
	known map[string]knownKey // by URL
}

type knownKey struct {
	key   *rsa.PublicKey
	until time.Time
}

func newKeys(region string, transport http.RoundTripper, now func() time.Time) *keys {
	if transport == nil {
		transport = &http.Transport{DisableKeepAlives: true, TLSHandshakeTimeout: keyWithin}
	}
	c := &http.Client{Transport: transport, Timeout: keyWithin, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("the certificate moved")
	}}
	return &keys{region: region, http: c, now: now, known: map[string]knownKey{}}
}

// get is the key of the certificate at the URL, which must be EventBridge's.
func (k *keys) get(ctx context.Context, url string) (*rsa.PublicKey, error) {
	k.mu.Lock()
	have, ok := k.known[url]
	k.mu.Unlock()
	if ok && k.now().Before(have.until) {
		return have.key, nil
	}
	if err := sign.EventBridgeKeyURL(k.region, url); err != nil {
		return nil, err
	}
	got, err, _ := k.flight.Do(url, func() (any, error) { return k.fetch(context.WithoutCancel(ctx), url) })
	if err != nil {
		return nil, err
	}
	return got.(*rsa.PublicKey), nil
}

func (k *keys) fetch(ctx context.Context, url string) (*rsa.PublicKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := k.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("fetch EventBridge's certificate: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxKey))
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch EventBridge's certificate: status %d, %w", res.StatusCode, err)
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= maxKeys {
		clear(k.known)
	}
	k.known[url] = knownKey{key, k.now().Add(keyLife)}
	return key, nil
}

// parseKey reads a certificate or a public key in PEM.
func parseKey(text []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("EventBridge's certificate is not PEM")
	}
	var public any
	if block.Type == "CERTIFICATE" {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("EventBridge's certificate: %w", err)
		}
		public = cert.PublicKey
	} else {
		var err error
		if public, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			return nil, fmt.Errorf("EventBridge's key: %w", err)
		}
	}
	key, ok := public.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < 2048 {
		return nil, errors.New("EventBridge's key is not one of RSA with at least 2048 bits")
	}
	return key, nil
}
