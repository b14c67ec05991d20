// Package push takes events that Message Service topics (MNS) and EventBridge push over HTTP, on a listener of its own
// that faces the cloud and serves nothing else.
//
//	POST /push/<binding>/<token>
//
// A binding is one sender: its name, what kind of sender it is, the source that its events must name and a secret token
// of at least 128 bits. Every refusal before the token was right looks the same. Then the sender's signature is checked:
//
//   - Message Service signs with a key of 512 bits and SHA-1, which somebody determined can forge: the token is what
//     authenticates, the signature catches mistakes. The certificate is known beforehand; the URL in a push is compared,
//     never fetched.
//   - EventBridge signs the URL, a time and the body with a key whose certificate it names; that is fetched from
//     EventBridge's own host alone, and kept for an hour.
//
// The answer comes after the events are on disk: 204 for Message Service, 200 for EventBridge; 403 where a check failed or
// no trigger may be fired; 500 where the sender shall come again.
package push

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"fcd/fc"
	"fcd/sign"
	"fcd/triggers/ways"
)

// Kinds of senders.
const (
	FromMNS         = "mns"
	FromEventBridge = "eventbridge"
)

// MinToken is the length of the shortest token: 128 bits in hexadecimal digits.
const MinToken = 32

const (
	maxBody = 512 << 10
	// answerWithin is when the sender must have its answer: Message Service waits 5 s.
	answerWithin = 4500 * time.Millisecond
	// way is the name of the way for metrics and dead letters.
	way = "push"
)

// Binding is one sender.
type Binding struct {
	Name  string // in the path
	From  string // FromMNS or FromEventBridge
	Token string // in the path, at least MinToken bytes
	// SignatureToken is what EventBridge was told to sign along; "" if it was told nothing.
	SignatureToken string
	ways.Binding
}

// Options of a Handler. Those without a default must be set.
type Options struct {
	Bindings []Binding
	// PublicURL is how EventBridge knows the listener, like https://fcd.example.com; needed for its bindings.
	PublicURL string
	Region    string // whose EventBridge certificates are taken
	Receiver  ways.Receiver
	Dead      ways.DeadLetters

	MNSKey    sign.RSAKey       // default: that of the real service
	Transport http.RoundTripper // for EventBridge's certificates; default: one of its own
	Metrics   *ways.Metrics     // optional
	Now       func() time.Time  // default time.Now
	Log       *zap.Logger       // optional
}

// Handler is the listener's handler.
type Handler struct {
	o        Options
	bindings map[string]Binding
	keys     *keys
	quiet    *rate.Limiter // of log lines about refusals
}

// New checks the options.
func New(o Options) (*Handler, error) {
	if o.Receiver == nil || o.Dead == nil {
		return nil, errors.New("triggers/ways/push: a handler needs Receiver and Dead")
	}
	if o.MNSKey.N == nil {
		o.MNSKey = sign.MNSKey()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	h := &Handler{o: o, bindings: map[string]Binding{}, keys: newKeys(o.Region, o.Transport, o.Now), quiet: rate.NewLimiter(rate.Every(10*time.Second), 5)}
	for _, b := range o.Bindings {
		switch {
		case len(b.Token) < MinToken:
			return nil, errors.New("push binding " + b.Name + ": the token is too short")
		case b.From == FromEventBridge && o.PublicURL == "":
			return nil, errors.New("push binding " + b.Name + ": EventBridge needs the public URL of the listener")
		}
		h.bindings[b.Name] = b
	}
	return h, nil
}

// ServeHTTP answers one push.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := h.binding(r)
	if err != nil {
		h.refuse(w, "", err)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	// The sender may hang up; what was begun is finished.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerWithin)
	defer cancel()
	if err := h.verify(ctx, b, r, body); err != nil {
		h.refuse(w, b.Name, err)
		return
	}
	outcome, err := h.deliver(ctx, b, r, body)
	h.answer(w, b, outcome, err)
}

var errStranger = errors.New("no such binding, or another token")

// binding finds whose path it is. An unknown name costs the same as a wrong token.
func (h *Handler) binding(r *http.Request) (Binding, error) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/push/")
	name, token, ok2 := strings.Cut(rest, "/")
	if unescaped, err := url.PathUnescape(name); err == nil {
		name = unescaped
	}
	b, known := h.bindings[name]
	if !known {
		b.Token = strings.Repeat("-", MinToken)
	}
	if !same(token, b.Token) || !known || !ok || !ok2 {
		return Binding{}, errStranger
	}
	return b, nil
}

// same compares secrets in a time that tells nothing of them, not even their lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// verify checks the sender's signature.
func (h *Handler) verify(ctx context.Context, b Binding, r *http.Request, body []byte) error {
	if b.From == FromEventBridge {
		return h.verifyEventBridge(ctx, b, r, body)
	}
	p, err := sign.ParseMNSPush(r)
	switch {
	case err != nil:
		return err
	case p.CertificateURL != sign.MNSCertificateURL:
		return errors.New("the push names a certificate that is not Message Service's")
	case !p.Verify(h.o.MNSKey):
		return errors.New("the signature does not hold")
	}
	return nil
}

func (h *Handler) verifyEventBridge(ctx context.Context, b Binding, r *http.Request, body []byte) error {
	e, err := sign.ParseEventBridge(r.Header)
	switch {
	case err != nil:
		return err
	case e.Skewed(h.o.Now()):
		return errors.New("the push is more than a minute off")
	case b.SignatureToken != "" && !same(e.Token, b.SignatureToken):
		return errors.New("the signature's token is another")
	}
	if err := sign.EventBridgeKeyURL(h.o.Region, e.KeyURL); err != nil {
		return err
	}
	key, err := h.keys.get(ctx, e.KeyURL)
	if err != nil {
		return &later{err}
	}
	if !e.Verify(key, strings.TrimSuffix(h.o.PublicURL, "/")+r.URL.RequestURI(), body) {
		return errors.New("the signature does not hold for the public URL, the time and the body")
	}
	return nil
}

// later is an error that the sender may try again after.
type later struct{ err error }

func (l *later) Error() string { return l.err.Error() }

// deliver hands the events on and tells what became of them.
func (h *Handler) deliver(ctx context.Context, b Binding, r *http.Request, body []byte) (outcome string, err error) {
	var a fc.Arrival
	if b.From == FromMNS {
		a = b.Open(fromMNS(b, r.Header, body))
	} else {
		a = b.Arrival(body, "")
	}
	_, err = h.o.Receiver.Receive(ctx, b.Type, a)
	switch fc.CodeOf(err) {
	case "":
		return ways.Accepted, nil
	case fc.AccessDenied:
		return ways.Refused, err
	case fc.InvalidArgument:
		if err := h.o.Dead.KeepUndelivered(ctx, way, b.Name, err.Error(), body); err != nil {
			return ways.Failed, err
		}
		return ways.Kept, nil
	}
	return ways.Failed, err
}

// fromMNS completes a bare message (the format SIMPLIFIED) for topic triggers by what its headers say.
func fromMNS(b Binding, header http.Header, body []byte) ([]byte, string) {
	id := header.Get("X-Mns-Message-Id")
	if _, wrapped := ways.ParseNotification(body); wrapped || b.Type != fc.TriggerMNSTopic {
		return body, id
	}
	return ways.Notification{
		TopicOwner: header.Get("X-Mns-Topic-Owner"), TopicName: header.Get("X-Mns-Topic-Name"), Subscriber: header.Get("X-Mns-Subscriber"),
		SubscriptionName: header.Get("X-Mns-Subscription-Name"), MessageID: id, Message: string(body),
		MessageTag: header.Get("X-Mns-Message-Tag"), PublishTime: ways.Number(header.Get("X-Mns-Publish-Time")),
	}.JSON(), id
}

func (h *Handler) answer(w http.ResponseWriter, b Binding, outcome string, err error) {
	h.o.Metrics.Count(way, b.Name, outcome)
	switch outcome {
	case ways.Accepted, ways.Kept:
		if b.From == FromMNS {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusOK)
	case ways.Refused:
		h.log("push refused", b.Name, err)
		w.WriteHeader(http.StatusForbidden)
	default:
		h.log("push not delivered; its sender will come again", b.Name, err)
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// refuse answers a push that did not prove who sent it. Nothing of it is kept.
func (h *Handler) refuse(w http.ResponseWriter, binding string, err error) {
	status, outcome := http.StatusForbidden, ways.Refused
	var again *later
	if errors.As(err, &again) {
		status, outcome = http.StatusInternalServerError, ways.Failed
	}
	h.o.Metrics.Count(way, binding, outcome)
	h.log("push refused", binding, err)
	w.WriteHeader(status)
}

// log writes a line, unless there were many: strangers decide how often this happens.
func (h *Handler) log(text, binding string, err error) {
	if h.quiet.Allow() {
		h.o.Log.Warn(text, zap.String("binding", binding), zap.Error(err))
	}
}
