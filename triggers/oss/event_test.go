package oss

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fcd/fc"
)

var update = flag.Bool("update", false, "write the golden files")

// The event with every field, byte for byte.
func TestEventGolden(t *testing.T) {
	position := int64(17)
	at := time.Date(2017, 4, 21, 12, 46, 37, 0, time.UTC)
	guide := fc.ObjectEvent{
		Name: "ObjectCreated:PutObject", Bucket: "testbucket", Key: "image/a.jpg", Size: 122539, Delta: 122539,
		ETag: "688A7BF4F233DC9C88A80BF985AB7329", SourceIP: "140.205.128.221", RequestID: "58F9FF2D3DF792092E12044C",
		PrincipalID: "123456789", Time: at,
	}
	appended := guide
	appended.Name, appended.Key, appended.Position = "ObjectCreated:AppendObject", "a&b <c> \"ü\".log", &position
	appended.Time = at.Add(1234567 * time.Microsecond).In(time.FixedZone("", 8*3600))
	removed := fc.ObjectEvent{Name: "ObjectRemoved:DeleteObject", Bucket: "testbucket", Key: "k", Delta: -5, Time: at}
	for name, ev := range map[string]fc.ObjectEvent{"put": guide, "append": appended, "remove": removed} {
		o := Options{Region: "cn-shanghai", Account: "123456789"}
		got := payload([]record{o.recordOf(ev)}, "9adac8e253828f4f7c0466d941fa3db81161e853")
		file := filepath.Join("testdata", "event_"+name+".json")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestSizesOfWhatMakesNoObject(t *testing.T) {
	removed := fc.ObjectEvent{Name: "ObjectRemoved:DeleteObject", Delta: -5}
	aborted := fc.ObjectEvent{Name: "ObjectRemoved:AbortMultipartUpload"}
	part := fc.ObjectEvent{Name: "ObjectCreated:UploadPart", Size: 7}
	copied := fc.ObjectEvent{Name: "ObjectCreated:UploadPartCopy", Size: 7}
	put := fc.ObjectEvent{Name: "ObjectCreated:PutObject", Size: 9, Delta: 4}
	for mode, want := range map[string]string{
		"":             "0/-5 0/0 7/0 7/0 9/4",
		DeltaChange:    "0/-5 0/0 7/0 7/0 9/4",
		DeltaOperation: "5/-5 0/0 7/7 7/7 9/4",
		DeltaNone:      "0/0 0/0 7/0 7/0 9/4",
	} {
		var got []string
		for _, ev := range []fc.ObjectEvent{removed, aborted, part, copied, put} {
			o := Options{DeltaSizeMode: mode}.recordOf(ev).OSS.Object
			got = append(got, fmt.Sprintf("%d/%d", o.Size, o.DeltaSize))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: %s, want %s", mode, s, want)
		}
	}
}
