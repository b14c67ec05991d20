package ram

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
)

// generation is everything that one configuration says. It does not change, but for the cache of credentials.
type generation struct {
	mode  Mode
	check RoleCheck
	keys  map[string]Identity
	users map[string][]document
	roles map[string]*role // by lower-cased name

	sts        STS
	remoteLife time.Duration

	mu     sync.Mutex
	issued map[session]fc.Credentials // guarded by mu
	warned map[string]bool            // roles that were complained about; guarded by mu
}

type role struct {
	name     string
	trust    document
	policies []document
	static   *fc.Credentials
	remote   string // ARN of the real role; "" if there is none
}

// loader turns Options into a generation.
type loader struct {
	gen    *generation
	opts   Options
	system map[string]json.RawMessage
}

func newGeneration(o Options) (*generation, error) {
	l := loader{opts: o, system: SystemPolicies(), gen: &generation{
		mode: o.Mode, check: o.CheckAtCreate, sts: o.STS, remoteLife: o.RemoteLife, keys: map[string]Identity{}, users: map[string][]document{},
		roles: map[string]*role{}, issued: map[session]fc.Credentials{}, warned: map[string]bool{},
	}}
	if o.NoSystemPolicies {
		l.system = nil
	}
	for _, k := range o.Keys {
		if err := l.addKey(k, Principal{Kind: KindRoot, Account: o.Account}); err != nil {
			return nil, err
		}
	}
	for _, u := range o.Users {
		if err := l.addUser(u); err != nil {
			return nil, fmt.Errorf("user %q: %w", u.Name, err)
		}
	}
	for _, r := range o.Roles {
		if err := l.addRole(r); err != nil {
			return nil, fmt.Errorf("role %q: %w", r.Name, err)
		}
	}
	return l.gen, nil
}

func (l *loader) addKey(k Key, p Principal) error {
	_, taken := l.gen.keys[k.ID]
	switch {
	case k.ID == "" || strings.ContainsAny(k.ID, ":/ ,"):
		return fmt.Errorf("access key ID %q is empty or holds one of ':/ ,'", k.ID)
	case strings.HasPrefix(k.ID, temporaryPrefix):
		return fmt.Errorf("access key ID %q begins with %q, which temporary keys do", k.ID, temporaryPrefix)
	case k.Secret == "":
		return fmt.Errorf("access key ID %q has no secret", k.ID)
	case taken:
		return fmt.Errorf("access key ID %q is given twice", k.ID)
	}
	l.gen.keys[k.ID] = Identity{Secret: k.Secret, Principal: p}
	return nil
}

func (l *loader) addUser(u User) error {
	if !validName(u.Name) {
		return errors.New("the name is not of 1 to 64 letters, digits and .-_@")
	}
	if _, taken := l.gen.users[u.Name]; taken {
		return errors.New("is given twice")
	}
	for _, k := range u.Keys {
		if err := l.addKey(k, Principal{Kind: KindUser, Account: l.opts.Account, Name: u.Name}); err != nil {
			return err
		}
	}
	docs, err := l.documents(u.Policies)
	l.gen.users[u.Name] = docs
	return err
}

func (l *loader) addRole(r Role) error {
	if !validName(r.Name) {
		return errors.New("the name is not of 1 to 64 letters, digits and .-_@")
	}
	key := strings.ToLower(r.Name)
	if _, taken := l.gen.roles[key]; taken {
		return errors.New("is given twice (names compare without case)")
	}
	if r.Remote != "" {
		if r.Static != nil {
			return errors.New("its credentials cannot be both static and those of a remote role")
		}
		if _, _, err := ParseRole(r.Remote); err != nil {
			return fmt.Errorf("remote role: %w", err)
		}
		if l.opts.STS == nil {
			return errors.New("its credentials are those of a remote role, and no STS is configured")
		}
	}
	trust, warnings, err := parseTrust(r.Trust)
	if err != nil {
		return fmt.Errorf("trust: %w", err)
	}
	l.warn("trust of role "+r.Name, warnings)
	docs, err := l.documents(r.Policies)
	l.gen.roles[key] = &role{name: r.Name, trust: trust, policies: docs, static: r.Static, remote: r.Remote}
	return err
}

func (l *loader) documents(ps []Policy) ([]document, error) {
	docs := make([]document, len(ps))
	for i, p := range ps {
		text := p.Document
		if text == nil {
			var ok bool
			if text, ok = l.system[p.Name]; !ok {
				return nil, fmt.Errorf("policy %q is neither a system policy nor given with a document", p.Name)
			}
		}
		doc, warnings, err := parsePolicy(text)
		if err != nil {
			return nil, fmt.Errorf("policy %q: %w", p.Name, err)
		}
		l.warn("policy "+p.Name, warnings)
		doc.name = p.Name
		if doc.name == "" {
			doc.name = fmt.Sprint("#", i+1)
		}
		docs[i] = doc
	}
	return docs, nil
}

func (l *loader) warn(where string, warnings []string) {
	for _, w := range warnings {
		l.opts.Log.Warn("statement will never allow", zap.String("document", where), zap.String("reason", w))
	}
}

// role finds a role by its name, nil if there is none.
func (g *generation) role(name string) *role { return g.roles[strings.ToLower(name)] }

func (g *generation) policies(p Principal) []document {
	switch p.Kind {
	case KindUser:
		return g.users[p.Name]
	case KindRole:
		if r := g.role(p.Name); r != nil {
			return r.policies
		}
	}
	return nil
}
