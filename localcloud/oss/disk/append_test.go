package disk

import (
	"errors"
	"fmt"
	"hash/crc64"
	"os"
	"strings"
	"sync"
	"testing"
)

func TestAppendGoesOnBehindATornTail(t *testing.T) {
	dir := t.TempDir()
	d := open(t, Options{Dir: dir})
	add := func(body string, at int64) Object {
		o, err := d.Append(t.Context(), Object{Bucket: "b", Key: "k"}, stage(t, d, body), at, Write{})
		must(t, err)
		return o
	}
	add("", 0) // an empty object is appendable, too
	o := add("one,", 0)
	f, err := os.OpenFile(d.files.path(o.blob), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	f.WriteString("torn tail of an append that was never committed")
	f.Close()
	if got := get(t, d, "k"); got != "one," {
		t.Errorf("reads %q", got)
	}
	must(t, d.Close())
	d, err = Open(Options{Dir: dir})
	must(t, err)
	defer d.Close()
	o = add("two", 4)
	if got := get(t, d, "k"); got != "one,two" || o.CRC != crc64.Checksum([]byte(got), ecma) {
		t.Errorf("reads %q, sum %x", got, o.CRC)
	}
	s := stage(t, d, "one,two")
	if o.ETag != s.ETag() {
		t.Errorf("entity tag %s, want %s", o.ETag, s.ETag())
	}
	s.Discard()
	var p *PositionError
	if _, err := d.Append(t.Context(), Object{Bucket: "b", Key: "k"}, stage(t, d, "x"), 3, Write{}); !errors.As(err, &p) || p.Next != 7 {
		t.Errorf("append at a wrong position: %v", err)
	}
	if n := d.Total(); n != 7 {
		t.Errorf("%d bytes are counted", n)
	}
}

func TestConcurrentAppendsAreSerial(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for at := int64(0); ; {
				s, err := d.Stage(t.Context(), strings.NewReader(fmt.Sprintf("<%d>", i)), MaxObject)
				if err != nil {
					t.Error(err)
					return
				}
				_, err = d.Append(t.Context(), Object{Bucket: "b", Key: "k"}, s, at, Write{})
				var p *PositionError
				if !errors.As(err, &p) {
					if err != nil {
						t.Error(err)
					}
					return
				}
				at = p.Next
			}
		})
	}
	work.Wait()
	got := get(t, d, "k")
	for i := range 8 {
		if strings.Count(got, fmt.Sprintf("<%d>", i)) != 1 {
			t.Errorf("appended %q", got)
		}
	}
}
