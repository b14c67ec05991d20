package oss

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"net/http"
	"slices"
	"strings"
	"time"

	"fcd/localcloud/oss/disk"
)

const (
	formV2 = "OSS2"
	formV4 = "OSS4-HMAC-SHA256"
)

// admitForm proves who signed the form's policy, holds the form against the policy and asks whether the signer may put
// the object. It returns the bounds of the file's size: from offset to size bytes.
func (c *call) admitForm(f form) (span, error) {
	limits := span{0, disk.MaxObject}
	if f.fields["policy"] == "" {
		c.anon = true
		return limits, c.allowed("oss:PutObject", c.bucket, c.key)
	}
	if err := c.authenticateForm(f); err != nil {
		return limits, err
	}
	raw, err := base64.StdEncoding.DecodeString(f.fields["policy"])
	if err != nil {
		return limits, badRequest("InvalidPolicyDocument", "the policy is not base64")
	}
	if limits, err = checkPolicy(raw, c.formValues(f), c.start); err != nil {
		return limits, err
	}
	return limits, c.allowed("oss:PutObject", c.bucket, c.key)
}

func (c *call) authenticateForm(f form) error {
	ak, signature, sign := formSignature(f)
	if ak == "" || signature == "" {
		return refuse(http.StatusForbidden, "AccessDenied", "the form has a policy but no access key or no signature")
	}
	id, err := c.identity(ak, f.fields["x-oss-security-token"])
	if err != nil {
		return err
	}
	if !hmac.Equal([]byte(sign(id.Secret)), []byte(signature)) {
		return refuse(http.StatusForbidden, "SignatureDoesNotMatch", "the signature of the form's policy does not match")
	}
	c.who = id.Principal
	return nil
}

// formSignature finds the key and the signature of a form and how a secret makes such a signature.
func formSignature(f form) (ak, signature string, sign func(secret string) string) {
	policy := f.fields["policy"]
	switch f.fields["x-oss-signature-version"] {
	case formV4:
		scope := strings.Split(f.fields["x-oss-credential"], "/")
		return scope[0], f.fields["x-oss-signature"], func(secret string) string {
			key := "aliyun_v4" + secret
			for _, s := range scope[1:] {
				key = string(sum(sha256.New, key, s))
			}
			return hex.EncodeToString(sum(sha256.New, key, policy))
		}
	case formV2:
		return f.fields["x-oss-access-key-id"], f.fields["x-oss-signature"], func(secret string) string {
			return base64.StdEncoding.EncodeToString(sum(sha256.New, secret, policy))
		}
	}
	return f.fields["ossaccesskeyid"], f.fields["signature"], func(secret string) string {
		return base64.StdEncoding.EncodeToString(sum(sha1.New, secret, policy))
	}
}

func sum(h func() hash.Hash, key, text string) []byte {
	m := hmac.New(h, []byte(key))
	m.Write([]byte(text))
	return m.Sum(nil)
}

// formValues are what a policy's conditions look at.
func (c *call) formValues(f form) map[string]string {
	v := map[string]string{}
	for name, text := range f.fields {
		v[name] = text
	}
	v["bucket"], v["key"], v["content-type"] = c.bucket, c.key, f.contentType()
	return v
}

// policy is the document of a form: until when and for what it holds.
type policy struct {
	Expiration string            `json:"expiration"`
	Conditions []json.RawMessage `json:"conditions"`
}

func invalidPolicy(format string, args ...any) error {
	return badRequest("InvalidPolicyDocument", format, args...)
}

func deniedByPolicy(format string, args ...any) error {
	return refuse(http.StatusForbidden, "AccessDenied", "invalid according to policy: "+format, args...)
}

// checkPolicy holds a form's values against its policy and returns the bounds of the file's size.
func checkPolicy(raw []byte, values map[string]string, now time.Time) (span, error) {
	limits := span{0, disk.MaxObject}
	var p policy
	if err := json.Unmarshal(raw, &p); err != nil {
		return limits, invalidPolicy("the policy is not a JSON object: %v", err)
	}
	end, err := time.Parse(time.RFC3339, p.Expiration)
	if err != nil {
		return limits, invalidPolicy("the policy's expiration %q is not a time", p.Expiration)
	}
	if now.After(end) {
		return limits, deniedByPolicy("policy expired at %s", p.Expiration)
	}
	for _, raw := range p.Conditions {
		if err := checkCondition(raw, values, &limits); err != nil {
			return limits, err
		}
	}
	return limits, nil
}

func checkCondition(raw json.RawMessage, values map[string]string, limits *span) error {
	var equal map[string]string
	if json.Unmarshal(raw, &equal) == nil {
		for name, want := range equal {
			if values[strings.ToLower(name)] != want {
				return deniedByPolicy("%s is not %q", name, want)
			}
		}
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 {
		return invalidPolicy("the condition %s is neither an object nor a list of three", raw)
	}
	var op string
	if json.Unmarshal(list[0], &op) != nil {
		return invalidPolicy("the condition %s has no operator", raw)
	}
	if op == "content-length-range" {
		if json.Unmarshal(list[1], &limits.offset) != nil || json.Unmarshal(list[2], &limits.size) != nil || limits.size < 0 {
			return invalidPolicy("the condition %s has no numbers", raw)
		}
		return nil
	}
	return checkOperator(strings.ToLower(op), list, values)
}

func checkOperator(op string, list []json.RawMessage, values map[string]string) error {
	var field, want string
	var all []string
	if json.Unmarshal(list[1], &field) != nil || !strings.HasPrefix(field, "$") {
		return invalidPolicy("the condition's field %s does not begin with $", list[1])
	}
	if json.Unmarshal(list[2], &want) != nil && json.Unmarshal(list[2], &all) != nil {
		return invalidPolicy("the condition's value %s is not text", list[2])
	}
	got := values[strings.ToLower(field[1:])]
	ok := false
	switch op {
	case "eq":
		ok = got == want
	case "starts-with":
		ok = strings.HasPrefix(got, want)
	case "in":
		ok = slices.Contains(all, got)
	case "not-in":
		ok = !slices.Contains(all, got)
	default:
		return invalidPolicy("there is no condition %q", op)
	}
	if !ok {
		return deniedByPolicy("%s does not satisfy %q", field, op)
	}
	return nil
}
