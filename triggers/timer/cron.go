package timer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones must load on machines without a zone database

	"github.com/robfig/cron/v3"
)

const (
	maxExpression = 256 // bytes
	zonePrefix    = "CRON_TZ="
)

// schedule tells the next instant after t, the zero time if there is none.
type schedule interface{ Next(t time.Time) time.Time }

// every is the schedule of @every: whole periods after an anchor, so that a restart does not move the phase.
type every struct {
	anchor time.Time
	period time.Duration
}

func (e every) Next(t time.Time) time.Time {
	if t.Before(e.anchor) {
		return e.anchor.Add(e.period)
	}
	return e.anchor.Add((t.Sub(e.anchor)/e.period + 1) * e.period)
}

// fields is a cron expression's schedule, with instants in UTC.
type fields struct{ *cron.SpecSchedule }

func (f fields) Next(t time.Time) time.Time {
	n := f.SpecSchedule.Next(t.UTC())
	if n.IsZero() {
		return n
	}
	return n.UTC()
}

// parse reads an expression; anchor is where @every counts from. The error is what would have been allowed.
func (o Options) parse(expr string, anchor time.Time) (schedule, error) {
	expr = strings.TrimSpace(expr)
	switch {
	case expr == "":
		return nil, errors.New("6 fields, or @every <duration>")
	case len(expr) > maxExpression:
		return nil, fmt.Errorf("at most %d bytes", maxExpression)
	case strings.HasPrefix(expr, "TZ="):
		return nil, errors.New("a zone written as CRON_TZ=<zone>")
	case strings.HasPrefix(expr, "@"):
		return o.parseEvery(expr, anchor)
	}
	zone := time.UTC
	if rest, ok := strings.CutPrefix(expr, zonePrefix); ok {
		name, cronExpr, found := strings.Cut(rest, " ")
		if !found || name == "" {
			return nil, errors.New("CRON_TZ=<zone>, a blank and 6 fields")
		}
		loc, err := o.zones.load(name)
		if err != nil {
			return nil, err
		}
		expr, zone = cronExpr, loc
	}
	return o.parseCron(expr, zone, anchor)
}

func (o Options) parseEvery(expr string, anchor time.Time) (schedule, error) {
	text, ok := strings.CutPrefix(expr, "@every ")
	if !ok {
		return nil, fmt.Errorf("no descriptor but @every <duration>%s", suggestion(strings.Fields(expr)))
	}
	d, err := time.ParseDuration(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, errors.New("a duration like 5m or 1h30m after @every")
	case d < o.MinEvery:
		return nil, fmt.Errorf("@every of at least %v", o.MinEvery)
	case d%time.Second != 0:
		return nil, errors.New("@every of whole seconds")
	}
	if anchor.IsZero() {
		anchor = time.Unix(0, 0)
	}
	return every{anchor: anchor.UTC().Truncate(time.Second), period: d}, nil
}

// cronField is what one field may hold.
type cronField struct {
	name    string
	special string // allowed besides digits
	letters bool   // names of months or days
}

var cronFields = [6]cronField{
	{"Seconds", "", false},
	{"Minutes", ",-*/", false},
	{"Hours", ",-*/", false},
	{"Day-of-month", ",-*?/", false},
	{"Month", ",-*/", true},
	{"Day-of-week", ",-*?", true},
}

var cronParser = cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func (o Options) parseCron(expr string, zone *time.Location, now time.Time) (s schedule, err error) {
	parts := strings.Fields(expr)
	if len(parts) != len(cronFields) {
		return nil, fmt.Errorf("6 fields, of which there are %d%s", len(parts), suggestion(parts))
	}
	for i, f := range parts {
		if err := o.checkField(cronFields[i], f); err != nil {
			if i == 0 { // the first field is minutes elsewhere
				err = fmt.Errorf("%w%s", err, suggestion(parts))
			}
			return nil, err
		}
	}
	if parts[5], err = o.dayOfWeek(parts[5]); err != nil {
		return nil, err
	}
	defer func() { // the parser panics on some malformed input
		if recover() != nil {
			s, err = nil, errors.New("a well-formed expression")
		}
	}()
	parsed, err := cronParser.Parse(strings.Join(parts, " "))
	if err != nil {
		return nil, fmt.Errorf("well-formed fields: %w", err)
	}
	spec := parsed.(*cron.SpecSchedule)
	spec.Location = zone
	if spec.Next(now.UTC()).IsZero() {
		return nil, errors.New("a date that exists: this one never fires")
	}
	return fields{spec}, nil
}

// checkField holds that a field is made of the characters that it may be made of, and that steps are sensible.
func (o Options) checkField(f cronField, text string) error {
	special := f.special
	if f.name == "Seconds" && o.AllowSubMinute {
		special = ",-*/"
	}
	for i := range len(text) {
		c := text[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !(c >= '0' && c <= '9' || letter && f.letters || strings.IndexByte(special, c) >= 0) {
			return fmt.Errorf("%s without %q", f.name, c)
		}
	}
	if special == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		if _, step, ok := strings.Cut(part, "/"); ok {
			if n, err := strconv.Atoi(step); err != nil || n < 1 || n > fieldSpan(f.name) {
				return fmt.Errorf("%s with a step from 1 to %d", f.name, fieldSpan(f.name))
			}
		}
	}
	return nil
}

func fieldSpan(name string) int {
	switch name {
	case "Hours":
		return 23
	case "Day-of-month":
		return 31
	case "Month":
		return 12
	}
	return 59
}

var dayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

// dayOfWeek rewrites the field with days 0 (Sunday) to 6, as the parser counts them. A range may end in 7 or SUN.
func (o Options) dayOfWeek(text string) (string, error) {
	if text == "*" || text == "?" {
		return text, nil
	}
	var on [7]bool
	for part := range strings.SplitSeq(text, ",") {
		from, to, err := o.dayRange(part)
		if err != nil {
			return "", err
		}
		for d := from; d <= to; d++ {
			on[d%7] = true
		}
	}
	var days []string
	for d, yes := range on {
		if yes {
			days = append(days, strconv.Itoa(d))
		}
	}
	if len(days) == len(on) {
		return "*", nil
	}
	return strings.Join(days, ","), nil
}

// dayRange reads "a" or "a-b" as days from 0 (Sunday) to 7 (Sunday, too).
func (o Options) dayRange(part string) (from, to int, err error) {
	low, high, ranged := strings.Cut(part, "-")
	if from, err = o.day(low); err != nil || !ranged {
		return from, from, err
	}
	if to, err = o.day(high); err != nil {
		return from, to, err
	}
	if strings.EqualFold(high, dayNames[0]) {
		to = 7
	}
	if to < from {
		return from, to, fmt.Errorf("Day-of-week ranges that do not run backwards, as %s does", part)
	}
	return from, to, nil
}

// day reads a name or a number as 0 (Sunday) to 7 (Sunday, too).
func (o Options) day(s string) (int, error) {
	for i, n := range dayNames {
		if strings.EqualFold(s, n) {
			return i, nil
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 7 {
		return 0, errors.New("Day-of-week from 1 to 7 or SUN to SAT")
	}
	if o.DayOfWeekBase == Sunday1 {
		return max(n-1, 0), nil
	}
	return n, nil
}

// zoneCache keeps time zones, each of which is some kilobytes, so that timers share them.
type zoneCache struct{ byName sync.Map }

func (z *zoneCache) load(name string) (*time.Location, error) {
	if loc, ok := z.byName.Load(name); ok {
		return loc.(*time.Location), nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("a known time zone, which %s is not", name)
	}
	kept, _ := z.byName.LoadOrStore(name, loc)
	return kept.(*time.Location), nil
}
