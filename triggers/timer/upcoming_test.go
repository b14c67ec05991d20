package timer

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/triggers"
)

func TestUpcoming(t *testing.T) {
	kinds, err := triggers.NewKinds(Kind(Options{AllowSubMinute: true}))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 5, 8, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		expr    string
		next    []string
		warning string
	}{
		{"0 0 8 * * *", []string{"2026-01-06T08:00:00Z", "2026-01-07T08:00:00Z", "2026-01-08T08:00:00Z"}, ""},
		{"@every 7m", []string{"2026-01-05T08:36:00Z", "2026-01-05T08:43:00Z", "2026-01-05T08:50:00Z"}, ""}, // since 08:01, see below
		{"CRON_TZ=America/New_York 0 0 9 * * *", []string{"2026-01-05T14:00:00Z", "2026-01-06T14:00:00Z", "2026-01-07T14:00:00Z"}, ""},
		{"0 0 0 29 2 *", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z", "2036-02-29T00:00:00Z"}, ""},
		{"* */15 * * * *", []string{"2026-01-05T08:30:01Z", "2026-01-05T08:30:02Z", "2026-01-05T08:30:03Z"}, `"0 */15 * * * *" fires once`},
		{"CRON_TZ=Asia/Shanghai */5 0 8 * * *", []string{"2026-01-06T00:00:00Z", "2026-01-06T00:00:05Z", "2026-01-06T00:00:10Z"},
			`"CRON_TZ=Asia/Shanghai 0 0 8 * * *" fires once`},
		{"0 0 8 13 * FRI", []string{"2026-01-09T08:00:00Z", "2026-01-13T08:00:00Z", "2026-01-16T08:00:00Z"}, "days that are either"},
	} {
		t.Run(c.expr, func(t *testing.T) {
			up, err := kinds.Upcoming(newTrigger("t", c.expr, now.Add(-29*time.Minute)), now, 3)
			if err != nil {
				t.Fatal(err)
			}
			var next []string
			for _, at := range up.Next {
				next = append(next, at.Format(time.RFC3339))
			}
			if d := cmp.Diff(c.next, next); d != "" || up.Schedule != c.expr {
				t.Errorf("the next of %s differ: %s", up.Schedule, d)
			}
			if !strings.Contains(up.Warning, c.warning) || (c.warning == "") != (up.Warning == "") {
				t.Errorf("warning %q, want one with %q", up.Warning, c.warning)
			}
		})
	}
	other := newTrigger("t", "0 0 8 * * *", now)
	other.Type = "oss"
	if _, err := kinds.Upcoming(other, now, 3); err == nil || !strings.Contains(err.Error(), "does not fire by the clock") {
		t.Errorf("an oss trigger: %v", err)
	}
}

// What was probably meant by a refused expression is part of the refusal.
func TestRefusalsSayWhatIsMeant(t *testing.T) {
	o := Options{}.withDefaults()
	for expr, want := range map[string]string{
		"* */15 * * * *":                "Seconds without '*'; perhaps 0 */15 * * * * is meant",
		"*/10 * * * * *":                "perhaps 0 * * * * * is meant",
		"0,30 0 8 * * *":                "perhaps 0 0 8 * * * is meant",
		"0 8 * * *":                     "6 fields, of which there are 5; perhaps 0 0 8 * * * is meant",
		"0 0 8 * * ? 2026":              "6 fields, of which there are 7; perhaps 0 0 8 * * ? is meant",
		"@daily":                        "perhaps 0 0 0 * * * is meant",
		"@hourly":                       "perhaps 0 0 * * * * is meant",
		"@every 30s":                    "@every of at least 1m0s",
		"CRON_TZ=Mars/Base 0 0 8 * * *": "a known time zone, which Mars/Base is not",
		"0 0 8 31 2 *":                  "this one never fires",
		"0 61 8 * * *":                  "well-formed fields",
	} {
		_, err := o.parse(expr, time.Now())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", expr, err, want)
		}
	}
}
