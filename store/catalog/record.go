package catalog

import (
	"encoding/json"

	"fcd/fc"
	"fcd/store"
)

func ServiceKey(name string) string          { return "svc/" + name }
func FunctionKey(svc, name string) string    { return "fn/" + svc + "/LATEST/" + name }
func TriggerKey(svc, fn, name string) string { return "trg/" + svc + "/" + fn + "/" + name }
func BindKey(arn string) string              { return "bind/" + arn }
func Encode(v any) []byte                    { b, _ := json.Marshal(v); return b }
func DecodeService(r store.Record) (*fc.Service, error) {
	v := new(fc.Service)
	return v, json.Unmarshal(r.Value, v)
}
func DecodeFunction(r store.Record) (*fc.Function, error) {
	v := new(fc.Function)
	return v, json.Unmarshal(r.Value, v)
}
func DecodeTrigger(r store.Record) (*fc.Trigger, error) {
	v := new(fc.Trigger)
	return v, json.Unmarshal(r.Value, v)
}
