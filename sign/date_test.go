package sign

import (
	"net/http"
	"testing"
	"time"
)

// The usual form is read by hand as time.Parse reads it.
func FuzzParseDate(f *testing.F) {
	at := time.Date(2024, time.February, 29, 23, 59, 59, 0, time.UTC)
	for range 12 {
		f.Add(at.Format(http.TimeFormat))
		at = at.AddDate(0, 1, 1).Add(-time.Hour)
	}
	for _, form := range dateForms {
		f.Add(at.Format(form))
	}
	for _, s := range []string{
		"Thu, 29 Feb 2023 01:02:03 GMT", "Thu, 00 Jan 2026 01:02:03 GMT", "Thu, 01 Jan 2026 24:00:00 GMT", "Thu, 01 Jan 2026 23:59:60 GMT",
		"Thu, 31 Apr 2026 01:02:03 GMT", "thu, 01 jan 2026 01:02:03 GMT", "Mon, 01 Jan 0000 00:00:00 GMT", "Xyz, 01 Jan 2026 01:02:03 GMT",
		"Thu, 01 Jan 2026 01:02:03 UTC", "Thu, 01 Jan 2026 01.02.03 GMT", "Thu, 1 Jan 2026 01:02:03.5 GMT", "Thu, +1 Jan 2026 01:02:03 GMT",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want time.Time
		ok := false
		for _, form := range dateForms {
			if at, err := time.Parse(form, s); err == nil {
				want, ok = at.UTC(), true
				break
			}
		}
		if got, read := parseDate(s); read != ok || !got.Equal(want) || got.Location() != want.Location() {
			t.Errorf("%q read as %v, %v; want %v, %v", s, got, read, want, ok)
		}
	})
}

func BenchmarkParseDate(b *testing.B) {
	s := time.Now().UTC().Format(http.TimeFormat)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := parseDate(s); !ok {
			b.Fatal(s)
		}
	}
}
