package config

import (
	"encoding/json"
	"slices"
	"strings"

	"fcd/ram"
)

// defaultRoles are the roles that the cloud's own wizards make, less those that the file defines itself. The policies are
// the cloud's system policies of that use.
func defaultRoles(defined []ram.Role) []ram.Role {
	all := []ram.Role{
		{Name: "AliyunFCDefaultRole", Trust: trust("fc.aliyuncs.com"),
			Policies: named("AliyunOSSFullAccess", "AliyunLogFullAccess", "AliyunFCInvocationAccess")},
		{Name: "AliyunOSSEventNotificationRole", Trust: trust("oss.aliyuncs.com"),
			Policies: named("AliyunOSSEventNotificationRolePolicy")},
		{Name: "AliyunLogETLRole", Trust: trust("log.aliyuncs.com"), Policies: named("AliyunLogETLRolePolicy")},
	}
	return slices.DeleteFunc(all, func(r ram.Role) bool {
		return slices.ContainsFunc(defined, func(d ram.Role) bool { return strings.EqualFold(d.Name, r.Name) })
	})
}

// trust is the document that lets a service assume a role.
func trust(service string) json.RawMessage {
	return json.RawMessage(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",` +
		`"Principal":{"Service":["` + service + `"]}}]}`)
}

func named(names ...string) []ram.Policy {
	var p []ram.Policy
	for _, n := range names {
		p = append(p, ram.Policy{Name: n})
	}
	return p
}

func ramPolicies(in []Policy) []ram.Policy {
	var out []ram.Policy
	for _, p := range in {
		out = append(out, ram.Policy{Name: p.Name, Document: p.Document})
	}
	return out
}
