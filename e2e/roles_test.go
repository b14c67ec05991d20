package e2e

import (
	"encoding/json"

	"go.uber.org/zap"

	"fcd/config"
)

// trusting is the trust document that lets a service of the cloud assume a role.
func trusting(service string) config.Policy {
	return document(m{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": m{"Service": []string{service}}})
}

// document is a policy of statements.
func document(statements ...m) config.Policy {
	b, err := json.Marshal(m{"Version": "1", "Statement": statements})
	if err != nil {
		panic(err) // maps of strings
	}
	return config.Policy{Document: b}
}

// allow is a statement that lets the actions happen on the resource.
func allow(resource string, actions ...string) m {
	return m{"Effect": "Allow", "Action": actions, "Resource": resource}
}

func stringField(key, value string) zap.Field { return zap.String(key, value) }
