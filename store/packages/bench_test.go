package packages_test

import (
	"bytes"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"fcd/store/packages"
)

// manyFiles is a package like those that npm fills: 2,200 small files in 440 folders. salt changes one of them.
func manyFiles(tb testing.TB, salt int) []byte {
	tb.Helper()
	random := rand.New(rand.NewSource(1))
	files := []file{{name: "index.js", body: fmt.Sprint("exports.version = ", salt)}}
	for i := range 2200 {
		text := make([]string, 50+random.Intn(750))
		for j := range text {
			text[j] = fmt.Sprintf("%x", random.Intn(2000)*7919)
		}
		files = append(files, file{name: fmt.Sprintf("node_modules/m%d/%d/f%d.js", i/10, i%10/5, i), body: strings.Join(text, " ")})
	}
	return makeZip(tb, files...)
}

// BenchmarkPut puts versions of a large package that differ in one file.
func BenchmarkPut(b *testing.B) {
	versions := make([][]byte, 4)
	for i := range versions {
		versions[i] = manyFiles(b, i)
	}
	for _, knows := range []bool{false, true} {
		b.Run(fmt.Sprintf("knowing the last one %v", knows), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				p := newPackages(b, packages.Options{})
				last := put(b, p, versions[0])
				b.StartTimer()
				for _, v := range versions[1:] {
					if !knows {
						last = packages.Package{}
					}
					var err error
					if last, err = p.Put(b.Context(), bytes.NewReader(v), last.SHA256); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N*(len(versions)-1)), "ms/version")
		})
	}
}
