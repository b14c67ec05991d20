package triggers

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"

	"fcd/fc"
)

// CloudEvent is an event in the JSON format of CloudEvents 1.0 (cloudevents.io), as EventBridge sends it.
type CloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Subject     string          `json:"subject"`
	Time        string          `json:"time"`
	Data        json.RawMessage `json:"data"`

	Raw json.RawMessage `json:"-"` // the event as it came, compact
}

// ParseCloudEvents reads one CloudEvent or a list of them. Errors are *fc.Error InvalidArgument.
func ParseCloudEvents(body []byte) ([]CloudEvent, error) {
	var raws []json.RawMessage
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '[' {
		if err := json.Unmarshal(trimmed, &raws); err != nil {
			return nil, fc.Errorf(fc.InvalidArgument, "the list of events is not valid JSON: %v", err)
		}
	} else {
		raws = append(raws, body)
	}
	if len(raws) == 0 || len(raws) > MaxArrivalEvents {
		return nil, fc.Errorf(fc.InvalidArgument, "the body holds %d events, not 1 to %d", len(raws), MaxArrivalEvents)
	}
	all := make([]CloudEvent, len(raws))
	for i, raw := range raws {
		if err := all[i].read(raw); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (e *CloudEvent) read(raw json.RawMessage) error {
	if err := json.Unmarshal(raw, e); err != nil {
		return fc.Errorf(fc.InvalidArgument, "the event is not a CloudEvent: %v", err)
	}
	if e.SpecVersion != "1.0" {
		return fc.InvalidField("specversion", "1.0", e.SpecVersion)
	}
	for name, value := range map[string]string{"id": e.ID, "source": e.Source, "type": e.Type} {
		if value == "" || len(value) > 4096 {
			return fc.InvalidField(name, "1 to 4096 bytes", value)
		}
	}
	if len(e.Data) == 0 {
		e.Data = encodedData(raw)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return fc.Errorf(fc.InvalidArgument, "the event is not valid JSON: %v", err)
	}
	e.Raw = compact.Bytes()
	return nil
}

// encodedData is the data of an event that carries it as data_base64; nil if there is none.
func encodedData(raw json.RawMessage) json.RawMessage {
	var v struct {
		Data string `json:"data_base64"`
	}
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(v.Data)
	if err != nil || !json.Valid(data) {
		return nil
	}
	return data
}

// Key tells a CloudEvent apart from all others: producers give each of their events an id of its own.
func (e *CloudEvent) Key() string { return HashKey(e.Source, e.ID) }

// HashKey is 32 hex digits that stand for the parts, in their order.
func HashKey(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
