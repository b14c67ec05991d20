package fc

import "testing"

func TestDestinations(t *testing.T) {
	const region, account = "cn-shanghai", "1"
	for arn, want := range map[string]string{
		"acs:fc:cn-shanghai:1:services/s/functions/f":      "fc:InvokeFunction acs:fc:cn-shanghai:1:services/s/functions/f",
		"acs:fc:cn-shanghai:1:services/s.prod/functions/f": "fc:InvokeFunction acs:fc:cn-shanghai:1:services/s.prod/functions/f",
		"acs:log:cn-shanghai:1:project/p/logstore/l":       "log:PostLogStoreLogs acs:log:cn-shanghai:1:project/p/logstore/l",
		"acs:oss:cn-shanghai:1:bucket":                     "oss:PutObject acs:oss:cn-shanghai:1:bucket/*",
		"acs:oss:cn-shanghai:1:bucket/a/b-":                "oss:PutObject acs:oss:cn-shanghai:1:bucket/a/b-*",
		"acs:mns:cn-shanghai:1:/queues/q/messages":         "mns:SendMessage acs:mns:cn-shanghai:1:/queues/q/messages",
		"acs:mns:cn-shanghai:1:/topics/t-1/messages":       "mns:SendMessage acs:mns:cn-shanghai:1:/topics/t-1/messages",
		"":                                "",
		"acs:fc:cn-shanghai:1:services/s": "",
		"acs:fc:cn-shanghai:1:services/s/functions/f/triggers/t": "",
		"acs:fc:cn-shanghai:1:services/s.a.b/functions/f":        "",
		"acs:fc:cn-shanghai:1:services/../functions/f":           "",
		"acs:log:cn-shanghai:1:project//logstore/l":              "",
		"acs:mns:cn-shanghai:1:/queues/../messages":              "",
		"acs:mns:cn-shanghai:1:queues/q/messages":                "",
		"acs:eventbridge:cn-shanghai:1:eventbus/e":               "",
		"http://169.254.169.254/latest/meta-data":                "",
	} {
		d, err := ParseDestination(arn)
		got := ""
		if err == nil {
			action, resource := d.Action()
			got = action + " " + resource
		}
		if got != want {
			t.Errorf("%q: got %q, %v, want %q", arn, got, err, want)
		}
	}
	far := AsyncConfig{ServiceName: "s", FunctionName: "g", OnFailure: "acs:log:cn-beijing:1:project/p/logstore/l"}
	if err := far.Validate(region, account); CodeOf(err) != InvalidArgument {
		t.Errorf("another region: %v", err)
	}
}

func FuzzParseDestination(f *testing.F) {
	f.Add("acs:fc:cn-shanghai:1:services/s.q/functions/f")
	f.Add("acs:oss:cn-shanghai:1:bucket/a/")
	f.Add("acs:mns:cn-shanghai:1:/queues/q/messages")
	f.Fuzz(func(t *testing.T, arn string) {
		d, err := ParseDestination(arn)
		if err != nil {
			if CodeOf(err) != InvalidArgument {
				t.Errorf("%q: %v", arn, err)
			}
			return
		}
		if d.ARN.String() != arn || d.Function.Function == "" && d.Logstore == "" && d.Bucket == "" && d.MNSPath == "" {
			t.Errorf("%q was read as %+v", arn, d)
		}
	})
}
