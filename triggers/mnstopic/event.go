package mnstopic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"fcd/fc"
	"fcd/triggers"
)

// notification is what MNS pushes for a message. Numbers may be strings.
type notification struct {
	TopicOwner       string
	TopicName        string
	Subscriber       string
	SubscriptionName string
	MessageID        string `json:"MessageId"`
	Message          string
	MessageMD5       string
	MessageTag       string
	PublishTime      milliseconds

	MessageAttributes attributes
}

// event is what a function gets with the format JSON, in the order of the cloud's sample.
type event struct {
	TopicOwner       string
	Message          string
	Subscriber       string
	PublishTime      int64
	SubscriptionName string
	MessageMD5       string
	TopicName        string
	MessageID        string `json:"MessageId"`
}

// attributed is what a function gets of a message with attributes with the format STREAM.
type attributed struct {
	Body  string     `json:"body"`
	Attrs attributes `json:"attrs"`
}

// milliseconds is a Unix time that is written as a number or as a string.
type milliseconds int64

// UnmarshalJSON reads either form; anything else is 0.
func (m *milliseconds) UnmarshalJSON(b []byte) error {
	n, _ := strconv.ParseInt(string(bytes.Trim(b, `"`)), 10, 64)
	*m = milliseconds(n)
	return nil
}

// attributes are what the publisher gave a message beside its body, by name; most are strings.
type attributes map[string]json.RawMessage

// UnmarshalJSON reads an object, or a string that holds one; anything else is no attributes.
func (a *attributes) UnmarshalJSON(b []byte) error {
	*a = nil
	var text string
	if json.Unmarshal(b, &text) == nil {
		b = []byte(text)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(b, &members) == nil {
		*a = members
	}
	return nil
}

// members are the attributes as the format JSON has them: Extend is an object in a string, whose members stand for it.
func (a attributes) members() map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for name, value := range a {
		if name != "Extend" {
			all[name] = value
		}
	}
	var extend attributes
	if v, ok := a["Extend"]; ok {
		_ = extend.UnmarshalJSON(v) // never fails
		if extend == nil {
			all["Extend"] = v
		}
	}
	maps.Copy(all, extend)
	return all
}

type box struct{ region, account string }

// open reads a body: a notification, or a bare message of the topic that was proved.
func (b box) open(a fc.Arrival) ([]triggers.Happening[config], error) {
	n, ok := parse(a.Body)
	if !ok {
		arn, err := fc.ParseARN(a.Source)
		if err != nil || arn.Service != "mns" || !isTopic(arn.Resource) {
			return nil, fc.Errorf(fc.InvalidArgument, "the body is no notification of a topic, and its topic is not given")
		}
		n = notification{TopicOwner: arn.Account, TopicName: strings.TrimPrefix(arn.Resource, resource), Message: string(a.Body), MessageID: a.MessageID}
	}
	if n.TopicOwner == "" {
		n.TopicOwner = b.account
	}
	source := fc.ARN{Service: "mns", Region: b.region, Account: n.TopicOwner, Resource: resource + n.TopicName}
	if _, err := fc.ParseARN(source.String()); err != nil || !isTopic(source.Resource) || strings.Contains(n.TopicOwner, ":") {
		return nil, fc.InvalidField("TopicName", "a name without a slash", n.TopicName)
	}
	if n.MessageID == "" {
		n.MessageID = a.MessageID
	}
	return []triggers.Happening[config]{{
		ID: "mns/" + n.TopicName + "/" + n.MessageID, Unique: n.MessageID != "", Source: source.String(),
		Subject: "message " + n.MessageID + " of topic " + n.TopicName,
		Detail: func(r *triggers.Rule[config], _ string) string {
			return fmt.Sprintf("the message's tag is '%s', not '%s'", n.MessageTag, r.Config.FilterTag)
		},
		Mismatch: func(r *triggers.Rule[config]) string {
			if tag := r.Config.FilterTag; tag != "" && tag != n.MessageTag {
				return "tag"
			}
			return ""
		},
		Payload: func(r *triggers.Rule[config]) []byte { return n.payload(r.Config.NotifyContentFormat) },
	}}, nil
}

// parse tells whether the body is a notification. One names its topic.
func parse(body []byte) (n notification, ok bool) {
	err := json.Unmarshal(body, &n)
	return n, err == nil && n.TopicName != ""
}

func (n notification) payload(format string) []byte {
	switch {
	case format == formatJSON:
		return n.asJSON()
	case len(n.MessageAttributes) > 0:
		return triggers.Canonical(attributed{n.Message, n.MessageAttributes})
	}
	return []byte(n.Message)
}

// asJSON is the payload in the format JSON, the attributes in front.
func (n notification) asJSON() []byte {
	own := triggers.Canonical(event{TopicOwner: n.TopicOwner, Message: n.Message, Subscriber: n.Subscriber,
		PublishTime: int64(n.PublishTime), SubscriptionName: n.SubscriptionName, MessageMD5: n.MessageMD5,
		TopicName: n.TopicName, MessageID: n.MessageID})
	more := n.MessageAttributes.members()
	for _, taken := range []string{"TopicOwner", "Message", "Subscriber", "PublishTime", "SubscriptionName", "MessageMD5", "TopicName", "MessageId"} {
		delete(more, taken)
	}
	if len(more) == 0 {
		return own
	}
	b := triggers.Canonical(more)
	return append(append(b[:len(b)-1], ','), own[1:]...)
}
