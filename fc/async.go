package fc

import (
	"strings"
	"time"
)

// Bounds of an AsyncConfig (guide, PutFunctionAsyncInvokeConfig).
const (
	MaxAsyncRetryAttempts   = 8
	MaxAsyncEventAgeSeconds = 7 * 24 * 3600
)

// AsyncConfig is how asynchronous invocations of a function, under one qualifier, are retried and where their ends are
// told. As a stored record it is never changed in place.
type AsyncConfig struct {
	ServiceName  string `json:"serviceName"`
	FunctionName string `json:"functionName"`
	Qualifier    string `json:"qualifier"` // "LATEST" for calls without one
	// MaxRetryAttempts is how often a failed attempt is repeated, 0-8; nil = the daemon's default.
	MaxRetryAttempts *int `json:"maxRetryAttempts"`
	// MaxEventAgeSeconds is when an invocation that has not ended is given up, 1-604800 s after it was accepted; nil = the
	// daemon's default.
	MaxEventAgeSeconds *int `json:"maxEventAgeSeconds"`
	// Stateful is kept and shown. The states of all invocations can be asked for, whatever it says.
	Stateful bool `json:"stateful"`
	// OnSuccess and OnFailure are the resource names that are told of an end; "" = none. See ParseDestination.
	OnSuccess string `json:"onSuccess"`
	OnFailure string `json:"onFailure"`

	CreatedTime      time.Time `json:"createdTime"`
	LastModifiedTime time.Time `json:"lastModifiedTime"`
}

// Validate checks all but whether the destinations exist. Errors are *Error with InvalidArgument.
func (c *AsyncConfig) Validate(region, account string) error {
	if n := c.MaxRetryAttempts; n != nil {
		if err := validateRange("MaxAsyncRetryAttempts", *n, 0, MaxAsyncRetryAttempts); err != nil {
			return err
		}
	}
	if n := c.MaxEventAgeSeconds; n != nil {
		if err := validateRange("MaxAsyncEventAgeInSeconds", *n, 1, MaxAsyncEventAgeSeconds); err != nil {
			return err
		}
	}
	for _, d := range []struct{ field, arn string }{{"DestinationConfig.OnSuccess", c.OnSuccess}, {"DestinationConfig.OnFailure", c.OnFailure}} {
		if d.arn == "" {
			continue
		}
		dest, err := ParseDestination(d.arn)
		if err != nil || dest.ARN.Region != "" && dest.ARN.Region != region || dest.ARN.Account != "" && dest.ARN.Account != account {
			return InvalidField(d.field+".Destination", destinationForms, d.arn)
		}
		if r := dest.Function; r.Service == c.ServiceName && r.Function == c.FunctionName {
			return InvalidField(d.field+".Destination", "another function than the one itself", d.arn)
		}
	}
	return nil
}

const destinationForms = "acs:fc:REGION:ACCOUNT:services/S/functions/F | acs:log:REGION:ACCOUNT:project/P/logstore/L | " +
	"acs:oss:REGION:ACCOUNT:BUCKET[/PREFIX] | acs:mns:REGION:ACCOUNT:/queues/Q/messages | acs:mns:REGION:ACCOUNT:/topics/T/messages, of this region and account"

// Destination is what is told of the end of an asynchronous invocation. One of Function, Logstore, Bucket and MNSPath is
// set.
type Destination struct {
	ARN               ARN
	Function          FunctionRef
	Project, Logstore string
	Bucket, Prefix    string // objects are named Prefix + request id + ".json"
	MNSPath           string // "/queues/<q>/messages" or "/topics/<t>/messages"
}

// Action is what somebody must be allowed to do to the resource to have it told, and Resource its name for policies.
func (d Destination) Action() (action, resource string) {
	switch {
	case d.Function.Function != "":
		return "fc:InvokeFunction", d.ARN.String()
	case d.Logstore != "":
		return "log:PostLogStoreLogs", d.ARN.String()
	case d.Bucket != "":
		a := d.ARN
		a.Resource = d.Bucket + "/" + d.Prefix + "*"
		return "oss:PutObject", a.String()
	}
	return "mns:SendMessage", d.ARN.String()
}

// ParseDestination reads a resource name that may be told of ends.
func ParseDestination(arn string) (Destination, error) {
	bad := Errorf(InvalidArgument, "'%s' is no destination (%s)", arn, destinationForms)
	a, err := ParseARN(arn)
	if err != nil || len(arn) > maxDestination {
		return Destination{}, bad
	}
	d := Destination{ARN: a}
	p := strings.Split(a.Resource, "/")
	switch {
	case a.Service == "fc" && len(p) == 4 && p[0] == "services" && p[2] == "functions":
		service, qualifier, _ := strings.Cut(p[1], ".")
		d.Function = FunctionRef{Service: service, Qualifier: qualifier, Function: p[3]}
		if ValidateName("ServiceName", service, MaxNameLength) != nil || ValidateName("FunctionName", p[3], MaxFunctionNameLength) != nil ||
			strings.ContainsAny(qualifier, "./") {
			return Destination{}, bad
		}
	case a.Service == "log" && len(p) == 4 && p[0] == "project" && p[1] != "" && p[2] == "logstore" && p[3] != "":
		d.Project, d.Logstore = p[1], p[3]
	case a.Service == "oss" && p[0] != "":
		d.Bucket, d.Prefix, _ = strings.Cut(a.Resource, "/")
	case a.Service == "mns" && len(p) == 4 && p[0] == "" && (p[1] == "queues" || p[1] == "topics") && mnsName(p[2]) && p[3] == "messages":
		d.MNSPath = a.Resource
	default:
		return Destination{}, bad
	}
	return d, nil
}

// maxDestination bounds a destination's name, so that it fits a key of the queue. Bytes.
const maxDestination = 400

// mnsName follows the rule of MNS: letters, digits and hyphens, at most 256.
func mnsName(s string) bool {
	return s != "" && len(s) <= 256 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
