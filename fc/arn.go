package fc

import (
	"fmt"
	"strings"
)

// ARN is a parsed resource name "acs:<service>:<region>:<account>:<resource>". Region or Account are empty for
// services that have none (RAM); Resource may hold further colons and slashes.
type ARN struct{ Service, Region, Account, Resource string }

// ParseARN splits s. It checks the form only: five parts, "acs" first, a service and a resource.
func ParseARN(s string) (ARN, error) {
	p := strings.SplitN(s, ":", 5)
	if len(p) != 5 || p[0] != "acs" || p[1] == "" || p[4] == "" {
		return ARN{}, fmt.Errorf("%q is not a resource name (acs:service:region:account:resource)", s)
	}
	return ARN{Service: p[1], Region: p[2], Account: p[3], Resource: p[4]}, nil
}

func (a ARN) String() string {
	return "acs:" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// FunctionARN is the name of a function for policies: services/<svc>[.<qualifier>]/functions/<fn>.
func FunctionARN(region, account string, r FunctionRef) string {
	svc := r.Service
	if r.Qualifier != "" {
		svc += "." + r.Qualifier
	}
	return ARN{"fc", region, account, "services/" + svc + "/functions/" + r.Function}.String()
}

// ServiceARN is the name of a service for policies.
func ServiceARN(region, account, service string) string {
	return ARN{"fc", region, account, "services/" + service}.String()
}

// TriggerARN is the name of a trigger for policies.
func TriggerARN(region, account, service, function, trigger string) string {
	return FunctionARN(region, account, FunctionRef{Service: service, Function: function}) + "/triggers/" + trigger
}

// BucketARN is the sourceArn of an oss trigger on the bucket.
func BucketARN(region, account, bucket string) string {
	return ARN{"oss", region, account, bucket}.String()
}
