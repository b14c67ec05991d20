package triggers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"fcd/fc"
	"fcd/triggers"
	"fcd/triggers/http"
)

func sourceless(t testing.TB) *triggers.Kinds {
	t.Helper()
	k, err := triggers.NewKinds(http.Kind())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKindsWithoutASource(t *testing.T) {
	const role = "acs:ram::123456:role/r"
	for _, c := range []struct {
		name, typ, arn, role, old, raw string
		want                           string // canonical, or "!" and a part of the refusal
	}{
		{"http", "http", "dummy_arn", "", "", `{"AuthType":"anonymous","methods":["GET","POST"]}`, `{"authType":"anonymous","methods":["GET","POST"]}`},
		{"http, other methods", "http", "", "", `{"authType":"function","methods":["GET"]}`, `{"methods":["PUT"]}`, `{"authType":"function","methods":["PUT"]}`},
		{"http with no auth", "http", "", "", "", `{"methods":["GET"]}`, "!TriggerConfig.AuthType"},
		{"http with no methods", "http", "", "", "", `{"authType":"function","methods":[]}`, "!TriggerConfig.Methods"},
		{"http with an unknown method", "http", "", "", "", `{"authType":"function","methods":["BREW"]}`, "!'BREW'"},
		{"another type", "fax", "", "", "", `{}`, "!'fax'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := &fc.Trigger{ID: "t", Type: c.typ, SourceARN: c.arn, InvocationRole: c.role}
			var old *fc.Trigger
			if c.old != "" {
				old = &fc.Trigger{ID: "t", Type: c.typ, SourceARN: c.arn, InvocationRole: c.role, Config: json.RawMessage(c.old)}
			}
			err := sourceless(t).Normalize(old, tr, json.RawMessage(c.raw))
			if want, refused := strings.CutPrefix(c.want, "!"); refused {
				if fc.CodeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v", err)
				}
			} else if err != nil || string(tr.Config) != c.want {
				t.Errorf("got %s, %v", tr.Config, err)
			}
			if c.typ == "http" && tr.SourceARN != "" {
				t.Errorf("source %q is kept", tr.SourceARN)
			}
		})
	}
}

func TestAnHTTPTriggerIsAlone(t *testing.T) {
	k := sourceless(t)
	web := &fc.Trigger{ServiceName: "s", FunctionName: "f", Name: "h", ID: "1", Type: fc.TriggerHTTP}
	other := &fc.Trigger{ServiceName: "s", FunctionName: "f", Name: "t", ID: "2", Type: fc.TriggerTimer}
	elsewhere := &fc.Trigger{ServiceName: "s", FunctionName: "g", Name: "h", ID: "3", Type: fc.TriggerHTTP}
	if err := k.Conflict(web, []*fc.Trigger{web, elsewhere}); err != nil {
		t.Errorf("with itself: %v", err)
	}
	if err := k.Conflict(web, []*fc.Trigger{other}); fc.CodeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), "'t'") {
		t.Errorf("http beside a timer: %v", err)
	}
	if err := k.Conflict(other, []*fc.Trigger{web}); fc.CodeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), "'h'") {
		t.Errorf("a timer beside http: %v", err)
	}
}

func TestRoles(t *testing.T) {
	k := sourceless(t)
	for typ, want := range map[string]string{"http": "", "fax": ""} {
		service, needs := k.NeedsRole(typ)
		if service != want || needs != (want != "") || k.RoleService(typ) != want {
			t.Errorf("%s: %q %v", typ, service, needs)
		}
	}
	if _, err := triggers.NewKinds(http.Kind(), http.Kind()); err == nil {
		t.Error("a table with a type twice")
	}
}

func FuzzNormalize(f *testing.F) {
	for _, typ := range []string{"http"} {
		f.Add(typ, []byte(`{"sourceConfig":{"logstore":"s"},"authType":"function","methods":["GET"],"eventName":"e","filter":{"a":["b"]}}`), []byte(`{"enable":null,"FILTER":{"A":[]}}`))
	}
	k := sourceless(f)
	f.Fuzz(func(t *testing.T, typ string, a, b []byte) {
		old := &fc.Trigger{Type: typ, SourceARN: "acs:log:cn-shanghai:123456:project/p", InvocationRole: "acs:ram::1:role/r"}
		if err := k.Normalize(nil, old, a); err != nil {
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
