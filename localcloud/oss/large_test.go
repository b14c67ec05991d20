package oss_test

import (
	"io"
	"runtime"
	"testing"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// TestMemoryDoesNotGrowWithTheObject moves 256 MiB through the server and looks at the memory the process got meanwhile.
func TestMemoryDoesNotGrowWithTheObject(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 256 MiB through the disk")
	}
	const size = 256 << 20
	b := bucketOf(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	must(t, b.PutObject("big", io.LimitReader(zeros{}, size), sdk.ContentLength(size)))
	r, err := b.GetObject("big")
	must(t, err)
	n, err := io.Copy(io.Discard, r)
	must(t, err)
	must(t, r.Close())
	runtime.ReadMemStats(&after)
	if n != size {
		t.Errorf("%d bytes came back", n)
	}
	if grown := int64(after.Sys - before.Sys); grown > 32<<20 {
		t.Errorf("the process took %d MiB more", grown>>20)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
