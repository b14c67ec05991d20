package disk

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestListingAgreesWithAModel(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	alphabet := rapid.SampledFrom([]string{"a", "b", "/", "//", "z", "\x00", "é", "\U0010FFFF", " "})
	rapid.Check(t, func(rt *rapid.T) {
		bucket := "b" + newID()[:8]
		_, err := d.CreateBucket(t.Context(), bucket, "")
		must(t, err)
		words := rapid.SliceOfN(rapid.SliceOfN(alphabet, 1, 5), 0, 12).Draw(rt, "keys")
		keys := map[string]bool{}
		for _, w := range words {
			key := strings.Join(w, "")
			keys[key] = true
			_, err := d.Put(t.Context(), Object{Bucket: bucket, Key: key}, &Staged{disk: d}, Write{})
			must(t, err)
		}
		prefix := rapid.SampledFrom([]string{"", "a", "a/", "/", "z"}).Draw(rt, "prefix")
		delimiter := rapid.SampledFrom([]string{"", "/", "//", "a"}).Draw(rt, "delimiter")
		most := rapid.IntRange(1, 4).Draw(rt, "max")
		var got []string
		q := ListQuery{Bucket: bucket, Prefix: prefix, Delimiter: delimiter, Max: most}
		for {
			page, err := d.List(t.Context(), q)
			must(t, err)
			for _, o := range page.Objects {
				got = append(got, o.Key)
			}
			got = append(got, page.Prefixes...)
			if n := len(page.Objects) + len(page.Prefixes); n > most || page.Truncated && n < most {
				rt.Fatalf("a page of %d has %d entries", most, n)
			}
			if q.After = page.Last; !page.Truncated {
				break
			}
		}
		if diff := cmp.Diff(model(keys, prefix, delimiter), sorted(got)); diff != "" {
			rt.Fatalf("listing (-want +got):\n%s", diff)
		}
	})
}

func model(keys map[string]bool, prefix, delimiter string) []string {
	found := map[string]bool{}
	for k := range keys {
		rest, ok := strings.CutPrefix(k, prefix)
		if !ok {
			continue
		}
		if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
			k = prefix + rest[:i+len(delimiter)]
		}
		found[k] = true
	}
	var all []string
	for k := range found {
		all = append(all, k)
	}
	return sorted(all)
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
