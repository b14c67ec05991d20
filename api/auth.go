package api

import (
	"net"
	"time"

	"fcd/fc"
	"fcd/ram"
	"fcd/sign"
)

// authenticate proves who the caller is: form of the signature, access key, age, signature, in this order.
func (a *API) authenticate(c *call) error {
	sig, err := sign.ParseFC(c.Request)
	if err != nil {
		return err
	}
	id, err := a.o.Keys.Authenticate(sig.AccessKeyID, sig.Token)
	if err != nil {
		return err
	}
	if err := sig.Check(c.arrived); err != nil {
		return err
	}
	if !sig.Verify(id.Secret) {
		return fc.Errorf(fc.SignatureNotMatch, "The request signature we calculated does not match the signature "+
			"you provided. Check your access key and signing method")
	}
	c.caller = id.Principal
	return nil
}

// authorize asks whether the caller may do the operation on the resource.
func (a *API) authorize(c *call, resource string) error {
	if a.unrestricted(c.caller) {
		return nil
	}
	return a.o.Policy.Allowed(c.caller, "fc:"+c.op.name, resource, a.environment(c))
}

// unrestricted tells whether policies need not be asked about a caller, which spares what they are asked with.
func (a *API) unrestricted(p ram.Principal) bool {
	u, ok := a.o.Policy.(interface{ Unrestricted(ram.Principal) bool })
	return ok && u.Unrestricted(p)
}

// authorizeRole asks whether the caller may hand the role to the service; "" is no role.
func (a *API) authorizeRole(c *call, role, service string) error {
	if role == "" {
		return nil
	}
	env := a.environment(c)
	env["acs:Service"] = service
	return a.o.Policy.Allowed(c.caller, "ram:PassRole", role, env)
}

// environment holds the condition keys of the request.
func (a *API) environment(c *call) ram.Env {
	env := ram.Env{
		"acs:CurrentTime":     a.o.Now().UTC().Format(time.RFC3339),
		"acs:SecureTransport": "false",
	}
	if host, _, err := net.SplitHostPort(c.RemoteAddr); err == nil {
		env["acs:SourceIp"] = host
	}
	if c.TLS != nil {
		env["acs:SecureTransport"] = "true"
	}
	return env
}

// Resource names for policies. A qualifier that was asked for is part of the name.

func (a *API) serviceARN(ref fc.FunctionRef) string {
	name := ref.Service
	if ref.Qualifier != "" {
		name += "." + ref.Qualifier
	}
	return fc.ServiceARN(a.o.Region, a.o.AccountID, name)
}

func (a *API) functionARN(ref fc.FunctionRef) string {
	return fc.FunctionARN(a.o.Region, a.o.AccountID, ref)
}

func (a *API) triggerARN(service, function, trigger string) string {
	return fc.TriggerARN(a.o.Region, a.o.AccountID, service, function, trigger)
}
