package catalog

import (
	"encoding/json"
	"fmt"
	"strings"

	"fcd/fc"
	"fcd/store"
)

// Prefixes of the keys. Names hold no slash.
const (
	servicePrefix  = "svc/"
	functionPrefix = "fn/"
	triggerPrefix  = "trg/"
	asyncPrefix    = "asy/"
)

// ServiceKey is "svc/<name>". With an empty name it is the prefix of all services.
func ServiceKey(name string) string { return servicePrefix + name }

// FunctionKey is "fn/<service>/LATEST/<name>". With an empty name it is the prefix of the service's functions.
func FunctionKey(service, name string) string {
	return functionPrefix + service + "/" + fc.Latest + "/" + name
}

// FunctionOf is the function that a key of FunctionKey names; ok is false for every other key.
func FunctionOf(key string) (ref fc.FunctionRef, ok bool) {
	name, ok := latestFunction(key)
	return fc.FunctionRef{Service: name.service, Function: name.function}, ok
}

// TriggerKey is "trg/<service>/<function>/<name>". With an empty name it is the prefix of the function's triggers.
func TriggerKey(service, function, name string) string {
	return triggerPrefix + service + "/" + function + "/" + name
}

// AsyncKey is "asy/<service>/<function>/<qualifier>", the qualifier LATEST included. With an empty qualifier it is the
// prefix of the function's configurations.
func AsyncKey(service, function, qualifier string) string {
	return asyncPrefix + service + "/" + function + "/" + qualifier
}

// BindKey is "bind/<arn>": the record through which the triggers of one source are created one after the other.
func BindKey(sourceARN string) string { return "bind/" + sourceARN }

// Encode renders a record's value. It panics for a type that JSON cannot hold, which no fc type is.
func Encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return b
}

// DecodeService reads a record below ServiceKey("").
func DecodeService(r store.Record) (*fc.Service, error) { return decode[fc.Service](r) }

// DecodeFunction reads a record that FunctionKey names.
func DecodeFunction(r store.Record) (*fc.Function, error) { return decode[fc.Function](r) }

// DecodeTrigger reads a record that TriggerKey names.
func DecodeTrigger(r store.Record) (*fc.Trigger, error) { return decode[fc.Trigger](r) }

// DecodeAsync reads a record that AsyncKey names.
func DecodeAsync(r store.Record) (*fc.AsyncConfig, error) { return decode[fc.AsyncConfig](r) }

func decode[T any](r store.Record) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(r.Value, v); err != nil {
		return nil, fmt.Errorf("record %q: %w", r.Key, err)
	}
	return v, nil
}

// latestFunction splits the key of an unpublished function.
func latestFunction(key string) (functionName, bool) {
	p := strings.Split(key, "/")
	if len(p) != 4 || p[0]+"/" != functionPrefix || p[2] != fc.Latest {
		return functionName{}, false
	}
	return functionName{p[1], p[3]}, true
}
