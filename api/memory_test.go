package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"io"
	"strconv"
	"sync"

	"fcd/fc"
	"fcd/store/packages"
)

type memPackages struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (p *memPackages) Put(_ context.Context, r io.Reader) (packages.Package, error) {
	b, err := io.ReadAll(r)
	if err != nil || !bytes.HasPrefix(b, []byte("PK")) {
		return packages.Package{}, fc.Errorf(fc.InvalidArgument, "the code package is not a zip archive")
	}
	s := sha256.Sum256(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	key := hex.EncodeToString(s[:])
	p.m[key] = b
	return packages.Package{SHA256: key, Size: int64(len(b)),
		CRC64: strconv.FormatUint(crc64.Checksum(b, crc64.MakeTable(crc64.ECMA)), 10)}, nil
}

type nopSeekCloser struct{ *bytes.Reader }

func (nopSeekCloser) Close() error { return nil }

func (p *memPackages) Open(key string) (io.ReadSeekCloser, int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, ok := p.m[key]
	if !ok {
		return nil, 0, fmt.Errorf("no package %s", key)
	}
	return nopSeekCloser{bytes.NewReader(b)}, int64(len(b)), nil
}
