package ram

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"

	"fcd/fc"
)

// fcService is who a service's role must trust for functions to act as it.
const fcService = "fc.aliyuncs.com"

const assumeRole = "sts:AssumeRole"

// Directory answers who a caller is and what it may do. It is safe for concurrent use.
type Directory struct {
	opts   Options // the account, keys and clock, which Replace does not change
	remote remoteRoles
	issuer *issuer
	gen    atomic.Pointer[generation]
}

// New makes a Directory of o. The error names the user, role or policy that is at fault.
func New(o Options) (*Directory, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("ram: %w", err)
	}
	if o.Master == nil {
		o.Master = make([]byte, masterBytes)
		rand.Read(o.Master)
	}
	d := &Directory{}
	if d.issuer, err = newIssuer(o.Master); err != nil {
		return nil, fmt.Errorf("ram: %w", err)
	}
	o.Master = nil
	d.opts = o
	g, err := newGeneration(o)
	if err != nil {
		return nil, fmt.Errorf("ram: %w", err)
	}
	d.gen.Store(g)
	return d, nil
}

// Replace takes over the keys, users, roles, STS, mode and checks of o. Account (if given) must be the Directory's; Master,
// Clock, Log and the life of fcd's own credentials stay as they are. On an error nothing changes. Temporary credentials stay good.
func (d *Directory) Replace(o Options) error {
	if o.Account != "" && o.Account != d.opts.Account {
		return fmt.Errorf("ram: account %s cannot become %s while the daemon runs", d.opts.Account, o.Account)
	}
	o.Account, o.Master, o.Clock, o.Log = d.opts.Account, nil, d.opts.Clock, d.opts.Log
	o.CredentialLife, o.CredentialFresh = d.opts.CredentialLife, d.opts.CredentialFresh
	o, err := o.withDefaults()
	if err != nil {
		return fmt.Errorf("ram: %w", err)
	}
	g, err := newGeneration(o)
	if err != nil {
		return fmt.Errorf("ram: %w", err)
	}
	d.gen.Store(g)
	return nil
}

// Authenticate finds the access key that a request names, permanent or temporary, with the token that came along. The
// caller then verifies the signature with the Identity's Secret. Errors are *fc.Error: InvalidAccessKeyID for a key that
// nobody has, AccessDenied for a token that is missing, forged, expired, or of no use.
func (d *Directory) Authenticate(accessKeyID, token string) (Identity, error) {
	g := d.gen.Load()
	if strings.HasPrefix(accessKeyID, temporaryPrefix) {
		return d.authenticateTemporary(g, accessKeyID, token)
	}
	id, ok := g.keys[accessKeyID]
	if !ok {
		return Identity{}, fc.Errorf(fc.InvalidAccessKeyID, "invalid access key ID '%s'", accessKeyID)
	}
	if token != "" {
		return Identity{}, fc.Errorf(fc.AccessDenied, "access key ID '%s' is permanent and takes no security token", accessKeyID)
	}
	return id, nil
}

func (d *Directory) authenticateTemporary(g *generation, accessKeyID, token string) (Identity, error) {
	if token == "" {
		return Identity{}, fc.Errorf(fc.AccessDenied, "access key ID '%s' is temporary and needs its security token", accessKeyID)
	}
	c, err := d.issuer.open(accessKeyID, token, d.opts.Clock())
	if err != nil {
		return Identity{}, &fc.Error{Code: fc.AccessDenied, Message: err.Error()}
	}
	if g.role(c.Role) == nil && g.mode == ModeEnforce {
		return Identity{}, fc.Errorf(fc.AccessDenied, "role '%s' of the security token does not exist any more", c.Role)
	}
	return Identity{
		Secret:    d.issuer.secretOf(accessKeyID),
		Principal: Principal{Kind: KindRole, Account: d.opts.Account, Name: c.Role, Session: c.Session},
	}, nil
}

// Allowed tells whether the principal may perform the action on the resource: nil, or an *fc.Error AccessDenied. env
// holds the request's condition keys; acs:CurrentTime is added.
func (d *Directory) Allowed(p Principal, action, resource string, env Env) error {
	g := d.gen.Load()
	if d.unrestricted(g, p) {
		return nil
	}
	if evaluate(g.policies(p), newRequest(action, resource, env, d.opts.Clock)) {
		return nil
	}
	if g.mode == ModeWarn {
		d.opts.Log.Warn("request would be denied", zap.String("principal", p.ARN()), zap.String("action", action), zap.String("resource", resource))
		return nil
	}
	suffix := ""
	if s := env[keyService]; s != "" {
		suffix = fmt.Sprintf(" with condition '[%s=%s]'", keyService, s)
	}
	return fc.Errorf(fc.AccessDenied, "the caller is not authorized to perform '%s' on resource '%s'%s", action, resource, suffix)
}

// Unrestricted tells whether the principal may do everything, so that Allowed need not be asked.
func (d *Directory) Unrestricted(p Principal) bool { return d.unrestricted(d.gen.Load(), p) }

func (d *Directory) unrestricted(g *generation, p Principal) bool {
	return p.Kind == KindRoot && p.Account == d.opts.Account || g.mode == ModeOff
}

// Reasons of a Refusal.
const (
	ReasonRoleMissing = "role-missing" // no role of that name in this account
	ReasonTrust       = "trust"        // its trust document does not name the service
	ReasonPolicy      = "policy"       // its policies do not allow the action on the resource
)

// Refusal is the error of Authorize: which piece is missing between a service and a resource.
type Refusal struct {
	Reason                             string // one of the Reason constants
	RoleARN, Service, Action, Resource string
	// Why is, of ReasonPolicy, which statement denies it, or that none allows it.
	Why string
}

func (r *Refusal) Error() string {
	switch r.Reason {
	case ReasonRoleMissing:
		return fmt.Sprintf("role '%s' does not exist", r.RoleARN)
	case ReasonTrust:
		return fmt.Sprintf("role '%s' does not trust the service '%s'", r.RoleARN, r.Service)
	}
	return fmt.Sprintf("role '%s' does not allow '%s' on resource '%s': %s", r.RoleARN, r.Action, r.Resource, r.Why)
}

// Authorize tells whether the service may perform the action on the resource through the role: the role exists, trusts
// the service and its policies allow it. The error is a *Refusal. In ModeWarn it is logged only, in ModeOff nobody looks.
func (d *Directory) Authorize(roleARN, service, action, resource string) error {
	g := d.gen.Load()
	if g.mode == ModeOff {
		return nil
	}
	refusal := d.refusal(g, roleARN, service, action, resource)
	if refusal == nil {
		return nil
	}
	if g.mode == ModeWarn {
		d.opts.Log.Warn("delivery would be denied", zap.String("reason", refusal.Reason), zap.Error(refusal))
		return nil
	}
	return refusal
}

func (d *Directory) refusal(g *generation, roleARN, service, action, resource string) *Refusal {
	r := &Refusal{RoleARN: roleARN, Service: service, Action: action, Resource: resource}
	account, name, err := ParseRole(roleARN)
	role := g.role(name)
	switch {
	case err != nil || account != d.opts.Account || role == nil:
		r.Reason = ReasonRoleMissing
		return r
	case !role.trust.trusts(service, newRequest(assumeRole, "", nil, d.opts.Clock)):
		r.Reason = ReasonTrust
		return r
	}
	verdict := decide(role.policies, newRequest(action, resource, Env{keyService: service}, d.opts.Clock))
	if verdict.allowed {
		return nil
	}
	r.Reason, r.Why = ReasonPolicy, verdict.why(role.policies)
	return r
}

// CheckInvocationRole is the check at create and update of a trigger whose source assumes a role to invoke the function
// named by resource. The error is an *fc.Error: InvalidArgument for a role ARN that is malformed or of another account,
// AccessDenied naming the role and what it lacks. With CheckSyntax only the form is looked at.
func (d *Directory) CheckInvocationRole(roleARN, service, resource string) error {
	account, _, err := ParseRole(roleARN)
	if err != nil {
		return fc.Errorf(fc.InvalidArgument, "invocationRole: %v", err)
	}
	if account != d.opts.Account {
		return fc.Errorf(fc.InvalidArgument, "invocationRole '%s' is not of account %s", roleARN, d.opts.Account)
	}
	if d.gen.Load().check == CheckSyntax {
		return nil
	}
	var refusal *Refusal
	if err := d.Authorize(roleARN, service, "fc:InvokeFunction", resource); errors.As(err, &refusal) {
		return &fc.Error{Code: fc.AccessDenied, Message: refusal.Error(), Err: refusal}
	}
	return nil
}

// ParseRole splits "acs:ram::<account>:role/<name>".
func ParseRole(arn string) (account, name string, err error) {
	a, err := fc.ParseARN(arn)
	name, ok := strings.CutPrefix(a.Resource, "role/")
	if err != nil || a.Service != "ram" || a.Region != "" || !ok || !validName(name) ||
		a.Account == "" || strings.Trim(a.Account, "0123456789") != "" {
		return "", "", fmt.Errorf("'%s' is not a role name (acs:ram::<account>:role/<name>)", arn)
	}
	return a.Account, name, nil
}

// validName bounds the names of users and roles: 1 to 64 letters, digits and .-_@
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(".-_@", c) >= 0) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}
