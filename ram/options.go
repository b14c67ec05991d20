package ram

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
)

// Mode says what becomes of a request that the policies refuse.
type Mode string

// The modes. Off skips trust and policies altogether; authentication stays.
const (
	ModeEnforce Mode = "enforce" // it is refused; the default
	ModeWarn    Mode = "warn"    // it is logged and let through
	ModeOff     Mode = "off"     // nobody looks
)

// RoleCheck says how closely CheckInvocationRole looks at a role.
type RoleCheck string

// The depths of CheckInvocationRole.
const (
	CheckStrict RoleCheck = "strict" // the role exists, trusts the service and allows the action; the default
	CheckSyntax RoleCheck = "syntax" // only the form; firing is still checked
)

// Key is a permanent access key.
type Key struct{ ID, Secret string }

// Policy is a permission policy: the name of a built-in system policy (see SystemPolicies), or a document with any name.
type Policy struct {
	Name     string
	Document json.RawMessage
}

// User is a caller other than the account itself, with exactly the rights that its policies give.
type User struct {
	Name     string
	Keys     []Key
	Policies []Policy
}

// Role is what a trigger's source or a function's code acts as.
type Role struct {
	Name     string // compared without case
	Trust    json.RawMessage
	Policies []Policy
	// Static, if set, is handed to functions in place of issued credentials. For development against a real cloud
	// only: every function of a service with this role reads it.
	Static *fc.Credentials
	// Remote, if set, is the ARN of a real role: functions get its temporary credentials from Options.STS, for use
	// against the real cloud. Trust and Policies still say who may have them and invoke what.
	Remote string
}

// STS hands out temporary credentials of real roles; package ram/sts speaks to the cloud's.
type STS interface {
	// AssumeRole gives credentials that hold for about life. It returns soon after ctx has ended.
	AssumeRole(ctx context.Context, roleARN, session string, life time.Duration) (fc.Credentials, error)
}

// Options make a Directory. The zero value is an account "123456" without keys, users or roles.
type Options struct {
	Account       string // digits; default "123456"
	Keys          []Key  // of the account itself: everything is allowed
	Users         []User
	Roles         []Role
	Mode          Mode
	CheckAtCreate RoleCheck
	// NoSystemPolicies leaves the built-in policies out: every name is then one that is not there.
	NoSystemPolicies bool
	// RemoteLife is how long credentials of real roles are asked for. Default 1 h; what STS takes is 15 min to 12 h.
	RemoteLife time.Duration
	// Master seals temporary credentials: 32 bytes, see LoadMaster. Without it a random one is made, and credentials
	// do not outlive the process.
	Master []byte
	// CredentialLife is how long issued credentials hold. Range 15 min to 36 h, default 1 h.
	CredentialLife time.Duration
	// CredentialFresh is how much life credentials have at least when they are handed out. Default a third of
	// CredentialLife; more than half of it is refused.
	CredentialFresh time.Duration
	STS             STS              // where roles with a Remote get their credentials; nil: there are none
	Clock           func() time.Time // default time.Now
	Log             *zap.Logger      // default none
}

func (o Options) withDefaults() (Options, error) {
	if o.Account == "" {
		o.Account = "123456"
	}
	if strings.Trim(o.Account, "0123456789") != "" {
		return o, fmt.Errorf("account %q is not a number", o.Account)
	}
	if o.Mode == "" {
		o.Mode = ModeEnforce
	}
	if o.CheckAtCreate == "" {
		o.CheckAtCreate = CheckStrict
	}
	if o.CredentialLife == 0 {
		o.CredentialLife = time.Hour
	}
	if o.RemoteLife == 0 {
		o.RemoteLife = time.Hour
	}
	if o.CredentialFresh == 0 {
		o.CredentialFresh = o.CredentialLife / 3
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return o, o.validate()
}

func (o Options) validate() error {
	switch {
	case o.Mode != ModeEnforce && o.Mode != ModeWarn && o.Mode != ModeOff:
		return fmt.Errorf("mode %q is not one of enforce, warn, off", o.Mode)
	case o.CheckAtCreate != CheckStrict && o.CheckAtCreate != CheckSyntax:
		return fmt.Errorf("role check %q is not one of strict, syntax", o.CheckAtCreate)
	case o.Master != nil && len(o.Master) != masterBytes:
		return fmt.Errorf("the master key has %d bytes instead of %d", len(o.Master), masterBytes)
	case o.CredentialLife < 15*time.Minute || o.CredentialLife > 36*time.Hour:
		return fmt.Errorf("credential life %v is not from 15m to 36h", o.CredentialLife)
	case o.CredentialFresh < 0 || o.CredentialFresh > o.CredentialLife/2:
		return fmt.Errorf("credential freshness %v is not from 0 to half the life %v", o.CredentialFresh, o.CredentialLife)
	}
	return nil
}
