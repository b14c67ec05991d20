package fc

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var environmentKeyForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// ValidateEnvironment checks a function's environmentVariables: keys are a letter followed by letters, digits and
// underscores and are not reserved, values are printable ASCII, and all keys and values together are at most
// limits.MaxEnvironmentSize bytes. Errors are *Error with InvalidArgument; they name keys, never values, which may be
// secrets.
func ValidateEnvironment(env map[string]string, limits Limits) error {
	size := 0
	for _, key := range slices.Sorted(maps.Keys(env)) {
		if err := validateVariable(key, env[key]); err != nil {
			return err
		}
		size += len(key) + len(env[key])
	}
	if size > limits.MaxEnvironmentSize {
		allowed := fmt.Sprintf("keys and values of at most %d bytes together", limits.MaxEnvironmentSize)
		return InvalidField("EnvironmentVariables", allowed, fmt.Sprintf("%d bytes", size))
	}
	return nil
}

func validateVariable(key, value string) error {
	if !environmentKeyForm.MatchString(key) {
		return InvalidField("EnvironmentVariables", "keys of the form [a-zA-Z][a-zA-Z0-9_]*", key)
	}
	if reservedVariable(key) {
		return InvalidField("EnvironmentVariables",
			"keys that neither begin with FC_ nor are accessKeyID, accessKeySecret, securityToken or topic", key)
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' {
			return InvalidField("EnvironmentVariables", "values of printable ASCII characters", "value of "+key)
		}
	}
	return nil
}

func reservedVariable(key string) bool {
	switch key {
	case "accessKeyID", "accessKeySecret", "securityToken", "topic":
		return true
	}
	return strings.HasPrefix(key, "FC_")
}
