package ways

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"strings"
)

// maxWrappings bounds how deep an event may be wrapped.
const maxWrappings = 5

// Notification is a message of a topic as Message Service delivers it, in XML or JSON.
type Notification struct {
	XMLName          xml.Name `xml:"Notification" json:"-"`
	TopicOwner       string
	TopicName        string
	Subscriber       string
	SubscriptionName string
	MessageID        string `xml:"MessageId" json:"MessageId"`
	Message          string
	MessageMD5       string
	MessageTag       string
	PublishTime      Number // Unix milliseconds

	MessageAttributes Attributes `json:",omitempty"`
}

// Number is a number that may be written as a string.
type Number string

// UnmarshalJSON keeps the text of a number or a string.
func (n *Number) UnmarshalJSON(b []byte) error {
	*n = Number(bytes.Trim(b, `"`))
	return nil
}

// Attributes are the attributes of a message: as JSON whatever the notification says, from XML an object of strings.
type Attributes json.RawMessage

// UnmarshalJSON keeps the value.
func (a *Attributes) UnmarshalJSON(b []byte) error {
	*a = bytes.Clone(b)
	return nil
}

// MarshalJSON is the value that was kept.
func (a Attributes) MarshalJSON() ([]byte, error) { return a, nil }

// UnmarshalXML reads an element that holds one of each attribute's name.
func (a *Attributes) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	var v struct {
		All []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := d.DecodeElement(&v, &start); err != nil {
		return err
	}
	members := map[string]string{}
	for _, m := range v.All {
		members[m.XMLName.Local] = m.Text
	}
	b, err := json.Marshal(members)
	*a = b
	return err
}

// ParseNotification reads a notification and tells whether the body is one.
func ParseNotification(body []byte) (Notification, bool) {
	var n Notification
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return n, false
	}
	var err error
	switch body[0] {
	case '{':
		err = json.Unmarshal(body, &n)
	case '<':
		err = decodeXML(body, &n)
	default:
		return n, false
	}
	return n, err == nil && n.TopicName != ""
}

// JSON is the notification as the kind of trigger reads it.
func (n Notification) JSON() []byte {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err) // strings only
	}
	return b
}

// decodeXML reads XML as leniently as the standard library allows: any name space, any encoding's name, loose ends.
func decodeXML(body []byte, v any) error {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict = false
	d.CharsetReader = nil
	return d.Decode(v)
}

// Unwrap finds the event document in a message: the document itself, base64 of it, or a topic's notification of either.
// What holds none is returned as it is.
func Unwrap(body []byte) []byte {
	inner := bytes.TrimSpace(body)
	for range maxWrappings {
		next, ok := unwrap(inner)
		if !ok {
			break
		}
		inner = bytes.TrimSpace(next)
	}
	if len(inner) > 0 && (inner[0] == '{' || inner[0] == '[') {
		return inner
	}
	return body
}

// unwrap takes one wrapping off; false if there is none.
func unwrap(body []byte) ([]byte, bool) {
	if len(body) == 0 || body[0] == '[' {
		return nil, false
	}
	if body[0] == '{' {
		var doc map[string]json.RawMessage
		if json.Unmarshal(body, &doc) != nil || doc["events"] != nil || doc["Records"] != nil || doc["specversion"] != nil {
			return nil, false
		}
	}
	if body[0] == '{' || body[0] == '<' {
		n, ok := ParseNotification(body)
		return []byte(n.Message), ok && n.Message != ""
	}
	text := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return -1
		}
		return r
	}, string(body))
	plain, err := base64.StdEncoding.DecodeString(text)
	return plain, err == nil
}
