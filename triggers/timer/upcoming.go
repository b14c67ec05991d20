package timer

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"fcd/fc"
)

// upcoming are the next instants of a timer, as if it were switched on, and what may not have been meant by it.
func (o Options) upcoming(t *fc.Trigger, now time.Time, n int) (fc.Upcoming, error) {
	var c config
	if err := json.Unmarshal(t.Config, &c); err != nil {
		return fc.Upcoming{}, fmt.Errorf("configuration of trigger %s: %w", t.Path(), err)
	}
	sch, err := o.parse(c.CronExpression, t.ScheduledSince)
	if err != nil {
		return fc.Upcoming{}, fmt.Errorf("trigger %s: %w", t.Path(), fc.InvalidField("cronExpression", err.Error(), c.CronExpression))
	}
	up := fc.Upcoming{Schedule: c.CronExpression, Warning: warning(c.CronExpression), Next: []time.Time{}}
	for at := sch.Next(now); !at.IsZero() && len(up.Next) < n; at = sch.Next(at) {
		up.Next = append(up.Next, at.UTC())
	}
	return up, nil
}

// warning says what an expression that is well-formed does if it is probably not what was meant, "" otherwise.
func warning(expr string) string {
	zone, fields := splitZone(expr)
	if len(fields) != len(cronFields) {
		return ""
	}
	if fields[0] == "*" || strings.HasPrefix(fields[0], "*/") {
		once := zone + strings.Join(append([]string{"0"}, fields[1:]...), " ")
		return fmt.Sprintf("the first field is seconds: %q fires many times in each minute that the others name; %q fires once in it", expr, once)
	}
	if restricted(fields[3]) && restricted(fields[5]) {
		return fmt.Sprintf("%q names days of the month and days of the week: it fires on days that are either", expr)
	}
	return ""
}

func restricted(field string) bool { return field != "*" && field != "?" }

// splitZone cuts an expression into its zone, with the blank behind it, and its fields.
func splitZone(expr string) (zone string, fields []string) {
	expr = strings.TrimSpace(expr)
	if strings.HasPrefix(expr, zonePrefix) {
		name, rest, _ := strings.Cut(expr, " ")
		return name + " ", strings.Fields(rest)
	}
	return "", strings.Fields(expr)
}

// suggestion is what was probably meant by fields that are refused, as the end of a sentence; "" if nobody can tell.
func suggestion(fields []string) string {
	meant := ""
	switch {
	case len(fields) == 1:
		meant = map[string]string{"@hourly": "0 0 * * * *", "@daily": "0 0 0 * * *", "@midnight": "0 0 0 * * *", "@weekly": "0 0 0 * * SUN",
			"@monthly": "0 0 0 1 * *", "@yearly": "0 0 0 1 1 *", "@annually": "0 0 0 1 1 *"}[fields[0]]
	case len(fields) == len(cronFields)-1: // as crontab has them
		meant = "0 " + strings.Join(fields, " ")
	case len(fields) == len(cronFields)+1: // with a year
		meant = strings.Join(fields[:len(cronFields)], " ")
	case len(fields) == len(cronFields) && strings.ContainsAny(fields[0], "*,-/"):
		meant = strings.Join(append([]string{"0"}, fields[1:]...), " ")
	}
	if meant == "" {
		return ""
	}
	return "; perhaps " + meant + " is meant"
}
