// Package ways is what the ways in for events have in common: how a message of Message Service is unwrapped, what a way
// speaks for, where it hands on what it got, what it counts. Each way is a package below:
//
//	queue    pulls messages from a queue of Message Service: works behind a NAT
//	push     takes messages that Message Service or EventBridge push over HTTP
//	listing  lists a bucket now and then and tells what changed
//
// The embedded OSS and callers of the API bring events without a way of their own. Every way acknowledges only what is
// durably queued or settled: an acknowledgement that is lost gives a duplicate, which is recognised.
package ways

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"fcd/fc"
)

// Receiver takes bodies of events; a triggers.Manager does.
type Receiver interface {
	Receive(ctx context.Context, triggerType string, a fc.Arrival) ([]fc.Receipt, error)
}

// DeadLetters keeps what cannot become an event; a triggers.Manager does. On nil it is on disk.
type DeadLetters interface {
	KeepUndelivered(ctx context.Context, way, name, cause string, body []byte) error
}

// Binding is what a way speaks for: the type of trigger and the resource name of the source that its events must name.
type Binding struct{ Type, Source string }

// Arrival is a body that came by the binding's way. id tells it apart for as long as it may come again.
func (b Binding) Arrival(body []byte, id string) fc.Arrival {
	return fc.Arrival{Body: body, Source: b.Source, MessageID: id, Allow: b.allow}
}

func (b Binding) allow(source string) error {
	if source != b.Source {
		return fc.Errorf(fc.AccessDenied, "the event is of '%s', the way it came is for '%s'", source, b.Source)
	}
	return nil
}

// Open reads the body of a message of Message Service as the binding's type wants it: notifications of a topic as JSON,
// anything else without its wrappings. A body that is none is handed on as it is; its type refuses it.
func (b Binding) Open(body []byte, id string) fc.Arrival {
	n, wrapped := ParseNotification(body)
	if wrapped && n.MessageID != "" {
		id = n.MessageID
	}
	if b.Type == fc.TriggerMNSTopic {
		if wrapped {
			body = n.JSON()
		}
		return b.Arrival(body, id)
	}
	return b.Arrival(Unwrap(body), id)
}

// Outcomes of what a way brought.
const (
	Accepted    = "accepted"    // queued or settled, and acknowledged
	Kept        = "kept"        // could not become an event or was refused: a dead letter, acknowledged
	Refused     = "refused"     // not acknowledged: may not come this way, or no trigger may be fired by it
	Failed      = "failed"      // not acknowledged: comes again
	Unreachable = "unreachable" // the other side did not answer, or not as documented
)

// Metrics count what ways bring.
type Metrics struct{ messages *prometheus.CounterVec }

// NewMetrics makes the counters; r may be nil.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fcd_ways_messages_total",
		Help: "Messages and pages of listings that ways in for events brought, by way, name in the configuration and outcome.",
	}, []string{"way", "name", "outcome"})}
	if r == nil {
		return m, nil
	}
	return m, r.Register(m.messages)
}

// Count counts one. A nil Metrics counts nothing.
func (m *Metrics) Count(way, name, outcome string) {
	if m != nil {
		m.messages.WithLabelValues(way, name, outcome).Inc()
	}
}
