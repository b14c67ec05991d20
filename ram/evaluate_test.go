package ram

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var testNow = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func clock() time.Time { return testNow }

func policy(t testing.TB, statements ...string) document {
	t.Helper()
	doc, _, err := parsePolicy([]byte(`{"Version":"1","Statement":[` + strings.Join(statements, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

const (
	resizeARN = "acs:fc:cn-shanghai:123456:services/demo/functions/resize"
	invokeAll = `{"Effect":"Allow","Action":"fc:InvokeFunction","Resource":"*"}`
)

func TestEvaluate(t *testing.T) {
	stmt := func(effect, action, resource string) string {
		return fmt.Sprintf(`{"Effect":%q,"Action":%q,"Resource":%q}`, effect, action, resource)
	}
	for _, c := range []struct {
		name             string
		statements       []string
		action, resource string
		want             bool
	}{
		{"nothing that matches is denied", []string{stmt("Allow", "fc:GetFunction", "*")}, "fc:InvokeFunction", resizeARN, false},
		{"an allow allows", []string{invokeAll}, "fc:InvokeFunction", resizeARN, true},
		{"a deny beats an allow before it", []string{invokeAll, stmt("Deny", "fc:*", "*/functions/resize")}, "fc:InvokeFunction", resizeARN, false},
		{"a deny beats an allow after it", []string{stmt("Deny", "fc:*", "*"), invokeAll}, "fc:InvokeFunction", resizeARN, false},
		{"a deny of another action does not", []string{invokeAll, stmt("Deny", "fc:Delete*", "*")}, "fc:InvokeFunction", resizeARN, true},
		{"actions compare without case", []string{stmt("Allow", "FC:invokefunction", "*")}, "fc:InvokeFunction", resizeARN, true},
		{"resources compare with case", []string{stmt("Allow", "fc:*", "acs:fc:*:*:services/Demo/*")}, "fc:InvokeFunction", resizeARN, false},
		{"role names compare without case", []string{stmt("Allow", "ram:PassRole", "acs:ram::123456:role/AliyunRole")}, "ram:PassRole", "acs:ram::123456:role/aliyunrole", true},
		{"a star crosses slashes and colons", []string{stmt("Allow", "fc:*", "acs:*resize")}, "fc:InvokeFunction", resizeARN, true},
		{"a question mark is one byte", []string{stmt("Allow", "fc:*", "*/functions/resiz?")}, "fc:InvokeFunction", resizeARN, true},
		{"a question mark is not none", []string{stmt("Allow", "fc:*", "*/functions/resize?")}, "fc:InvokeFunction", resizeARN, false},
		{"a service does not cover its qualifiers", []string{stmt("Allow", "fc:*", "acs:fc:*:*:services/demo/functions/*")}, "fc:InvokeFunction", "acs:fc:cn-shanghai:123456:services/demo.LATEST/functions/resize", false},
		{"lists hold if one entry does", []string{`{"Effect":"Allow","Action":["oss:*","fc:*"],"Resource":["a","*"]}`}, "fc:X", "b", true},
		{"not-actions are all others", []string{`{"Effect":"Allow","NotAction":["fc:Delete*"],"Resource":"*"}`}, "fc:GetFunction", "b", true},
		{"not-actions are not those", []string{`{"Effect":"Allow","NotAction":["fc:Delete*"],"Resource":"*"}`}, "fc:DeleteFunction", "b", false},
		{"not-resources are all others", []string{`{"Effect":"Deny","Action":"*","NotResource":"a*"}`, stmt("Allow", "*", "*")}, "fc:X", "b", false},
		{"not-resources are not those", []string{`{"Effect":"Deny","Action":"*","NotResource":"a*"}`, stmt("Allow", "*", "*")}, "fc:X", "ab", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			docs := []document{policy(t, c.statements...)}
			if got := evaluate(docs, newRequest(c.action, c.resource, nil, clock)); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	env := Env{"acs:SourceIp": "10.1.2.3", "acs:SecureTransport": "true", "fc:Size": "10", "fc:Name": "Web-1"}
	for _, c := range []struct {
		name, condition string
		allow, deny     bool // does a statement with it match, as an Allow and as a Deny
	}{
		{"equal strings", `{"StringEquals":{"fc:Name":"Web-1"}}`, true, true},
		{"strings equal but for case", `{"StringEquals":{"fc:Name":"web-1"}}`, false, false},
		{"strings equal without case", `{"StringEqualsIgnoreCase":{"fc:Name":"web-1"}}`, true, true},
		{"different strings", `{"StringNotEquals":{"fc:Name":"db"}}`, true, true},
		{"not different without case", `{"StringNotEqualsIgnoreCase":{"fc:Name":"WEB-1"}}`, false, false},
		{"like", `{"StringLike":{"fc:Name":["db*","Web-?"]}}`, true, true},
		{"not like", `{"StringNotLike":{"fc:Name":["db*","Web-?"]}}`, false, false},
		{"a negated operator needs every value to differ", `{"StringNotEquals":{"fc:Name":["db","Web-1"]}}`, false, false},
		{"numbers", `{"NumericEquals":{"fc:Size":10},"NumericLessThan":{"fc:Size":"11"},"NumericGreaterThanEquals":{"fc:Size":[10,99]}}`, true, true},
		{"a number too large", `{"NumericLessThanEquals":{"fc:Size":9.5}}`, false, false},
		{"not that number", `{"NumericNotEquals":{"fc:Size":9}}`, true, true},
		{"dates", `{"DateGreaterThan":{"acs:CurrentTime":"2026-01-05T15:59:59+08:00"},"DateLessThanEquals":{"acs:CurrentTime":"2026-01-05T08:00:00Z"}}`, true, true},
		{"a date passed", `{"DateLessThan":{"acs:CurrentTime":"2026-01-05T08:00:00Z"}}`, false, false},
		{"booleans", `{"Bool":{"acs:SecureTransport":true}}`, true, true},
		{"another boolean", `{"Bool":{"acs:SecureTransport":"false"}}`, false, false},
		{"an address in a network", `{"IpAddress":{"acs:SourceIp":["192.168.0.0/16","10.0.0.0/8"]}}`, true, true},
		{"an address", `{"IpAddress":{"acs:SourceIp":"10.1.2.3"}}`, true, true},
		{"an address outside", `{"NotIpAddress":{"acs:SourceIp":"10.0.0.0/8"}}`, false, false},
		{"keys compare without case", `{"StringEquals":{"FC:name":"Web-1"}}`, true, true},
		{"one of two keys fails", `{"StringEquals":{"fc:Name":"Web-1","acs:Service":"x"}}`, false, false},
		{"a key that the request lacks", `{"StringEquals":{"acs:Service":"x"}}`, false, false},
		{"a key that the request lacks, negated", `{"StringNotEquals":{"acs:Service":"x"}}`, true, true},
		{"no values", `{"StringEquals":{"fc:Name":[]}}`, false, false},
		{"an unknown operator", `{"StringSounds":{"fc:Name":"Web-1"}}`, false, true},
		{"an unknown negation", `{"NumericNotLessThan":{"fc:Size":1}}`, false, true},
		{"an unknown key", `{"StringEquals":{"acs:Moon":"full"}}`, false, true},
		{"an unknown key beside one that fails", `{"StringEquals":{"acs:Moon":"full","fc:Name":"db"}}`, false, true},
		{"a value of the request that is no number", `{"NumericEquals":{"fc:Name":1}}`, false, true},
		{"a value that is no number beside one that fails", `{"NumericEquals":{"fc:Name":1},"StringEquals":{"fc:Name":"db"}}`, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := func(effect string) string {
				return fmt.Sprintf(`{"Effect":%q,"Action":"*","Resource":"*","Condition":%s}`, effect, c.condition)
			}
			r := newRequest("fc:X", "r", env, clock)
			if got := evaluate([]document{policy(t, st("Allow"))}, r); got != c.allow {
				t.Errorf("as an Allow it matches: %v", got)
			}
			if got := !evaluate([]document{policy(t, st("Deny"), `{"Effect":"Allow","Action":"*","Resource":"*"}`)}, r); got != c.deny {
				t.Errorf("as a Deny it matches: %v", got)
			}
		})
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"not JSON", `{`, "not JSON"},
		{"no version", `{"Statement":[` + invokeAll + `]}`, "Version"},
		{"another version", `{"Version":"2","Statement":[` + invokeAll + `]}`, "Version"},
		{"no statement", `{"Version":"1"}`, "Statement is empty"},
		{"an effect of its own", `{"Version":"1","Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}`, "Effect"},
		{"no action", `{"Version":"1","Statement":[{"Effect":"Allow","Resource":"*"}]}`, "Action is missing"},
		{"no resource", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"*"}]}`, "Resource is missing"},
		{"action and not-action", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","NotAction":"a","Resource":"*"}]}`, "exclude"},
		{"a principal", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Principal":{"Service":["x"]}}]}`, "Principal"},
		{"a misspelt member", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Conditions":{}}]}`, "Conditions"},
		{"a bad network", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"acs:SourceIp":"10.0.0.0/99"}}}]}`, "10.0.0.0/99"},
		{"a nested value", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"fc:x":[{}]}}}]}`, "{}"},
		{"too long", `{"Version":"1","Statement":[` + invokeAll + `]}` + strings.Repeat(" ", maxDocument), "bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := parsePolicy([]byte(c.doc)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDocumentsInEveryForm(t *testing.T) {
	for _, doc := range []string{
		`{"Version":1,"Statement":` + invokeAll + `}`,
		`{"Version":"1","Statement":[{"Sid":"a","Effect":"Allow","Action":["fc:InvokeFunction"],"Resource":["*"],"Condition":null}]}`,
	} {
		d, warnings, err := parsePolicy([]byte(doc))
		if err != nil || len(warnings) > 0 || !evaluate([]document{d}, newRequest("fc:InvokeFunction", "r", nil, clock)) {
			t.Errorf("%s: %v %v", doc, warnings, err)
		}
	}
	_, warnings, err := parsePolicy([]byte(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Sounds":{"fc:x":"y"}}}]}`))
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "Sounds") {
		t.Errorf("warnings %q, %v", warnings, err)
	}
}

func TestTrust(t *testing.T) {
	trust := func(statements string) document {
		d, _, err := parseTrust([]byte(`{"Version":"1","Statement":[` + statements + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	oss := `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":["oss.aliyuncs.com","fc.aliyuncs.com"]}}`
	for _, c := range []struct {
		name, statements string
		want             bool
	}{
		{"the service is named", oss, true},
		{"another service is", `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"log.aliyuncs.com"}}`, false},
		{"another action is", `{"Effect":"Allow","Action":"sts:Other","Principal":{"Service":"oss.aliyuncs.com"}}`, false},
		{"an account is", `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":"acs:ram::123456:root"}}`, false},
		{"a deny beats it", oss + `,{"Effect":"Deny","Action":"sts:*","Principal":{"Service":["oss.aliyuncs.com"]}}`, false},
		{"an unknown condition does not allow", `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"oss.aliyuncs.com"},"Condition":{"Sounds":{"x":"y"}}}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := trust(c.statements).trusts("oss.aliyuncs.com", newRequest(assumeRole, "", nil, clock)); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
	for _, bad := range []string{`{"Effect":"Allow","Action":"sts:AssumeRole"}`, `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*","Principal":{"Service":"x"}}`} {
		if _, _, err := parseTrust([]byte(`{"Version":"1","Statement":[` + bad + `]}`)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestSystemPoliciesParse(t *testing.T) {
	for name, text := range SystemPolicies() {
		if _, warnings, err := parsePolicy(text); err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", name, warnings, err)
		}
	}
}

// reference is the obvious recursive matcher.
func reference(p, s string) bool {
	switch {
	case p == "":
		return s == ""
	case p[0] == '*':
		return reference(p[1:], s) || s != "" && reference(p, s[1:])
	case s == "":
		return false
	}
	return (p[0] == '?' || p[0] == s[0]) && reference(p[1:], s[1:])
}

func FuzzMatch(f *testing.F) {
	for _, c := range [][2]string{{"*", ""}, {"a*b?c", "axxbyc"}, {"**a", "ba"}, {"?", ""}, {"a*a*a", "aaaa"}, {"*ab", "aab"}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 12 || len(s) > 24 {
			return
		}
		if got, want := match(p, s, false), reference(p, s); got != want {
			t.Errorf("match(%q, %q) = %v", p, s, got)
		}
		if reference(p, s) && !match(strings.ToUpper(p), s, true) && isASCII(p) {
			t.Errorf("match(%q, %q) without case is false", strings.ToUpper(p), s)
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0
}

func TestMatchIsNotExponential(t *testing.T) {
	if match(strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 20000), false) {
		t.Error("matched")
	}
}

func FuzzPolicy(f *testing.F) {
	for _, text := range SystemPolicies() {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"Version":1,"Statement":{"Effect":"Deny","NotAction":["a"],"NotResource":"b","Condition":{"IpAddress":{"acs:SourceIp":"::/0"},"X":{}}}}`))
	f.Add([]byte(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":["oss.aliyuncs.com"]}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newRequest("fc:InvokeFunction", resizeARN, Env{"acs:SourceIp": "10.0.0.1"}, clock)
		if doc, _, err := parsePolicy(b); err == nil {
			evaluate([]document{doc}, r)
		}
		if doc, _, err := parseTrust(b); err == nil {
			doc.trusts("oss.aliyuncs.com", r)
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	docs := []document{
		policy(b, `{"Effect":"Deny","Action":["fc:Delete*","fc:Update*"],"Resource":"acs:fc:*:*:services/prod/*"}`, `{"Effect":"Allow","Action":["oss:Get*","oss:List*"],"Resource":"*"}`),
		policy(b, `{"Effect":"Allow","Action":"fc:InvokeFunction","Resource":["acs:fc:*:*:services/demo/functions/*","acs:fc:*:*:services/demo.*/functions/*"],"Condition":{"IpAddress":{"acs:SourceIp":"10.0.0.0/8"}}}`),
	}
	env := Env{"acs:SourceIp": "10.1.2.3"}
	b.ReportAllocs()
	for b.Loop() {
		if !evaluate(docs, newRequest("fc:InvokeFunction", resizeARN, env, clock)) {
			b.Fatal("denied")
		}
	}
}
