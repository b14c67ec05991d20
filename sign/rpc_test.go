package sign

import (
	"net/url"
	"testing"
)

// TestRPCVector is the example of the cloud's documentation of the method.
func TestRPCVector(t *testing.T) {
	params := url.Values{}
	for k, v := range map[string]string{
		"Timestamp": "2016-02-23T12:46:24Z", "Format": "XML", "AccessKeyId": "testid", "Action": "DescribeRegions",
		"SignatureMethod": "HMAC-SHA1", "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf", "Version": "2014-05-26",
		"SignatureVersion": "1.0",
	} {
		params.Set(k, v)
	}
	if got := SignRPC("GET", params, "testsecret"); got != "OLeaidS1JvxuMvnyHOwuJ+uX5qY=" {
		t.Errorf("signature %s", got)
	}
}

func TestRPCEscapesAsRFC3986(t *testing.T) {
	if got := rpcQuery(url.Values{"b": {"a b+c*d~e/é"}, "a": {""}}); got != "a=&b=a%20b%2Bc%2Ad~e%2F%C3%A9" {
		t.Errorf("got %s", got)
	}
}
