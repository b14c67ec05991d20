package triggers

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"fcd/fc"
)

// StoredKinds are the kinds that the guide and its successors have and fcd keeps without firing them: http and log. Their
// configuration is checked and returned as the cloud does.
func StoredKinds(region, account string) []Kind {
	return []Kind{
		{Type: fc.TriggerHTTP, Decode: decodeHTTP, Conflict: conflictHTTP},
		logKind(region, account),
	}
}

func prefixed(prefix string) func(string) bool {
	return func(s string) bool {
		rest, ok := strings.CutPrefix(s, prefix)
		return ok && rest != "" && !strings.Contains(rest, "/")
	}
}

// merged lays old, then raw, onto into.
func merged(into any, old, raw json.RawMessage, opaque ...string) error {
	if err := Merge(into, old, opaque...); err != nil {
		return err
	}
	return Merge(into, raw, opaque...)
}

// oneOf is the refusal of a value outside the list, nil within it.
func oneOf(field, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fc.InvalidField(field, strings.Join(allowed, " | "), value)
}

type httpConfig struct {
	AuthType string   `json:"authType"`
	Methods  []string `json:"methods"`
}

func decodeHTTP(old, raw json.RawMessage) (Config, error) {
	var c httpConfig
	if err := merged(&c, old, raw); err != nil {
		return Config{}, err
	}
	if err := oneOf("TriggerConfig.AuthType", c.AuthType, "anonymous", "function"); err != nil {
		return Config{}, err
	}
	if len(c.Methods) == 0 {
		return Config{}, fc.MissingField("TriggerConfig.Methods")
	}
	for _, m := range c.Methods {
		if err := oneOf("TriggerConfig.Methods", m, "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"); err != nil {
			return Config{}, err
		}
	}
	return Config{JSON: Canonical(c), Enabled: true}, nil
}

// conflictHTTP holds that an http trigger is the only trigger of its function.
func conflictHTTP(t *fc.Trigger, others []*fc.Trigger) error {
	for _, o := range others {
		if o.ServiceName == t.ServiceName && o.FunctionName == t.FunctionName {
			return fc.Errorf(fc.InvalidArgument, "an http trigger must be the only trigger of its function, which has '%s'", o.Name)
		}
	}
	return nil
}

type logConfig struct {
	SourceConfig struct {
		Logstore  string `json:"logstore"`
		StartTime *int64 `json:"startTime,omitempty"` // Unix seconds
	} `json:"sourceConfig"`
	JobConfig struct {
		MaxRetryTime    int `json:"maxRetryTime"`
		TriggerInterval int `json:"triggerInterval"` // seconds
	} `json:"jobConfig"`
	FunctionParameter json.RawMessage `json:"functionParameter"`
	LogConfig         fc.LogConfig    `json:"logConfig"`
	Enable            bool            `json:"enable"`
}

// maxLogTriggers bounds the triggers of one source logstore.
const maxLogTriggers = 5

func logKind(region, account string) Kind {
	check := RegionalARN("log", region, account, "project/<project>", prefixed("project/"))
	return Kind{Type: fc.TriggerLog, Service: "log.aliyuncs.com", CheckSource: check, Decode: decodeLog, Conflict: conflictLog}
}

func decodeLog(old, raw json.RawMessage) (Config, error) {
	c := logConfig{Enable: true, FunctionParameter: json.RawMessage("{}")}
	c.JobConfig.MaxRetryTime, c.JobConfig.TriggerInterval = 3, 60
	if err := Merge(&c, old, "functionParameter"); err != nil {
		return Config{}, err
	}
	source := c.SourceConfig.Logstore
	if err := Merge(&c, raw, "functionParameter"); err != nil {
		return Config{}, err
	}
	if old != nil && c.SourceConfig.Logstore != source {
		return Config{}, fc.InvalidField("TriggerConfig.SourceConfig.Logstore", "its value at creation, "+source, c.SourceConfig.Logstore)
	}
	if err := c.check(); err != nil {
		return Config{}, err
	}
	return Config{JSON: Canonical(c), Enabled: c.Enable}, nil
}

func (c *logConfig) check() error {
	switch retry, interval := c.JobConfig.MaxRetryTime, c.JobConfig.TriggerInterval; {
	case c.SourceConfig.Logstore == "":
		return fc.MissingField("TriggerConfig.SourceConfig.Logstore")
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

// conflictLog checks what a log trigger's own configuration cannot tell: its log project is that of its source, and a
// logstore feeds at most maxLogTriggers.
func conflictLog(t *fc.Trigger, others []*fc.Trigger) error {
	var c, o logConfig
	if err := Merge(&c, t.Config, "functionParameter"); err != nil {
		return err
	}
	_, project, _ := strings.Cut(t.SourceARN, ":project/")
	if c.LogConfig.Project != "" && c.LogConfig.Project != project {
		return fc.InvalidField("TriggerConfig.LogConfig.Project", "the source project "+project, c.LogConfig.Project)
	}
	n := 0
	for _, other := range others {
		o = logConfig{}
		if Merge(&o, other.Config, "functionParameter") == nil && other.Type == t.Type && o.SourceConfig.Logstore == c.SourceConfig.Logstore {
			n++
		}
	}
	if n >= maxLogTriggers {
		return fc.Errorf(fc.InvalidArgument, "logstore '%s' of project '%s' has %d triggers already", c.SourceConfig.Logstore, project, n)
	}
	return nil
}
