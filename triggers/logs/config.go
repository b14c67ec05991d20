package logs

import (
	"encoding/json"
	"strconv"

	"fcd/fc"
	"fcd/triggers"
)

// maxTriggers bounds the triggers of one source logstore.
const maxTriggers = 5

// config is the triggerConfig of a log trigger.
type config struct {
	SourceConfig      sourceConfig    `json:"sourceConfig"`
	JobConfig         jobConfig       `json:"jobConfig"`
	FunctionParameter json.RawMessage `json:"functionParameter"` // an object, handed to the function as it is
	LogConfig         fc.LogConfig    `json:"logConfig"`         // where each attempt is recorded; no logstore: nowhere
	Enable            bool            `json:"enable"`
}

// sourceConfig cannot change.
type sourceConfig struct {
	Logstore  string `json:"logstore"`
	StartTime *int64 `json:"startTime,omitempty"` // Unix seconds
}

type jobConfig struct {
	MaxRetryTime    int `json:"maxRetryTime"`
	TriggerInterval int `json:"triggerInterval"` // seconds
}

func decode(old, raw json.RawMessage) (triggers.Config, error) {
	c, err := read(old)
	if err != nil {
		return triggers.Config{}, err
	}
	source := c.SourceConfig
	if source.StartTime != nil {
		at := *source.StartTime
		source.StartTime = &at // merging writes through the pointer
	}
	if err := triggers.Merge(&c, raw, "functionParameter"); err != nil {
		return triggers.Config{}, err
	}
	if old != nil {
		if err := source.unchanged(c.SourceConfig); err != nil {
			return triggers.Config{}, err
		}
	}
	if err := c.check(); err != nil {
		return triggers.Config{}, err
	}
	return triggers.Config{JSON: triggers.Canonical(c), Enabled: c.Enable}, nil
}

// read lays a stored configuration, if any, over the defaults.
func read(stored json.RawMessage) (config, error) {
	c := config{Enable: true, FunctionParameter: json.RawMessage("{}"), JobConfig: jobConfig{MaxRetryTime: 3, TriggerInterval: 60}}
	return c, triggers.Merge(&c, stored, "functionParameter")
}

func (c *config) check() error {
	switch retry, interval := c.JobConfig.MaxRetryTime, c.JobConfig.TriggerInterval; {
	case c.SourceConfig.Logstore == "":
		return fc.MissingField("TriggerConfig.SourceConfig.Logstore")
	case c.SourceConfig.StartTime != nil && *c.SourceConfig.StartTime < 0:
		return fc.InvalidField("TriggerConfig.SourceConfig.StartTime", "Unix seconds", strconv.FormatInt(*c.SourceConfig.StartTime, 10))
	case retry < 0 || retry > 100:
		return fc.InvalidField("TriggerConfig.JobConfig.MaxRetryTime", "0 to 100", strconv.Itoa(retry))
	case interval < 3 || interval > 600:
		return fc.InvalidField("TriggerConfig.JobConfig.TriggerInterval", "3 to 600", strconv.Itoa(interval))
	case len(c.FunctionParameter) == 0 || c.FunctionParameter[0] != '{':
		return fc.InvalidField("TriggerConfig.FunctionParameter", "an object", string(c.FunctionParameter))
	case c.LogConfig.Logstore == c.SourceConfig.Logstore:
		return fc.InvalidField("TriggerConfig.LogConfig.Logstore", "another than the source logstore", c.LogConfig.Logstore)
	}
	return nil
}

func (s sourceConfig) unchanged(now sourceConfig) error {
	if now.Logstore != s.Logstore {
		return fc.InvalidField("TriggerConfig.SourceConfig.Logstore", "its value at creation, "+s.Logstore, now.Logstore)
	}
	if before, after := seconds(s.StartTime), seconds(now.StartTime); before != after {
		return fc.InvalidField("TriggerConfig.SourceConfig.StartTime", "its value at creation, "+before, after)
	}
	return nil
}

func seconds(at *int64) string {
	if at == nil {
		return "none"
	}
	return strconv.FormatInt(*at, 10)
}

// conflict checks what a log trigger's own configuration cannot tell: its log project is that of its source, and a logstore
// feeds at most maxTriggers.
func conflict(t *fc.Trigger, others []*fc.Trigger) error {
	c, err := read(t.Config)
	if err != nil {
		return err
	}
	project := projectOf(t.SourceARN)
	if c.LogConfig.Project != "" && c.LogConfig.Project != project {
		return fc.InvalidField("TriggerConfig.LogConfig.Project", "the source project "+project, c.LogConfig.Project)
	}
	n := 0
	for _, other := range others {
		o, err := read(other.Config)
		if err == nil && other.Type == t.Type && other.SourceARN == t.SourceARN && o.SourceConfig.Logstore == c.SourceConfig.Logstore {
			n++
		}
	}
	if n >= maxTriggers {
		return fc.Errorf(fc.InvalidArgument, "logstore '%s' of project '%s' has %d triggers already", c.SourceConfig.Logstore, project, n)
	}
	return nil
}
