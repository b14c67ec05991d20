package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// RAM is who may do what: users, roles and their policies, and how strictly they are checked.
type RAM struct {
	Mode          string `yaml:"mode"`
	CheckAtCreate string `yaml:"checkAtCreate"`
	Users         []User `yaml:"users"`
	Roles         []Role `yaml:"roles"`
	DefaultRoles  bool   `yaml:"defaultRoles"`
	// SystemPolicies is builtin or none.
	SystemPolicies string `yaml:"systemPolicies"`
	STS            STS    `yaml:"sts"`
}

// STS is the real Security Token Service, for roles whose credentials are real ones.
type STS struct {
	Endpoint        string        `yaml:"endpoint"`
	AccessKeyID     string        `yaml:"accessKeyId"`
	AccessKeySecret string        `yaml:"accessKeySecret"`
	Life            time.Duration `yaml:"life"`
}

// User is an access key with policies; the account's own key is not among them and may do everything.
type User struct {
	Name            string   `yaml:"name"`
	AccessKeyID     string   `yaml:"accessKeyId"`
	AccessKeySecret string   `yaml:"accessKeySecret"`
	Policies        []Policy `yaml:"policies"`
}

// Role is what a service or a function may become.
type Role struct {
	Name     string   `yaml:"name"`
	Trust    Policy   `yaml:"trust"`
	Policies []Policy `yaml:"policies"`
	// Credentials is where functions with the role get their keys: local (or ""), sts or static.
	Credentials string `yaml:"credentials"`
	RemoteARN   string `yaml:"remoteArn"` // of the real role, for sts
	Keys        Keys   `yaml:"keys"`      // for static
}

// Keys are an access key as it stands.
type Keys struct {
	AccessKeyID     string `yaml:"accessKeyId"`
	AccessKeySecret string `yaml:"accessKeySecret"`
	SecurityToken   string `yaml:"securityToken"`
}

// Policy is a system policy's name, a document written inline, or a document in a file of its own: a name that ends with
// ".json", relative to the configuration's folder.
type Policy struct {
	Name     string // of a system policy, or of the file
	Document []byte // JSON; nil for a system policy
}

// UnmarshalYAML reads a name or a document. Files are read by readPolicies.
func (p *Policy) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&p.Name)
	}
	var doc map[string]any
	if err := n.Decode(&doc); err != nil {
		return err
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("line %d: policy: %w", n.Line, err)
	}
	p.Document = b
	return nil
}

// maxPolicyFile bounds a policy's file, bytes.
const maxPolicyFile = 64 << 10

// readPolicies reads the documents that stand in files of their own; dir is what their names are relative to.
func (r *RAM) readPolicies(dir string) error {
	var errs []error
	read := func(p *Policy) {
		if p.Document != nil || !strings.HasSuffix(p.Name, ".json") {
			return
		}
		path := p.Name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		b, err := os.ReadFile(path)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("policy: %w", err))
		case len(b) > maxPolicyFile || !json.Valid(b):
			errs = append(errs, fmt.Errorf("policy %s is not JSON of at most %d bytes", path, maxPolicyFile))
		default:
			p.Document = b
		}
	}
	for i := range r.Users {
		for j := range r.Users[i].Policies {
			read(&r.Users[i].Policies[j])
		}
	}
	for i := range r.Roles {
		read(&r.Roles[i].Trust)
		for j := range r.Roles[i].Policies {
			read(&r.Roles[i].Policies[j])
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateRAM(v *violations) {
	v.oneOf("ram.mode", c.RAM.Mode, "enforce", "warn", "off")
	v.oneOf("ram.checkAtCreate", c.RAM.CheckAtCreate, "strict", "syntax")
	v.oneOf("ram.systemPolicies", c.RAM.SystemPolicies, "builtin", "none")
	s := c.RAM.STS
	v.check((s.Endpoint == "") == (s.AccessKeyID == "") && (s.AccessKeyID == "") == (s.AccessKeySecret == ""), "ram.sts.endpoint", s.Endpoint,
		"given together with accessKeyId and accessKeySecret")
	if s.Endpoint != "" && s.AccessKeyID != "" && s.AccessKeySecret != "" {
		_, err := s.newSTS()
		v.check(err == nil, "ram.sts.endpoint", s.Endpoint, "a URL of scheme and host")
	}
	v.check(s.Life >= 15*time.Minute && s.Life <= 12*time.Hour, "ram.sts.life", s.Life, "from 15m to 12h")
	for _, r := range c.RAM.Roles {
		key := "ram.roles[" + r.Name + "]."
		if r.Credentials != "" {
			v.oneOf(key+"credentials", r.Credentials, "local", "sts", "static")
		}
		v.check((r.Credentials == "sts") == (r.RemoteARN != ""), key+"remoteArn", r.RemoteARN, "given with credentials: sts, and only then")
		v.check(r.Credentials != "sts" || s.Endpoint != "", key+"credentials", r.Credentials, "something else while ram.sts.endpoint is empty")
		v.check((r.Credentials == "static") == (r.Keys.AccessKeyID != ""), key+"keys.accessKeyId", r.Keys.AccessKeyID,
			"given with credentials: static, and only then")
	}
}
