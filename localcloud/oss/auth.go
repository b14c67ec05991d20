package oss

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"fcd/fc"
	"fcd/localcloud/oss/disk"
	"fcd/ram"
	"fcd/sign"
)

// authenticate proves who asks. Without any signature the caller is anonymous.
func (c *call) authenticate() error {
	if c.op.ownAuth {
		return nil
	}
	signed, err := sign.ParseOSS(c.r, c.bucket, c.key)
	if errors.Is(err, sign.ErrNoSignature) {
		c.anon = true
		return nil
	}
	if err != nil {
		return err
	}
	id, err := c.identity(signed.AccessKeyID, signed.Token)
	if err != nil {
		return err
	}
	if !signed.Verify(id.Secret) {
		return refuse(http.StatusForbidden, "SignatureDoesNotMatch",
			"the request signature we calculated does not match the signature you provided; check your key and signing method")
	}
	if err := signed.Expired(c.start); err != nil {
		return err
	}
	c.who = id.Principal
	return nil
}

// identity finds a key and tells its absence in the service's words.
func (c *call) identity(accessKeyID, token string) (ram.Identity, error) {
	id, err := c.s.opts.Keys.Authenticate(accessKeyID, token)
	switch {
	case err == nil:
		return id, nil
	case fc.CodeOf(err) == fc.InvalidAccessKeyID:
		return id, refuse(http.StatusForbidden, "InvalidAccessKeyId", "the access key id %q you provided does not exist", accessKeyID)
	case fc.CodeOf(err) == fc.AccessDenied:
		return id, refuse(http.StatusForbidden, "InvalidSecurityToken", "the security token you provided is invalid or has expired")
	}
	return id, err
}

// authorize asks the policies about the request's own resource.
func (c *call) authorize() error {
	if c.op.ownAuth {
		return nil
	}
	return c.allowed(c.op.action, c.bucket, c.key)
}

// allowed asks whether the caller may do action on a bucket, or an object in it.
func (c *call) allowed(action, bucket, key string) error {
	if c.anon {
		return c.allowedAnonymous(action, bucket, key)
	}
	if c.s.opts.Policy == nil || action == "" {
		return nil
	}
	err := c.s.opts.Policy.Allowed(c.who, action, c.s.resource(bucket, key), c.env())
	var refused *fc.Error
	if errors.As(err, &refused) {
		return refuse(http.StatusForbidden, "AccessDenied", "%s", refused.Message)
	}
	return err
}

// allowedAnonymous lets anybody do what the access control list of the object, else of its bucket, opens to all.
func (c *call) allowedAnonymous(action, bucket, key string) error {
	acl := ""
	if b, err := c.s.disk.Bucket(bucket); err == nil {
		acl = b.ACL
	}
	if key != "" {
		if o, err := c.s.disk.Stat(c.ctx(), bucket, key); err == nil && o.Attrs.ACL != "" && o.Attrs.ACL != "default" {
			acl = o.Attrs.ACL
		}
	}
	reads := action == "oss:GetObject" || action == "oss:ListObjects" && key == ""
	writes := action == "oss:PutObject" || action == "oss:DeleteObject" || action == "oss:AbortMultipartUpload"
	if reads && acl != "" && acl != "private" || writes && acl == "public-read-write" {
		return nil
	}
	return refuse(http.StatusForbidden, "AccessDenied", "you have no right to access this object because of bucket acl")
}

// resource is the name that policies know a bucket or object by.
func (s *Server) resource(bucket, key string) string {
	r := "acs:oss:*:" + s.opts.AccountID + ":" + bucket
	switch {
	case bucket == "":
		return r + "*"
	case key == "":
		return r
	}
	return r + "/" + key
}

// env are the condition keys of the request.
func (c *call) env() ram.Env {
	e := ram.Env{
		"acs:SourceIp":        c.ip(),
		"acs:CurrentTime":     c.start.UTC().Format(time.RFC3339),
		"acs:SecureTransport": strconv.FormatBool(c.r.TLS != nil),
	}
	if c.op.action == "oss:ListObjects" {
		e["oss:Prefix"], e["oss:Delimiter"] = c.query.Get("prefix"), c.query.Get("delimiter")
	}
	return e
}

// checkACL holds a requested access control list against the names there are.
func checkACL(acl string, also ...string) error {
	switch acl {
	case "private", "public-read", "public-read-write":
		return nil
	}
	for _, a := range also {
		if acl == a {
			return nil
		}
	}
	return invalidArgument("no such bucket access control exists: %q", acl)
}

// exists asks for the bucket before anything else is looked at.
func (c *call) exists() (disk.Bucket, error) { return c.s.disk.Bucket(c.bucket) }
