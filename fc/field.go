package fc

import (
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"
)

// Bounds of names and texts. They are part of the API, not the operator's to change.
const (
	MaxNameLength         = 128 // services and triggers
	MaxFunctionNameLength = 64
	MaxDescriptionLength  = 256 // characters
	MaxHandlerLength      = 128
	MaxInstanceRequests   = 100 // instanceConcurrency
	minMemoryMB           = 128
	memoryStepMB          = 64
)

// maxShown bounds how much of a refused value an error message repeats, in bytes.
const maxShown = 160

var roleForm = regexp.MustCompile(`^acs:ram::[0-9]+:role/[A-Za-z0-9._@-]{1,64}$`)

// InvalidField is the InvalidArgument error for a field with a wrong value, in the wording that clients look for:
// "<Field> is set to an invalid value (allowed: a | b, actual: 'x')". Field is UpperCamel; a long actual value is cut.
func InvalidField(field, allowed, actual string) *Error {
	if len(actual) > maxShown {
		n := maxShown
		for n > 0 && !utf8.RuneStart(actual[n]) {
			n--
		}
		actual = actual[:n] + "..."
	}
	return Errorf(InvalidArgument, "%s is set to an invalid value (allowed: %s, actual: '%s')", field, allowed, actual)
}

// MissingField is the InvalidArgument error for a required field that was not sent. Field is UpperCamel.
func MissingField(field string) *Error {
	return Errorf(InvalidArgument, "%s is required but was not given", field)
}

// ValidateName checks a name of at most max characters: a letter or underscore, then letters, digits, underscores and
// hyphens. An empty name is a missing field. A dot is refused because it separates a service from its qualifier.
func ValidateName(field, name string, max int) error {
	if name == "" {
		return MissingField(field)
	}
	if len(name) > max || !wellNamed(name) {
		return InvalidField(field, fmt.Sprintf("[A-Za-z_][A-Za-z0-9_-]{0,%d}", max-1), name)
	}
	return nil
}

// wellNamed is a regular expression by hand: every request names a service and mostly a function.
func wellNamed(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != ""
}

// ValidateRole checks the form of a role's resource name; "" (no role) is fine.
func ValidateRole(field, role string) error {
	if role != "" && !roleForm.MatchString(role) {
		return InvalidField(field, "acs:ram::<accountId>:role/<name>", role)
	}
	return nil
}

func validateDescription(s string) error {
	if n := utf8.RuneCountInString(s); n > MaxDescriptionLength {
		return InvalidField("Description", fmt.Sprintf("at most %d characters", MaxDescriptionLength),
			fmt.Sprintf("%d characters", n))
	}
	return nil
}

func validateRange(field string, value, low, high int) error {
	if value < low || value > high {
		return InvalidField(field, fmt.Sprintf("%d to %d", low, high), strconv.Itoa(value))
	}
	return nil
}

func validateOneOf(field, value string, allowed []string) error {
	list := ""
	for i, a := range allowed {
		if a == value {
			return nil
		}
		if i > 0 {
			list += " | "
		}
		list += a
	}
	return InvalidField(field, list, value)
}
