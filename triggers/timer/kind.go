// Package timer is the trigger kind that fires by the clock: every so often, or by a cron expression of six fields.
//
//	{"payload":"awesome-fc","cronExpression":"0 0 8 * * *","enable":true}     every day at 08:00 UTC
//	{"payload":"","cronExpression":"CRON_TZ=Asia/Shanghai 0 0 8 * * *"}       at 00:00 UTC
//	{"payload":"","cronExpression":"@every 5m"}                               from the change on
//
// Fields are seconds, minutes, hours, day of month, month and day of week, where 1 is Monday and 7, like 0, is Sunday.
// Where both day fields are restricted, either suffices. A local time that daylight saving skips is skipped; one that it
// repeats fires twice.
//
// All timers of the daemon share one heap and one clock. Each scheduled second of a trigger is dispatched once: the
// deduplication key names the trigger and the second, and the second becomes the trigger's checkpoint in the same
// commit. A fire that the daemon slept through is left out, or made up for, as Options say; a fire that could not be
// committed is tried again until it is too late.
//
// The grammar is checked here, character by character; computing the next instant of a cron expression is left to
// robfig/cron.
package timer

import (
	"encoding/json"
	"strconv"
	"time"

	"fcd/fc"
	"fcd/triggers"
)

// Options are the rules of the kind. The zero value is the guide's.
type Options struct {
	// AllowSubMinute lets the seconds field take lists, ranges and steps and lowers the floor of @every to 1 s.
	AllowSubMinute bool
	MinEvery       time.Duration // the shortest @every; default 1 min
	// DayOfWeekBase is "mon1" (1 is Monday, 7 is Sunday; the default) or "sun1" (1 is Sunday, 7 is Saturday).
	DayOfWeekBase string
	// Misfire tells what becomes of instants that the daemon slept through: "skip" leaves them out (the default), "once"
	// makes up for the latest one, "all" for each, oldest first.
	Misfire string
	// MaxLateness bounds how late an instant may be dispatched, as a made-up misfire or by trying again. Default 1 h.
	MaxLateness time.Duration
	// MaxMisfires bounds how many instants of a trigger are made up for at a time, the latest ones. Default 100.
	MaxMisfires     int
	MaxPayloadBytes int // of the configured payload; default 4096

	zones *zoneCache
}

// Values of Options.
const (
	Monday1     = "mon1"
	Sunday1     = "sun1"
	MisfireSkip = "skip"
	MisfireOnce = "once"
	MisfireAll  = "all"
)

func (o Options) withDefaults() Options {
	if o.MinEvery == 0 {
		o.MinEvery = time.Minute
	}
	if o.AllowSubMinute {
		o.MinEvery = min(o.MinEvery, time.Second)
	}
	if o.MaxLateness == 0 {
		o.MaxLateness = time.Hour
	}
	if o.MaxMisfires == 0 {
		o.MaxMisfires = 100
	}
	if o.MaxPayloadBytes == 0 {
		o.MaxPayloadBytes = 4096
	}
	if o.Misfire == "" {
		o.Misfire = MisfireSkip
	}
	o.zones = &zoneCache{}
	return o
}

// Kind makes the kind "timer".
func Kind(o Options) triggers.Kind {
	o = o.withDefaults()
	return triggers.Kind{Type: fc.TriggerTimer, Decode: o.decode, Upcoming: o.upcoming, New: o.newSource}
}

// config is the triggerConfig of a timer.
type config struct {
	Payload        string `json:"payload"`
	CronExpression string `json:"cronExpression"`
	Enable         bool   `json:"enable"`
}

func (o Options) decode(old, raw json.RawMessage) (triggers.Config, error) {
	c := config{Enable: true}
	if err := triggers.Merge(&c, old); err != nil {
		return triggers.Config{}, err
	}
	if err := c.merge(raw); err != nil {
		return triggers.Config{}, err
	}
	if c.CronExpression == "" {
		return triggers.Config{}, fc.MissingField("TriggerConfig.CronExpression")
	}
	if _, err := o.parse(c.CronExpression, time.Now()); err != nil {
		return triggers.Config{}, fc.InvalidField("TriggerConfig.CronExpression", err.Error(), c.CronExpression)
	}
	if len(c.Payload) > o.MaxPayloadBytes {
		return triggers.Config{}, fc.InvalidField("TriggerConfig.Payload", "at most "+strconv.Itoa(o.MaxPayloadBytes)+" bytes", strconv.Itoa(len(c.Payload))+" bytes")
	}
	return triggers.Config{JSON: triggers.Canonical(c), Enabled: c.Enable, Schedule: c.CronExpression}, nil
}

// merge lays raw onto the configuration; "enabled" is another name of "enable", which wins if both are given.
func (c *config) merge(raw json.RawMessage) error {
	alias := struct {
		config
		Enabled *bool `json:"enabled"`
		Enable  *bool `json:"enable"`
	}{config: *c}
	if err := triggers.Merge(&alias, raw); err != nil {
		return err
	}
	*c = alias.config
	for _, v := range []*bool{alias.Enabled, alias.Enable} {
		if v != nil {
			c.Enable = *v
		}
	}
	return nil
}
