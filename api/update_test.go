package api_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
)

// TestUpdatesChangeWhatIsSent holds one update each: what is sent, and which fields of the answer differ afterwards.
func TestUpdatesChangeWhatIsSent(t *testing.T) {
	const svc, fn, trg = "/services/demo", "/services/demo/functions/resize", "/services/demo/functions/resize/triggers/uploads"
	noVPC := m{"vpcId": "", "vSwitchIds": []any{}, "securityGroupId": ""}
	noNAS := m{"userId": -1.0, "groupId": -1.0, "mountPoints": []any{}}
	tests := []struct {
		name, path, body string
		want             m
	}{
		{"an empty body keeps all", svc, ``, nil},
		{"an empty object keeps all", svc, `{}`, nil},
		{"null keeps all", svc, `null`, nil},
		{"nulls keep all", svc, `{"description":null,"role":null,"logConfig":null,"internetAccess":null,"vpcConfig":null}`, nil},
		{"nested nulls keep all", svc, `{"logConfig":{"project":null,"logstore":null},"nasConfig":{"userId":null,"groupId":null,"mountPoints":null},"vpcConfig":{"vpcId":null},"tracingConfig":{"type":null,"params":null}}`, nil},
		{"unknown keys are ignored", svc, `{"colour":"blue","logConfig":{"enableRequestMetrics":true}}`, nil},
		{"the same name is ignored", svc, `{"serviceName":"demo"}`, nil},
		{"keys in any case", svc, `{"DESCRIPTION":"x"}`, m{"description": "x"}},
		{"an empty description clears it", svc, `{"description":""}`, m{"description": ""}},
		{"an empty role clears it", svc, `{"role":""}`, m{"role": ""}},
		{"internetAccess", svc, `{"internetAccess":true}`, m{"internetAccess": true}},
		{"an empty log configuration clears it", svc, `{"logConfig":{"project":"","logstore":""}}`, m{"logConfig": m{"project": "", "logstore": ""}}},
		{"the empty network is none", svc, `{"vpcConfig":{"vpcId":"","vSwitchIds":[],"securityGroupId":""}}`, m{"vpcConfig": noVPC}},
		{"a network is replaced whole", svc, `{"vpcConfig":{"VpcId":"v2","VSwitchIds":["s2",null,"s3"],"securityGroupId":"g2"}}`,
			m{"vpcConfig": m{"vpcId": "v2", "vSwitchIds": []any{"s2", "s3"}, "securityGroupId": "g2"}}},
		{"the empty file system is none", svc, `{"nasConfig":{"userId":-1,"groupId":-1,"mountPoints":[]}}`, m{"nasConfig": noNAS}},
		{"a file system in upper camel", svc, `{"nasConfig":{"UserId":5,"GroupId":6,"MountPoints":[{"ServerAddr":"a","MountDir":"/b"}]}}`,
			m{"nasConfig": m{"userId": 5.0, "groupId": 6.0, "mountPoints": []any{m{"serverAddr": "a", "mountDir": "/b"}}}}},
		{"empty tracing is none", svc, `{"tracingConfig":{}}`, m{"tracingConfig": m{"type": nil, "params": nil}}},
		{"tracing is replaced whole", svc, `{"tracingConfig":{"Type":"Other"}}`, m{"tracingConfig": m{"type": "Other", "params": nil}}},

		{"an empty body keeps a function", fn, ``, nil},
		{"nulls keep a function", fn, `{"description":null,"timeout":null,"memorySize":null,"code":null,"environmentVariables":null,"runtime":null}`, nil},
		{"nested nulls keep a function", fn, `{"code":{"zipFile":null,"ossBucketName":null},"environmentVariables":{"A":null}}`, nil},
		{"timeout alone", fn, `{"timeout":20}`, m{"timeout": 20.0}},
		{"an empty environment clears it", fn, `{"environmentVariables":{}}`, m{"environmentVariables": m{}}},
		{"an environment is replaced whole", fn, `{"environmentVariables":{"C":"3","D":null}}`, m{"environmentVariables": m{"C": "3"}}},
		{"an empty initializer is none", fn, `{"initializer":""}`, m{"initializer": ""}},
		{"what fun always sends", fn, `{"initializer":"","layers":[],"initializationTimeout":3,"InstanceLifecycleConfig":{"PreFreeze":{"Handler":""},"PreStop":{"Handler":""}}}`,
			m{"initializer": "", "initializationTimeout": 3.0}},

		{"instanceConcurrency", fn, `{"instanceConcurrency":20}`, m{"instanceConcurrency": 20.0}},
		{"a port and a command", fn, `{"caPort":8080,"customRuntimeConfig":{"Command":["./serve"]}}`,
			m{"caPort": 8080.0, "customRuntimeConfig": m{"command": []any{"./serve"}, "args": []any{}}}},
		{"a null command", fn, `{"customRuntimeConfig":{"command":null,"args":null}}`, nil},
		{"the runtime custom", fn, `{"runtime":"custom","handler":"none"}`, m{"runtime": "custom", "handler": "none", "caPort": 9000.0}},

		{"an empty body keeps a trigger", trg, ``, nil},
		{"nulls keep a trigger", trg, `{"triggerConfig":null,"invocationRole":null,"sourceArn":null,"triggerType":null}`, nil},
		{"what cannot change may be repeated", trg, `{"triggerName":"uploads","triggerType":"oss","sourceArn":"` + bucket + `"}`, nil},
		{"a configuration is merged", trg, `{"triggerConfig":{"prefix":"in/"}}`,
			m{"triggerConfig": m{"events": []any{"oss:ObjectCreated:*"}, "prefix": "in/"}}},
		{"a role", trg, `{"invocationRole":"acs:ram::1:role/r"}`, m{"invocationRole": "acs:ram::1:role/r"}},
		{"a qualifier", trg, `{"qualifier":"LATEST"}`, m{"qualifier": "LATEST"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t)
			s.must("POST", "/services", `{"serviceName":"demo","description":"d","role":"`+role+`","internetAccess":false,
				"logConfig":{"project":"logs","logstore":"store"},
				"vpcConfig":{"vpcId":"v","vSwitchIds":["s"],"securityGroupId":"g"},
				"nasConfig":{"userId":1,"groupId":2,"mountPoints":[{"serverAddr":"n","mountDir":"/m"}]},
				"tracingConfig":{"type":"Jaeger","params":{"endpoint":"e"}}}`)
			f := functionOf(t, "resize")
			f["environmentVariables"], f["initializer"], f["initializationTimeout"] = m{"A": "1", "B": "2"}, "index.init", 9
			s.must("POST", "/services/demo/functions", f)
			s.must("POST", "/services/demo/functions/resize/triggers", ossTrigger("uploads", "src/"))

			old := s.must("GET", tt.path, nil)
			want := old.object(t)
			for k, v := range tt.want {
				want[k] = v
			}
			updated := s.must("PUT", tt.path, tt.body)
			got := updated.object(t)
			delete(got, "lastModifiedTime")
			delete(want, "lastModifiedTime")
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			read := s.must("GET", tt.path, nil)
			if read.body != updated.body || read.header.Get("ETag") != updated.header.Get("ETag") {
				t.Errorf("update answers %s %s\nget answers %s %s", updated.header.Get("ETag"), updated.body, read.header.Get("ETag"), read.body)
			}
			if updated.header.Get("ETag") == old.header.Get("ETag") {
				t.Error("the ETag is the old one")
			}
		})
	}
}

func TestUpdatesOfACustomFunction(t *testing.T) {
	s := start(t)
	s.must("POST", "/services", `{"serviceName":"demo"}`)
	f := functionOf(t, "serve")
	f["runtime"], f["caPort"], f["customRuntimeConfig"] = "custom", 8080, m{"command": []string{"java"}, "args": []string{"-jar", "x.jar"}}
	s.must("POST", "/services/demo/functions", f)
	const fn = "/services/demo/functions/serve"
	java := m{"command": []any{"java"}, "args": []any{"-jar", "x.jar"}}
	for _, tt := range []struct {
		body string
		want any
	}{
		{`{"timeout":9}`, java},
		{`{"customRuntimeConfig":null}`, java},
		{`{"customRuntimeConfig":{"command":null}}`, java},
		{`{"customRuntimeConfig":{"args":["-v"]}}`, m{"command": []any{}, "args": []any{"-v"}}},
		{`{"customRuntimeConfig":{}}`, nil},
	} {
		s.must("PUT", fn, tt.body)
		got := s.must("GET", fn, nil).object(t)
		if d := cmp.Diff(tt.want, got["customRuntimeConfig"]); d != "" || got["caPort"] != 8080.0 {
			t.Errorf("%s, -want +got:\n%s", tt.body, d)
		}
	}
	for body, want := range map[string]string{
		`{"customRuntimeConfig":"x"}`:              "CustomRuntimeConfig is set to an invalid value (allowed: an object",
		`{"customRuntimeConfig":{"command":"x"}}`:  "CustomRuntimeConfig.Command is set to an invalid value (allowed: an array of strings",
		`{"customRuntimeConfig":{"args":[1]}}`:     "CustomRuntimeConfig.Args is set to an invalid value (allowed: an array of strings",
		`{"customRuntimeConfig":{"command":[""]}}`: "CustomRuntimeConfig.Command is set to",
		`{"caPort":70000}`:                         "CaPort is set to an invalid value (allowed: 1 to 65535, actual: '70000')",
		`{"caPort":"80"}`:                          "CaPort is set to an invalid value (allowed: an integer",
		`{"instanceConcurrency":101}`:              "InstanceConcurrency is set to an invalid value (allowed: 1 to 100, actual: '101')",
	} {
		a := s.do("PUT", fn, body)
		wantError(t, a, 400, fc.InvalidArgument)
		if !strings.Contains(a.body, want) {
			t.Errorf("%s: %s, want %s", body, a.body, want)
		}
	}
}

func TestUpdateReplacesCode(t *testing.T) {
	s := start(t)
	s.demo()
	const fn = "/services/demo/functions/resize"
	before := s.must("GET", fn, nil).object(t)
	after := s.must("PUT", fn, m{"code": m{"zipFile": zipFile(t, "other.py", "index.py")}}).object(t)
	if before["codeChecksum"] == after["codeChecksum"] || before["codeSize"] == after["codeSize"] {
		t.Errorf("code stayed: %v", after)
	}
	back := s.must("PUT", fn, m{"code": m{"ossBucketName": "b", "ossObjectName": "code.zip"}}).object(t)
	if back["codeChecksum"] != before["codeChecksum"] {
		t.Errorf("the same code from a bucket has checksum %v, want %v", back["codeChecksum"], before["codeChecksum"])
	}
}

func TestIfMatchGuardsEveryWrite(t *testing.T) {
	s := start(t)
	s.demo()
	for _, path := range []string{"/services/demo/functions/resize/triggers/uploads", "/services/demo/functions/resize", "/services/demo"} {
		etag := s.must("GET", path, nil).header.Get("ETag")
		if len(etag) != 32 || strings.Contains(etag, `"`) {
			t.Errorf("etag %q", etag)
		}
		next := s.must("PUT", path, m{"description": "1"}, header("If-Match", etag)).header.Get("ETag")
		wantError(t, s.do("PUT", path, m{"description": "2"}, header("If-Match", etag)), 412, fc.PreconditionFailed)
		wantError(t, s.do("DELETE", path, nil, header("If-Match", etag)), 412, fc.PreconditionFailed)
		s.must("PUT", path, m{"description": "3"}, header("If-Match", ""))
		last := s.must("GET", path, nil).header.Get("ETag")
		if last == next {
			t.Error("an update kept the ETag")
		}
		if a := s.must("DELETE", path, nil, header("If-Match", `"`+last+`"`)); a.status != 204 || a.body != "" || a.header.Get("Content-Type") != "" {
			t.Errorf("delete answers %d %q", a.status, a.body)
		}
	}
}
