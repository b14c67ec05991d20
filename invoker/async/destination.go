package async

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
)

// Deliverer takes messages for destinations that are no functions. It may be called concurrently. An error that is no
// *fc.Error, or one of ResourceThrottled, ResourceExhausted and InternalServerError, is a passing one: the message is
// tried again until it is too old. After any other it is a dead letter at once.
type Deliverer interface {
	Deliver(ctx context.Context, to fc.Destination, requestID string, body []byte) error
}

// A message for a destination that is no function waits in the queue of this sign followed by the resource name: it has
// a queue, fairness and dead letters like a function.
const deliveryPrefix = "@"

func (a *attempt) isDelivery() bool { return strings.HasPrefix(a.Fn, deliveryPrefix) }

// deliver makes one attempt of a message for a destination.
func (d *Dispatcher) deliver(ctx context.Context, a *attempt) verdict {
	to, err := fc.ParseDestination(strings.TrimPrefix(a.Fn, deliveryPrefix))
	if err != nil {
		return dead(err.Error())
	}
	if d.opt.Deliverer == nil {
		return dead("this daemon delivers to functions only")
	}
	err = d.opt.Deliverer.Deliver(ctx, to, a.RequestID, a.Payload)
	if err != nil && ctx.Err() != nil {
		return verdict{label: labelCut, retry: &store.Retry{Due: d.opt.Now()}}
	}
	return d.judge(a, fc.Result{}, err)
}

// ended is what a destination is told, in the shape of the cloud's (developer guide, asynchronous invocation).
type ended struct {
	Timestamp      int64  `json:"timestamp"` // of the end, ms
	RequestContext origin `json:"requestContext"`
	RequestPayload string `json:"requestPayload"`
	Response       fate   `json:"responseContext"`
	Result         string `json:"responsePayload"`
	// Cut is set where the payloads had to be left out to keep within the bound of an event.
	Cut bool `json:"payloadsOmitted,omitempty"`
}

type origin struct {
	RequestID   string `json:"requestId"`
	FunctionARN string `json:"functionArn"`
	Condition   string `json:"condition"` // "" on success, else why it was given up
	Attempts    int    `json:"approximateInvokeCount"`
}

type fate struct {
	StatusCode    int    `json:"statusCode"`
	FunctionError string `json:"functionError"`
}

// Why an invocation was given up, in a message to its destination.
const (
	conditionRetries = "RetriesExhausted"
	conditionExpired = "EventAgeExceeded"
	conditionRefused = "Refused"
)

// notice is the message that tells a destination of the end of an attempt; ok is false if nobody is to be told.
func (d *Dispatcher) notice(a *attempt, v verdict) (m store.Msg, ok bool) {
	arn := a.terms.onSuccess
	if v.done == nil || v.done.State == store.StateStopped {
		return store.Msg{}, false
	}
	if v.done.State == store.StateDead {
		arn = a.terms.onFailure
	}
	if arn == "" {
		return store.Msg{}, false
	}
	to, err := fc.ParseDestination(arn)
	if err != nil { // it was checked when it was stored
		d.opt.Log.Error("destination cannot be read", zap.String("function", a.Fn), zap.Error(err))
		return store.Msg{}, false
	}
	fn := deliveryPrefix + arn
	if to.Function.Function != "" {
		fn = to.Function.String()
	}
	now := d.opt.Now()
	return store.Msg{RequestID: fc.NewRequestID(), Fn: fn, Enqueued: now, NotAfter: now.Add(d.opt.MaxAge), Payload: d.tell(a, v)}, true
}

// tell renders the message within the bound of an event: without the payloads where they would not fit.
func (d *Dispatcher) tell(a *attempt, v verdict) []byte {
	ref, _ := fc.ParseFunctionRef(a.Fn)
	if ref.Qualifier == "" {
		ref.Qualifier = fc.Latest
	}
	e := ended{
		Timestamp: d.opt.Now().UnixMilli(),
		RequestContext: origin{RequestID: a.RequestID, FunctionARN: fc.FunctionARN(d.opt.Region, d.opt.Account, ref),
			Condition: v.condition, Attempts: v.done.Attempts},
		RequestPayload: text(a.Payload), Response: fate{200, v.errorType}, Result: text(v.result),
	}
	if v.status != 0 {
		e.Response.StatusCode = v.status
	}
	body := marshal(e)
	if int64(len(body)) > d.opt.MaxPayloadBytes {
		e.RequestPayload, e.Result, e.Cut = "", "", true
		body = marshal(e)
	}
	return body
}

// text is bytes as JSON can hold them.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

func marshal(e ended) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return b
}

// holdFor is the pause between tries of a batch that found no room.
const holdFor = time.Second
