package api_test

import (
	"strings"
	"testing"

	"fcd/api"
)

func TestNewNamesTheOptionThatIsMissing(t *testing.T) {
	whole := start(t).options
	tests := map[string]func(*api.Options){
		"Store":       func(o *api.Options) { o.Store = nil },
		"Catalog":     func(o *api.Options) { o.Catalog = nil },
		"Packages":    func(o *api.Options) { o.Packages = nil },
		"Invoker":     func(o *api.Options) { o.Invoker = nil },
		"Keys":        func(o *api.Options) { o.Keys = nil },
		"Policy":      func(o *api.Options) { o.Policy = nil },
		"Triggers":    func(o *api.Options) { o.Triggers = nil },
		"ExternalURL": func(o *api.Options) { o.ExternalURL = nil },
		"Region":      func(o *api.Options) { o.Region = "" },
		"AccountID":   func(o *api.Options) { o.AccountID = "" },
	}
	for name, drop := range tests {
		o := whole
		drop(&o)
		if _, err := api.New(o); err == nil || !strings.Contains(err.Error(), "option "+name+" ") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestNewRefusesMetricsThatAreThereAlready(t *testing.T) {
	s := start(t)
	if _, err := api.New(s.options); err == nil {
		t.Error("two APIs count in one registry")
	}
}

func TestCodeInABucketNeedsAnObjectStore(t *testing.T) {
	s := start(t, func(o *api.Options) { o.Objects, o.Logstores, o.InvocationRoles = nil, nil, nil })
	s.must("POST", "/services", m{"serviceName": "demo", "logConfig": m{"project": "any", "logstore": "any"}})
	f := functionOf(t, "resize")
	s.must("POST", "/services/demo/functions", f)
	s.must("POST", "/services/demo/functions/resize/triggers", m{"triggerName": "t", "triggerType": "oss", "sourceArn": bucket,
		"invocationRole": "acs:ram::1:role/nobody", "triggerConfig": m{"events": []string{"x"}}})
	f["functionName"], f["code"] = "other", m{"ossBucketName": "b", "ossObjectName": "code.zip"}
	wantError(t, s.do("POST", "/services/demo/functions", f), 400, "InvalidArgument")
}
