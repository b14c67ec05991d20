package fc_test

import (
	"errors"
	"strings"
	"testing"

	"fcd/fc"
)

func validFunction() *fc.Function {
	return &fc.Function{Name: "resize", Runtime: "python3", Handler: "index.handler", TimeoutSeconds: 3,
		MemorySizeMB: 128, InitializationTimeoutSeconds: 3, InstanceConcurrency: 1}
}

func wantInvalid(t *testing.T, err error, want string) {
	t.Helper()
	var e *fc.Error
	if want == "" {
		if err != nil {
			t.Fatalf("got %v, want no error", err)
		}
		return
	}
	if !errors.As(err, &e) || e.Code != fc.InvalidArgument || !strings.HasPrefix(e.Message, want) {
		t.Fatalf("got %v, want InvalidArgument %q", err, want)
	}
}

func TestFunctionValidate(t *testing.T) {
	long := strings.Repeat("é", 257)
	tests := []struct {
		name   string
		change func(*fc.Function)
		want   string
	}{
		{"the smallest function passes", func(*fc.Function) {}, ""},
		{"the largest numbers pass", func(f *fc.Function) {
			f.TimeoutSeconds, f.MemorySizeMB, f.InstanceConcurrency = 300, 3072, 100
			f.Name, f.Handler = strings.Repeat("a", 64), strings.Repeat("h", 128)
			f.Description = strings.Repeat("é", 256)
		}, ""},
		{"the alias nodejs4.4 passes", func(f *fc.Function) { f.Runtime = "nodejs4.4" }, ""},
		{"no name", func(f *fc.Function) { f.Name = "" }, "FunctionName is required"},
		{"a dot in the name", func(f *fc.Function) { f.Name = "a.b" },
			"FunctionName is set to an invalid value (allowed: [A-Za-z_][A-Za-z0-9_-]{0,63}, actual: 'a.b')"},
		{"a newline at the end of the name", func(f *fc.Function) { f.Name = "a\n" }, "FunctionName is set to"},
		{"a name of 65 characters", func(f *fc.Function) { f.Name = strings.Repeat("a", 65) }, "FunctionName is set to"},
		{"no runtime", func(f *fc.Function) { f.Runtime = "" }, "Runtime is required"},
		{"an unknown runtime", func(f *fc.Function) { f.Runtime = "cobol" },
			"Runtime is set to an invalid value (allowed: nodejs4.4 | nodejs6 | nodejs8 | python2.7 | python3 | java8 | custom | nodejs10 | nodejs12" +
				" | nodejs14 | nodejs16 | nodejs18 | nodejs20 | python3.9 | python3.10 | python3.12, actual: 'cobol')"},
		{"a later version of Node passes", func(f *fc.Function) { f.Runtime = "nodejs20" }, ""},
		{"no handler", func(f *fc.Function) { f.Handler = "" }, "Handler is required"},
		{"a handler of 129 characters", func(f *fc.Function) { f.Handler = strings.Repeat("h", 129) }, "Handler is set to"},
		{"a control character in the handler", func(f *fc.Function) { f.Handler = "a\x00.b" }, "Handler is set to"},
		{"a long initializer", func(f *fc.Function) { f.Initializer = long }, "Initializer is set to"},
		{"a description of 257 characters", func(f *fc.Function) { f.Description = long },
			"Description is set to an invalid value (allowed: at most 256 characters, actual: '257 characters')"},
		{"memory below the least", func(f *fc.Function) { f.MemorySizeMB = 64 },
			"MemorySize is set to an invalid value (allowed: a multiple of 64 from 128 to 3072, actual: '64')"},
		{"memory above the most", func(f *fc.Function) { f.MemorySizeMB = 3136 }, "MemorySize is set to"},
		{"memory off the step", func(f *fc.Function) { f.MemorySizeMB = 200 }, "MemorySize is set to"},
		{"timeout of nothing", func(f *fc.Function) { f.TimeoutSeconds = 0 },
			"Timeout is set to an invalid value (allowed: 1 to 300, actual: '0')"},
		{"timeout above the most", func(f *fc.Function) { f.TimeoutSeconds = 301 }, "Timeout is set to"},
		{"initializer timeout above the most", func(f *fc.Function) { f.InitializationTimeoutSeconds = 301 },
			"InitializationTimeout is set to"},
		{"101 requests per instance", func(f *fc.Function) { f.InstanceConcurrency = 101 }, "InstanceConcurrency is set to"},
		{"no request per instance", func(f *fc.Function) { f.InstanceConcurrency = 0 },
			"InstanceConcurrency is set to an invalid value (allowed: 1 to 100, actual: '0')"},
		{"a custom function", func(f *fc.Function) {
			f.Runtime, f.Handler, f.CAPort = fc.RuntimeCustom, "anything", 8080
			f.CustomRuntimeConfig = &fc.CustomRuntimeConfig{Command: []string{"java"}, Args: []string{"-jar", ""}}
		}, ""},
		{"a port that is none", func(f *fc.Function) { f.CAPort = 65536 },
			"CaPort is set to an invalid value (allowed: 1 to 65535, actual: '65536')"},
		{"a negative port", func(f *fc.Function) { f.CAPort = -1 }, "CaPort is set to"},
		{"a command without a program", func(f *fc.Function) { f.CustomRuntimeConfig = &fc.CustomRuntimeConfig{Command: []string{"", "x"}} },
			"CustomRuntimeConfig.Command is set to"},
		{"a zero byte in an argument", func(f *fc.Function) { f.CustomRuntimeConfig = &fc.CustomRuntimeConfig{Args: []string{"a\x00"}} },
			"CustomRuntimeConfig.Args is set to an invalid value (allowed: words without a zero byte"},
		{"too many arguments", func(f *fc.Function) { f.CustomRuntimeConfig = &fc.CustomRuntimeConfig{Args: make([]string, 65)} },
			"CustomRuntimeConfig is set to an invalid value (allowed: at most 64 words of at most 4096 bytes together, actual: '65 words, 0 bytes')"},
		{"a long argument", func(f *fc.Function) {
			f.CustomRuntimeConfig = &fc.CustomRuntimeConfig{Args: []string{strings.Repeat("a", 4097)}}
		}, "CustomRuntimeConfig is set to"},
		{"a reserved variable", func(f *fc.Function) { f.EnvironmentVariables = map[string]string{"FC_X": ""} },
			"EnvironmentVariables is set to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := validFunction()
			tt.change(f)
			wantInvalid(t, f.Validate(fc.DefaultLimits()), tt.want)
		})
	}
}

func TestServiceValidate(t *testing.T) {
	tests := []struct {
		name string
		svc  fc.Service
		want string
	}{
		{"a name alone passes", fc.Service{Name: "_a-1"}, ""},
		{"everything set passes", fc.Service{Name: "a", Role: "acs:ram::123456:role/fc-invoke",
			LogConfig: fc.LogConfig{Project: "p", Logstore: "l"},
			VPCConfig: &fc.VPCConfig{VPCID: "v", VSwitchIDs: []string{"s"}, SecurityGroupID: "g"}}, ""},
		{"no name", fc.Service{}, "ServiceName is required"},
		{"a name that begins with a digit", fc.Service{Name: "1a"}, "ServiceName is set to"},
		{"a name of 129 characters", fc.Service{Name: strings.Repeat("a", 129)}, "ServiceName is set to"},
		{"a role that is no role", fc.Service{Name: "a", Role: "acs:ram::1:user/x"},
			"Role is set to an invalid value (allowed: acs:ram::<accountId>:role/<name>, actual: 'acs:ram::1:user/x')"},
		{"a role without an account", fc.Service{Name: "a", Role: "acs:ram:::role/x"}, "Role is set to"},
		{"a project without a logstore", fc.Service{Name: "a", LogConfig: fc.LogConfig{Project: "p"}},
			"LogConfig.Logstore is set to"},
		{"a logstore without a project", fc.Service{Name: "a", LogConfig: fc.LogConfig{Logstore: "l"}},
			"LogConfig.Project is set to"},
		{"a network without an id", fc.Service{Name: "a", VPCConfig: &fc.VPCConfig{}}, "VpcConfig.VpcId is required"},
		{"a network without switches", fc.Service{Name: "a", VPCConfig: &fc.VPCConfig{VPCID: "v"}},
			"VpcConfig.VSwitchIds is required"},
		{"a network without a group", fc.Service{Name: "a", VPCConfig: &fc.VPCConfig{VPCID: "v", VSwitchIDs: []string{"s"}}},
			"VpcConfig.SecurityGroupId is required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantInvalid(t, tt.svc.Validate(), tt.want) })
	}
}

func TestTriggerValidate(t *testing.T) {
	tests := []struct {
		name string
		trg  fc.Trigger
		want string
	}{
		{"a name and a type pass", fc.Trigger{Name: "t", Type: fc.TriggerOSS}, ""},
		{"no name", fc.Trigger{Type: fc.TriggerOSS}, "TriggerName is required"},
		{"no type", fc.Trigger{Name: "t"}, "TriggerType is required"},
		{"an unknown type", fc.Trigger{Name: "t", Type: "fax"},
			"TriggerType is set to an invalid value (allowed: oss | timer | log | http | mns_topic | cdn_events | tablestore | rds | eventbridge, actual: 'fax')"},
		{"a long description", fc.Trigger{Name: "t", Type: fc.TriggerOSS, Description: strings.Repeat("x", 300)},
			"Description is set to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantInvalid(t, tt.trg.Validate(), tt.want) })
	}
}

func TestInvalidFieldCutsLongValuesBetweenCharacters(t *testing.T) {
	err := fc.InvalidField("Runtime", "a", strings.Repeat("é", 200)+"x")
	if want := "'" + strings.Repeat("é", 80) + "...')"; !strings.HasSuffix(err.Message, want) {
		t.Errorf("got %q", err.Message)
	}
	odd := fc.InvalidField("Runtime", "a", "x"+strings.Repeat("é", 200))
	if want := "'x" + strings.Repeat("é", 79) + "...')"; !strings.HasSuffix(odd.Message, want) {
		t.Errorf("got %q", odd.Message)
	}
}
