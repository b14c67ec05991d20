package logs

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/triggers"
)

func kinds(t testing.TB) *triggers.Kinds {
	t.Helper()
	k, err := triggers.NewKinds(Kind(Options{Region: "cn-shanghai", Account: "123456"}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const (
	sourceARN = "acs:log:cn-shanghai:123456:project/p"
	role      = "acs:ram::123456:role/r"
)

func TestConfiguration(t *testing.T) {
	const before = `{"sourceConfig":{"logstore":"src","startTime":5},"jobConfig":{"maxRetryTime":1,"triggerInterval":30},"functionParameter":{"a":1},"logConfig":{"project":"","logstore":""},"enable":true}`
	job := func(member string, value any) string {
		return fmt.Sprintf(`{"sourceConfig":{"logstore":"src"},"jobConfig":{%q:%v}}`, member, value)
	}
	for _, c := range []struct {
		name, arn, role, old, raw string
		want                      string // canonical, or "!" and a part of the refusal
	}{
		{"all there is", sourceARN, role, "", `{"sourceConfig":{"logstore":"src"},"jobConfig":{"maxRetryTime":1,"triggerInterval":30},"functionParameter":{"A":null,"a":[1]},"logConfig":{"project":"p","logstore":"l"},"enable":true}`,
			`{"sourceConfig":{"logstore":"src"},"jobConfig":{"maxRetryTime":1,"triggerInterval":30},"functionParameter":{"A":null,"a":[1]},"logConfig":{"project":"p","logstore":"l"},"enable":true}`},
		{"defaults", sourceARN, role, "", `{"sourceConfig":{"Logstore":"src"},"functionParameter":null}`,
			`{"sourceConfig":{"logstore":"src"},"jobConfig":{"maxRetryTime":3,"triggerInterval":60},"functionParameter":{},"logConfig":{"project":"","logstore":""},"enable":true}`},
		{"another interval", sourceARN, role, before, `{"jobConfig":{"triggerInterval":31},"enable":false}`,
			`{"sourceConfig":{"logstore":"src","startTime":5},"jobConfig":{"maxRetryTime":1,"triggerInterval":31},"functionParameter":{"a":1},"logConfig":{"project":"","logstore":""},"enable":false}`},
		{"the same source", sourceARN, role, before, `{"sourceConfig":{"logstore":"src","startTime":5}}`, before},
		{"another source", sourceARN, role, before, `{"sourceConfig":{"logstore":"other"}}`, "!TriggerConfig.SourceConfig.Logstore"},
		{"another start", sourceARN, role, before, `{"sourceConfig":{"startTime":6}}`, "!TriggerConfig.SourceConfig.StartTime"},
		{"a start before time began", sourceARN, role, "", `{"sourceConfig":{"logstore":"src","startTime":-1}}`, "!StartTime"},
		{"into its own source", sourceARN, role, "", `{"sourceConfig":{"logstore":"src"},"logConfig":{"project":"p","logstore":"src"}}`, "!TriggerConfig.LogConfig.Logstore"},
		{"without a source", sourceARN, role, "", `{}`, "!TriggerConfig.SourceConfig.Logstore"},
		{"too often", sourceARN, role, "", job("triggerInterval", 2), "!TriggerInterval"},
		{"too seldom", sourceARN, role, "", job("triggerInterval", 601), "!TriggerInterval"},
		{"a negative number of retries", sourceARN, role, "", job("maxRetryTime", -1), "!MaxRetryTime"},
		{"too many retries", sourceARN, role, "", job("maxRetryTime", 101), "!MaxRetryTime"},
		{"a list as parameter", sourceARN, role, "", `{"sourceConfig":{"logstore":"src"},"functionParameter":[1]}`, "!FunctionParameter"},
		{"a longer source", sourceARN + "/logstore/l", role, "", `{"sourceConfig":{"logstore":"src"}}`, "!SourceArn"},
		{"no source", "", role, "", `{"sourceConfig":{"logstore":"src"}}`, "!SourceArn"},
		{"another region's source", "acs:log:cn-beijing:123456:project/p", role, "", `{"sourceConfig":{"logstore":"src"}}`, "!SourceArn"},
		{"no role", sourceARN, "", "", `{"sourceConfig":{"logstore":"src"}}`, "!InvocationRole"},
		{"a user for a role", sourceARN, "acs:ram::123456:user/u", "", `{"sourceConfig":{"logstore":"src"}}`, "!InvocationRole"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var old *fc.Trigger
			if c.old != "" {
				old = &fc.Trigger{Type: fc.TriggerLog, SourceARN: c.arn, InvocationRole: c.role, Config: json.RawMessage(c.old)}
			}
			tr := &fc.Trigger{Type: fc.TriggerLog, SourceARN: c.arn, InvocationRole: c.role}
			err := kinds(t).Normalize(old, tr, json.RawMessage(c.raw))
			if part, refused := strings.CutPrefix(c.want, "!"); refused {
				if fc.CodeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want a refusal that names %s", err, part)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, string(tr.Config)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestConflicts(t *testing.T) {
	k := kinds(t)
	trigger := func(id, project string) *fc.Trigger {
		return &fc.Trigger{ID: id, Type: fc.TriggerLog, SourceARN: sourceARN,
			Config: json.RawMessage(fmt.Sprintf(`{"sourceConfig":{"logstore":"src"},"logConfig":{"project":%q,"logstore":"l"}}`, project))}
	}
	if err := k.Conflict(trigger("1", "elsewhere"), nil); err == nil || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("records into another project: %v", err)
	}
	var five []*fc.Trigger
	for i := range 5 {
		if err := k.Conflict(trigger("x", "p"), five); err != nil {
			t.Errorf("trigger %d: %v", i+1, err)
		}
		five = append(five, trigger(fmt.Sprint(i), "p"))
	}
	if err := k.Conflict(trigger("x", "p"), five); fc.CodeOf(err) != fc.InvalidArgument {
		t.Errorf("a sixth: %v", err)
	}
	if err := k.Conflict(trigger("0", "p"), five); err != nil {
		t.Errorf("one of the five is changed: %v", err)
	}
	if service, needs := k.NeedsRole(fc.TriggerLog); service != "log.aliyuncs.com" || !needs {
		t.Errorf("the role is of %q, needed %v", service, needs)
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add([]byte(`{"sourceConfig":{"logstore":"s","startTime":1},"functionParameter":{}}`), []byte(`{"enable":null,"JOBCONFIG":{"maxRetryTime":0}}`))
	k := kinds(f)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		old := &fc.Trigger{Type: fc.TriggerLog, SourceARN: sourceARN, InvocationRole: role}
		if k.Normalize(nil, old, a) != nil {
			return
		}
		next := *old
		err := k.Normalize(old, &next, b)
		if err != nil && fc.CodeOf(err) != fc.InvalidArgument {
			t.Errorf("%s then %s: %v", a, b, err)
		}
		if err == nil && !json.Valid(next.Config) {
			t.Errorf("%s then %s gave %s", a, b, next.Config)
		}
	})
}
