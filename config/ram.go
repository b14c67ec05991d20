package config

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// RAM is who may do what: users, roles and their policies, and how strictly they are checked.
type RAM struct {
	Mode          string `yaml:"mode"`
	CheckAtCreate string `yaml:"checkAtCreate"`
	Users         []User `yaml:"users"`
	Roles         []Role `yaml:"roles"`
	DefaultRoles  bool   `yaml:"defaultRoles"`
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
}

// Policy is a system policy's name or a document, written inline.
type Policy struct {
	Name     string
	Document []byte // JSON; nil if Name is set
}

// UnmarshalYAML reads a name or a document.
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
