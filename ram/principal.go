package ram

import "fcd/fc"

// Kinds of principals.
const (
	KindRoot = "root" // the account's own key: everything is allowed
	KindUser = "user" // a configured user with policies
	KindRole = "role" // temporary credentials of a role
)

// Principal is who makes a request, once its signature is proven.
type Principal struct {
	Kind    string // KindRoot, KindUser or KindRole
	Account string // digits
	Name    string // user or role name; "" for root
	// Session is "service/function" for a role's credentials issued to a function, else the session name or "".
	Session string
}

// ARN is the principal's name in policies and events.
func (p Principal) ARN() string {
	res := p.Kind
	if p.Name != "" {
		res += "/" + p.Name
	}
	return fc.ARN{Service: "ram", Account: p.Account, Resource: res}.String()
}

// Identity is an access key that was found: the secret to verify the request's signature with, and whose it is.
// Secret must never be logged.
type Identity struct {
	Secret    string
	Principal Principal
}

// Env holds the condition keys of a request, like "acs:SourceIp": "10.0.0.1".
type Env map[string]string
