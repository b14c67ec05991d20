package ram

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The condition keys that requests carry. All others, but for those of Function Compute itself ("fc:..."), are unknown.
const (
	keySourceIP        = "acs:SourceIp"
	keyCurrentTime     = "acs:CurrentTime"
	keySecureTransport = "acs:SecureTransport"
	keyService         = "acs:Service"
)

var conditionKeys = []string{keySourceIP, keyCurrentTime, keySecureTransport, keyService}

// condition is one operator on one key.
type condition struct {
	key    string
	negate bool
	// holds compares the request's value with each of the policy's; ok is false if the request's value makes no sense.
	holds func(value string) (yes, ok bool)
}

// truth is the outcome of a condition.
type truth int

const (
	no truth = iota
	yes
	unclear // the request's value cannot be read: an Allow does not match, a Deny does
)

func parseConditions(raw map[string]map[string]scalarList) ([]condition, []string, error) {
	var out []condition
	var warnings []string
	for _, op := range slices.Sorted(maps.Keys(raw)) {
		base, negate := negated[op]
		if !negate {
			base = op
		}
		compile, known := operators[base]
		if !known {
			warnings = append(warnings, fmt.Sprintf("condition operator %q is unknown", op))
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(raw[op])) {
			if !knownKey(key) {
				warnings = append(warnings, fmt.Sprintf("condition key %q is unknown", key))
				continue
			}
			holds, err := compile(raw[op][key])
			if err != nil {
				return nil, nil, fmt.Errorf("condition %s on %s: %w", op, key, err)
			}
			out = append(out, condition{key: key, negate: negate, holds: holds})
		}
	}
	return out, warnings, nil
}

// negated are the operators that hold where their counterpart does not.
var negated = map[string]string{
	"StringNotEquals":           "StringEquals",
	"StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
	"StringNotLike":             "StringLike",
	"NumericNotEquals":          "NumericEquals",
	"DateNotEquals":             "DateEquals",
	"NotIpAddress":              "IpAddress",
}

func knownKey(key string) bool {
	service, rest, _ := strings.Cut(strings.ToLower(key), ":")
	return rest != "" && (service == "fc" || service == "oss") ||
		slices.ContainsFunc(conditionKeys, func(k string) bool { return strings.EqualFold(k, key) })
}

// operators compile the policy's values into a comparison.
var operators = map[string]func(values []string) (func(string) (bool, bool), error){
	"StringEquals":             stringOperator(func(v, p string) bool { return v == p }),
	"StringEqualsIgnoreCase":   stringOperator(strings.EqualFold),
	"StringLike":               stringOperator(func(v, p string) bool { return match(p, v, false) }),
	"NumericEquals":            numericOperator(func(c int) bool { return c == 0 }),
	"NumericLessThan":          numericOperator(func(c int) bool { return c < 0 }),
	"NumericLessThanEquals":    numericOperator(func(c int) bool { return c <= 0 }),
	"NumericGreaterThan":       numericOperator(func(c int) bool { return c > 0 }),
	"NumericGreaterThanEquals": numericOperator(func(c int) bool { return c >= 0 }),
	"DateEquals":               dateOperator(func(c int) bool { return c == 0 }),
	"DateLessThan":             dateOperator(func(c int) bool { return c < 0 }),
	"DateLessThanEquals":       dateOperator(func(c int) bool { return c <= 0 }),
	"DateGreaterThan":          dateOperator(func(c int) bool { return c > 0 }),
	"DateGreaterThanEquals":    dateOperator(func(c int) bool { return c >= 0 }),
	"Bool":                     typedOperator(strconv.ParseBool, func(v, p bool) bool { return v == p }),
	"IpAddress": func(values []string) (func(string) (bool, bool), error) {
		return anyOf(values, parsePrefix, netip.ParseAddr, func(a netip.Addr, p netip.Prefix) bool { return p.Contains(a.Unmap()) })
	},
}

func stringOperator(same func(value, pattern string) bool) func([]string) (func(string) (bool, bool), error) {
	plain := func(s string) (string, error) { return s, nil }
	return typedOperator(plain, same)
}

func numericOperator(want func(int) bool) func([]string) (func(string) (bool, bool), error) {
	number := func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
	return typedOperator(number, func(v, p float64) bool {
		switch {
		case v < p:
			return want(-1)
		case v > p:
			return want(1)
		}
		return v == p && want(0)
	})
}

func dateOperator(want func(int) bool) func([]string) (func(string) (bool, bool), error) {
	date := func(s string) (time.Time, error) { return time.Parse(time.RFC3339, s) }
	return typedOperator(date, func(v, p time.Time) bool { return want(v.Compare(p)) })
}

func typedOperator[T any](parse func(string) (T, error), same func(value, pattern T) bool) func([]string) (func(string) (bool, bool), error) {
	return func(values []string) (func(string) (bool, bool), error) { return anyOf(values, parse, parse, same) }
}

// anyOf makes a comparison that holds if one of the policy's values does.
func anyOf[P, V any](values []string, parsePolicy func(string) (P, error), parseValue func(string) (V, error), same func(V, P) bool) (func(string) (bool, bool), error) {
	ps := make([]P, len(values))
	for i, s := range values {
		p, err := parsePolicy(s)
		if err != nil {
			return nil, fmt.Errorf("value %q: %w", s, err)
		}
		ps[i] = p
	}
	return func(value string) (bool, bool) {
		v, err := parseValue(value)
		if err != nil {
			return false, false
		}
		return slices.ContainsFunc(ps, func(p P) bool { return same(v, p) }), true
	}, nil
}

// parsePrefix reads an address or a network.
func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Unmap().Prefix(a.Unmap().BitLen())
}

// test evaluates the condition on a request.
func (c condition) test(r *request) truth {
	value, present := r.value(c.key)
	if !present {
		return truthOf(c.negate)
	}
	holds, ok := c.holds(value)
	if !ok {
		return unclear
	}
	return truthOf(holds != c.negate)
}

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}
