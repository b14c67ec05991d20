package fc_test

import (
	"testing"

	"fcd/fc"
)

func TestParseARN(t *testing.T) {
	tests := []struct {
		in   string
		want fc.ARN
		ok   bool
	}{
		{"acs:oss:cn-shanghai:123456:photos", fc.ARN{Service: "oss", Region: "cn-shanghai", Account: "123456", Resource: "photos"}, true},
		{"acs:ram::123456:role/fc-invoke", fc.ARN{Service: "ram", Account: "123456", Resource: "role/fc-invoke"}, true},
		{"acs:mns:r:1:/topics/T:x", fc.ARN{Service: "mns", Region: "r", Account: "1", Resource: "/topics/T:x"}, true},
		{"", fc.ARN{}, false},
		{"dummy_arn", fc.ARN{}, false},
		{"acs:oss:r:1", fc.ARN{}, false},
		{"acs:oss:r:1:", fc.ARN{}, false},
		{"acs::r:1:x", fc.ARN{}, false},
		{"arn:oss:r:1:x", fc.ARN{}, false},
	}
	for _, tt := range tests {
		got, err := fc.ParseARN(tt.in)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: got %+v, %v", tt.in, got, err)
		}
	}
}

func TestResourceNames(t *testing.T) {
	ref := fc.FunctionRef{Service: "demo", Function: "resize"}
	qualified := fc.FunctionRef{Service: "demo", Qualifier: "LATEST", Function: "resize"}
	for want, got := range map[string]string{
		"acs:fc:r:1:services/demo":                                 fc.ServiceARN("r", "1", "demo"),
		"acs:fc:r:1:services/demo/functions/resize":                fc.FunctionARN("r", "1", ref),
		"acs:fc:r:1:services/demo.LATEST/functions/resize":         fc.FunctionARN("r", "1", qualified),
		"acs:fc:r:1:services/demo/functions/resize/triggers/clock": fc.TriggerARN("r", "1", "demo", "resize", "clock"),
		"acs:oss:r:1:photos":                                       fc.BucketARN("r", "1", "photos"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzParseARN(f *testing.F) {
	for _, s := range []string{"acs:oss:r:1:b", "acs:ram::1:role/x", "acs::::", "::::", "acs:a:b:c:d:e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := fc.ParseARN(s); err == nil && a.String() != s {
			t.Errorf("%q is rendered as %q", s, a)
		}
	})
}

func FuzzParseFunctionRef(f *testing.F) {
	for _, s := range []string{"demo//resize", "demo/LATEST/resize", "//", "a/b/c/d", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := fc.ParseFunctionRef(s); err == nil && r.String() != s {
			t.Errorf("%q is rendered as %q", s, r)
		}
	})
}

func TestParseFunctionRef(t *testing.T) {
	for in, ok := range map[string]bool{"demo//resize": true, "demo/v1/resize": true, "/x/resize": false, "demo/x/": false, "demo": false} {
		if _, err := fc.ParseFunctionRef(in); (err == nil) != ok {
			t.Errorf("%q: %v", in, err)
		}
	}
}
