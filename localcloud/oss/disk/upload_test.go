package disk

import (
	"bytes"
	"errors"
	"hash/crc64"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestReaderOfManyChunksKeepsThemAll(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	want := complete(t, d, "k", 3)
	r, err := d.Open(t.Context(), "b", "k")
	must(t, err)
	put(t, d, "k", "other", Write{})
	if got := readAll(t, r); got != want {
		t.Error("chunks of a replaced object changed under its reader")
	}
	r.Close()
	if n := dataFiles(t, d); n != 1 {
		t.Errorf("%d data files, want the new object's", n)
	}
}

func complete(t testing.TB, d *Disk, key string, n int) string {
	t.Helper()
	u, err := d.StartUpload(t.Context(), "b", key, Attrs{}, Write{})
	must(t, err)
	var all strings.Builder
	for i := range n {
		body := strings.Repeat(string(rune('a'+i)), MinPart+i)
		all.WriteString(body)
		_, err := d.PutPart(t.Context(), u, i+1, stage(t, d, body), Write{})
		must(t, err)
	}
	_, err = d.CompleteUpload(t.Context(), "b", key, u.ID, nil, Write{})
	must(t, err)
	return all.String()
}

func TestCompletedObjectHasTheSumOfItsBytes(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	want := complete(t, d, "k", 4)
	o, err := d.Stat(t.Context(), "b", "k")
	must(t, err)
	if o.CRC != crc64.Checksum([]byte(want), ecma) {
		t.Error("the checksum is not that of the bytes")
	}
	r, err := d.Open(t.Context(), "b", "k")
	must(t, err)
	defer r.Close()
	var part bytes.Buffer
	must(t, r.Copy(&part, MinPart-5, MinPart+20))
	if part.String() != want[MinPart-5:2*MinPart+15] {
		t.Error("a range over three chunks differs")
	}
}

func TestCombinedChecksumIsThatOfTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOf(rapid.Byte()).Draw(t, "a"), rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		got := combineCRC(crc64.Checksum(a, ecma), crc64.Checksum(b, ecma), int64(len(b)))
		if want := crc64.Checksum(append(a, b...), ecma); got != want {
			t.Fatalf("got %x, want %x", got, want)
		}
	})
}

func TestExpiredUploadsAreAborted(t *testing.T) {
	now := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	d := open(t, Options{UploadTTL: time.Hour, Now: func() time.Time { return now }})
	defer d.Close()
	u, err := d.StartUpload(t.Context(), "b", "u", Attrs{}, Write{})
	must(t, err)
	_, err = d.PutPart(t.Context(), u, 1, stage(t, d, "part"), Write{})
	must(t, err)
	must(t, d.expireOnce(t.Context()))
	if _, err := d.Upload(t.Context(), "b", "u", u.ID); err != nil {
		t.Errorf("a young upload is gone: %v", err)
	}
	d.opts.Now = func() time.Time { return now.Add(61 * time.Minute) }
	must(t, d.expireOnce(t.Context()))
	if _, err := d.Upload(t.Context(), "b", "u", u.ID); !errors.Is(err, ErrNoUpload) {
		t.Errorf("an old upload: %v", err)
	}
	if n := dataFiles(t, d); n != 0 || d.Total() != 0 {
		t.Errorf("%d files and %d bytes are left", n, d.Total())
	}
}
