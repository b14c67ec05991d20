// Package rds is the trigger kind for changes of the tables of a database instance of the Relational Database Service.
//
// What the service sends is not documented: the clients that know the kind say only that a trigger asks for protobuf or for
// JSON. So a body is one event, whatever it holds, functions get it byte for byte as it came, and whoever brings one must
// have proved the instance. Nobody can tell whose tables it is about: every trigger of the instance gets it.
package rds

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"fcd/fc"
	"fcd/triggers"
)

const service = "rds.aliyuncs.com" // whom the invocation role must trust

// Kind makes the kind "rds" for database instances of the region and account.
func Kind(region, account string) triggers.Kind {
	check := triggers.RegionalARN("rds", region, account, instancePrefix+"<instance>", isInstance)
	return triggers.Kind{
		Type: fc.TriggerRDS, Service: service, Decode: decode, CheckSource: check,
		Again: triggers.Again(readTrigger, open),
		New: func(env triggers.Env) (triggers.Source, error) {
			return &triggers.Inbox[config]{Rules: triggers.NewRules[config](env, service), Read: readTrigger, Open: open}, nil
		},
	}
}

const instancePrefix = "dbinstance/"

func isInstance(s string) bool {
	name, ok := strings.CutPrefix(s, instancePrefix)
	return ok && name != "" && !strings.ContainsAny(name, "/*")
}

// Bounds and defaults of a configuration.
const (
	maxRetry       = 3 // and the default
	maxConcurrency = 5
	formatProtobuf = "protobuf" // the default
	formatJSON     = "json"
)

// config is the triggerConfig of an rds trigger. It tells the service in the cloud what to send and how; here it is checked
// and kept, and what is brought is taken.
type config struct {
	SubscriptionObjects []string `json:"subscriptionObjects"` // tables
	Retry               int      `json:"retry"`
	Concurrency         int      `json:"concurrency"`
	EventFormat         string   `json:"eventFormat"`
}

func readTrigger(t *fc.Trigger) (config, error) {
	var c config
	return c, triggers.Merge(&c, t.Config)
}

func decode(old, raw json.RawMessage) (triggers.Config, error) {
	c := config{Retry: maxRetry, Concurrency: 1, EventFormat: formatProtobuf}
	for _, layer := range []json.RawMessage{old, raw} {
		if err := triggers.Merge(&c, layer); err != nil {
			return triggers.Config{}, err
		}
	}
	if err := c.check(); err != nil {
		return triggers.Config{}, err
	}
	return triggers.Config{JSON: triggers.Canonical(c), Enabled: true}, nil
}

func (c *config) check() error {
	switch {
	case len(c.SubscriptionObjects) == 0:
		return fc.MissingField("TriggerConfig.SubscriptionObjects")
	case slices.Contains(c.SubscriptionObjects, ""):
		return fc.Errorf(fc.InvalidArgument, "TriggerConfig.SubscriptionObjects has an empty name")
	case c.Retry < 0 || c.Retry > maxRetry:
		return fc.InvalidField("TriggerConfig.Retry", fmt.Sprintf("0 to %d", maxRetry), fmt.Sprint(c.Retry))
	case c.Concurrency < 1 || c.Concurrency > maxConcurrency:
		return fc.InvalidField("TriggerConfig.Concurrency", fmt.Sprintf("1 to %d", maxConcurrency), fmt.Sprint(c.Concurrency))
	case c.EventFormat != formatProtobuf && c.EventFormat != formatJSON:
		return fc.InvalidField("TriggerConfig.EventFormat", formatProtobuf+" | "+formatJSON, c.EventFormat)
	}
	return nil
}

// open takes a body as one happening.
func open(a fc.Arrival) ([]triggers.Happening[config], error) {
	if a.Source == "" {
		return nil, fc.MissingField("SourceArn")
	}
	if len(a.Body) == 0 {
		return nil, fc.Errorf(fc.InvalidArgument, "the body is empty")
	}
	return []triggers.Happening[config]{{
		ID: "rds/" + triggers.HashKey(a.Source, a.MessageID, string(a.Body)), Unique: a.MessageID != "", Source: a.Source,
		Subject:  "changes of " + a.Source[strings.LastIndexByte(a.Source, ':')+1:],
		Mismatch: func(*triggers.Rule[config]) string { return "" },
		Payload:  func(*triggers.Rule[config]) []byte { return a.Body },
	}}, nil
}
