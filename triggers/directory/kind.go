// Package directory is the trigger kind "x-directory": functions run for files that appear, change or go in a folder of the
// host. It is the example of docs/extending.md, small enough to read in one go, and works.
//
//	kind := directory.Kind(directory.Options{Region: "cn-shanghai", Account: "123456", Folders: map[string]string{"inbox": "/srv/inbox"}})
//
// A trigger names a folder that the operator has opened, never a path: acs:directory:<region>:<account>:inbox. Files
// directly in the folder count, those below it and those whose name begins with a dot do not. A file is looked at each
// second and reported once it has rested for that long, so that one that is being written is not reported half:
//
//	{"events":[{"eventName":"FileCreated","directory":"inbox","file":"a.csv","size":3,"modifiedTime":"2026-01-05T08:00:00.000Z"}]}
//
// What a trigger has reported is its checkpoint, committed together with each event. Files older than the trigger are
// none of its business.
package directory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"fcd/fc"
	"fcd/triggers"
)

// Type is the kind's name. Types that begin with "x-" are not the cloud's.
const Type = "x-directory"

// service is whom the invocation role of such a trigger must trust.
const service = "directory.fcd.local"

// Names of events.
const (
	created = "FileCreated"
	changed = "FileChanged"
	removed = "FileRemoved"
)

// Options are the rules of the kind.
type Options struct {
	Region, Account string
	Folders         map[string]string // paths of the folders that triggers may name
}

// Kind makes the kind "x-directory".
func Kind(o Options) triggers.Kind {
	named := func(name string) bool { return o.Folders[name] != "" }
	return triggers.Kind{
		Type:        Type,
		Service:     service,
		Decode:      decode,
		CheckSource: triggers.RegionalARN("directory", o.Region, o.Account, "<name of a folder>", named),
		Again:       again,
		New:         func(env triggers.Env) (triggers.Source, error) { return newSource(env, o.Folders), nil },
	}
}

// config is the triggerConfig.
type config struct {
	Events []string `json:"events"` // default: all three
	Suffix string   `json:"suffix"` // of file names; "" takes all
}

func decode(old, raw json.RawMessage) (triggers.Config, error) {
	c := config{Events: []string{created, changed, removed}}
	for _, layer := range []json.RawMessage{old, raw} {
		if err := triggers.Merge(&c, layer); err != nil {
			return triggers.Config{}, err
		}
	}
	if len(c.Events) == 0 {
		return triggers.Config{}, fc.MissingField("TriggerConfig.Events")
	}
	for _, e := range c.Events {
		if !slices.Contains([]string{created, changed, removed}, e) {
			return triggers.Config{}, fc.InvalidField("TriggerConfig.Events", created+" | "+changed+" | "+removed, e)
		}
	}
	return triggers.Config{JSON: triggers.Canonical(c), Enabled: true}, nil
}

// mismatch is why the trigger does not want an event of the file, as a word and for people; "" if it does.
func (c *config) mismatch(event, file string) (reason, detail string) {
	switch {
	case !slices.Contains(c.Events, event):
		return "event", fmt.Sprintf("the trigger's events are %s, not %s", strings.Join(c.Events, ", "), event)
	case !strings.HasSuffix(file, c.Suffix):
		return "suffix", fmt.Sprintf("the file '%s' does not end with '%s'", file, c.Suffix)
	}
	return "", ""
}
