package push

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/sign"
	"fcd/triggers/ways"
	"fcd/triggers/ways/waystest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token    = "0123456789abcdef0123456789abcdef"
	public   = "https://fcd.example.com"
	document = `{"events":[{"eventName":"ObjectCreated:PutObject"}]}`
	cloud    = `{"specversion":"1.0","id":"1","source":"acs.oss","type":"oss:ObjectCreated:PutObject"}`
	photos   = "acs:oss:cn-shanghai:1:photos"
	topicARN = "acs:mns:cn-shanghai:1:/topics/T"
)

// bench is a handler with its fake senders.
type bench struct {
	t     *testing.T
	h     *Handler
	in    *waystest.Inbox
	topic *waystest.FakeTopic
	eb    *waystest.FakeEventBridge
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, in: &waystest.Inbox{}, topic: waystest.NewFakeTopic(t), eb: waystest.NewFakeEventBridge(t, "cn-shanghai")}
	oss := ways.Binding{Type: fc.TriggerOSS, Source: photos}
	var err error
	b.h, err = New(Options{
		Region: "cn-shanghai", PublicURL: public + "/", Receiver: b.in, Dead: b.in, MNSKey: sign.RSAKey{N: b.topic.N, E: 65537}, Transport: waystest.Direct{Handler: b.eb},
		Bindings: []Binding{
			{Name: "photos", From: FromMNS, Token: token, Binding: oss},
			{Name: "topic", From: FromMNS, Token: token, Binding: ways.Binding{Type: fc.TriggerMNSTopic, Source: topicARN}},
			{Name: "bridge", From: FromEventBridge, Token: token, Binding: oss},
			{Name: "signed", From: FromEventBridge, Token: token, SignatureToken: "agreed", Binding: oss},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) send(r *http.Request) int {
	b.t.Helper()
	rec := httptest.NewRecorder()
	r.RequestURI = r.URL.RequestURI()
	b.h.ServeHTTP(rec, r)
	return rec.Code
}

func pathOf(binding string) string { return public + "/push/" + binding + "/" + token }

func TestPushesOfMessageService(t *testing.T) {
	xml := `<?xml version="1.0" encoding="utf-8"?><Notification xmlns="http://mns.aliyuncs.com/doc/v1/"><TopicOwner>1</TopicOwner><TopicName>T</TopicName><MessageId>ID</MessageId><Message>hello</Message><MessageTag>a</MessageTag><PublishTime>5</PublishTime></Notification>`
	for name, c := range map[string]struct {
		binding, body string
		header        map[string]string
		want, id      string
	}{
		"an object event as it is":        {"photos", document, map[string]string{"x-mns-message-id": "M"}, document, "M"},
		"an object event in JSON":         {"photos", `{"TopicName":"T","MessageId":"ID","Message":"eyJldmVudHMiOlt7ImV2ZW50TmFtZSI6Ik9iamVjdENyZWF0ZWQ6UHV0T2JqZWN0In1dfQ=="}`, nil, document, "ID"},
		"a message of a topic in XML":     {"topic", xml, nil, `{"TopicOwner":"1","TopicName":"T","Subscriber":"","SubscriptionName":"","MessageId":"ID","Message":"hello","MessageMD5":"","MessageTag":"a","PublishTime":"5"}`, "ID"},
		"a bare message, told by headers": {"topic", "hello", map[string]string{"x-mns-message-id": "M", "x-mns-topic-name": "T", "x-mns-topic-owner": "1", "x-mns-message-tag": "a", "x-mns-publish-time": "5"}, `{"TopicOwner":"1","TopicName":"T","Subscriber":"","SubscriptionName":"","MessageId":"M","Message":"hello","MessageMD5":"","MessageTag":"a","PublishTime":"5"}`, "M"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if status := b.send(b.topic.Push(t, pathOf(c.binding), c.body, c.header)); status != 204 {
				t.Fatalf("answer %d", status)
			}
			all := b.in.Arrivals()
			if len(all) != 1 || string(all[0].Body) != c.want || all[0].MessageID != c.id || all[0].KeepDenied {
				t.Errorf("got %+v", all)
			}
		})
	}
}

func TestPushesThatAreRefused(t *testing.T) {
	b := newBench(t)
	other := waystest.NewFakeTopic(t)
	elsewhere := &waystest.FakeTopic{N: b.topic.N}
	*elsewhere = *b.topic
	elsewhere.Cert = "https://mnstest.oss-cn-hangzhou.aliyuncs.com.evil.example/x509_public_certificate.pem"
	unsigned := func(r *http.Request, name string) *http.Request { r.Header.Del(name); return r }
	change := func(r *http.Request, name, value string) *http.Request { r.Header.Set(name, value); return r }
	for name, r := range map[string]*http.Request{
		"an unknown binding":           b.topic.Push(t, pathOf("nobody"), document, nil),
		"another token":                b.topic.Push(t, public+"/push/photos/"+strings.Repeat("0", 32), document, nil),
		"a longer token":               b.topic.Push(t, pathOf("photos")+"0", document, nil),
		"the placeholder of a token":   b.topic.Push(t, public+"/push/nobody/"+strings.Repeat("-", MinToken), document, nil),
		"no token":                     b.topic.Push(t, public+"/push/photos/", document, nil),
		"a longer path":                b.topic.Push(t, pathOf("photos")+"/x", document, nil),
		"another path":                 b.topic.Push(t, public+"/", document, nil),
		"no signature":                 unsigned(b.topic.Push(t, pathOf("photos"), document, nil), "Authorization"),
		"another key":                  other.Push(t, pathOf("photos"), document, nil),
		"another certificate":          elsewhere.Push(t, pathOf("photos"), document, nil),
		"a header changed on the way":  change(b.topic.Push(t, pathOf("photos"), document, nil), "X-Mns-Request-Id", "x"),
		"EventBridge on MNS's binding": b.eb.Push(t, pathOf("photos"), cloud, time.Now()),
		"MNS on EventBridge's binding": b.topic.Push(t, pathOf("bridge"), document, nil),
	} {
		if status := b.send(r); status != 403 {
			t.Errorf("%s: %d", name, status)
		}
	}
	if n := len(b.in.Arrivals()) + len(b.in.Dead()); n != 0 || b.eb.Fetched != 0 {
		t.Errorf("%d bodies went on, %d certificates were fetched", n, b.eb.Fetched)
	}
	r := b.topic.Push(t, pathOf("photos"), document, nil)
	r.Method = http.MethodGet
	if status := b.send(r); status != 405 {
		t.Errorf("GET: %d", status)
	}
	if status := b.send(b.topic.Push(t, pathOf("photos"), strings.Repeat("x", maxBody+1), nil)); status != 413 {
		t.Errorf("too much: %d", status)
	}
}

func TestPushesOfEventBridge(t *testing.T) {
	b := newBench(t)
	for range 3 {
		if status := b.send(b.eb.Push(t, pathOf("bridge"), cloud, time.Now())); status != 200 {
			t.Fatalf("answer %d", status)
		}
	}
	if all := b.in.Arrivals(); len(all) != 3 || string(all[0].Body) != cloud || all[0].Source != photos || b.eb.Fetched != 1 {
		t.Errorf("%d arrived, the certificate was fetched %d times", len(all), b.eb.Fetched)
	}
	b.eb.Token = "agreed"
	if status := b.send(b.eb.Push(t, pathOf("signed"), cloud, time.Now())); status != 200 {
		t.Errorf("the agreed token: %d", status)
	}
	b.eb.Token = "another"
	if status := b.send(b.eb.Push(t, pathOf("signed"), cloud, time.Now())); status != 403 {
		t.Errorf("another token: %d", status)
	}
	b.eb.Token = ""
	if status := b.send(b.eb.Push(t, pathOf("signed"), cloud, time.Now())); status != 403 {
		t.Errorf("no token: %d", status)
	}
	for name, at := range map[string]time.Time{"old": time.Now().Add(-2 * time.Minute), "of the future": time.Now().Add(2 * time.Minute)} {
		if status := b.send(b.eb.Push(t, pathOf("bridge"), cloud, at)); status != 403 {
			t.Errorf("%s: %d", name, status)
		}
	}
	r := b.eb.Push(t, pathOf("bridge"), cloud, time.Now())
	r.Body = http.NoBody
	if status := b.send(r); status != 403 {
		t.Errorf("another body: %d", status)
	}
	inner := b.eb.Push(t, "http://127.0.0.1:9/push/bridge/"+token, cloud, time.Now())
	if status := b.send(inner); status != 403 {
		t.Errorf("signed for another URL: %d", status)
	}
	b.eb.KeyURL = "https://169.254.169.254/latest/meta-data"
	if status := b.send(b.eb.Push(t, pathOf("bridge"), cloud, time.Now())); status != 403 || b.eb.Fetched != 1 {
		t.Errorf("a certificate of somebody else: %d, fetched %d times", status, b.eb.Fetched)
	}
}

func TestCertificatesOfEventBridgeThatCannotBeHad(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter) bool{
		"a server error": func(w http.ResponseWriter) bool { w.WriteHeader(500); return true },
		"a redirect": func(w http.ResponseWriter) bool {
			w.Header().Set("Location", "https://evil.example/")
			w.WriteHeader(302)
			return true
		},
		"garbage":       func(w http.ResponseWriter) bool { _, _ = w.Write([]byte("-----BEGIN")); return true },
		"no connection": func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) },
		"another key": func(w http.ResponseWriter) bool {
			_, _ = w.Write([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"))
			return true
		},
	} {
		b := newBench(t)
		b.eb.Answer = answer
		if status := b.send(b.eb.Push(t, pathOf("bridge"), cloud, time.Now())); status != 500 || len(b.in.Arrivals()) != 0 {
			t.Errorf("%s: %d", name, status)
		}
		b.eb.Answer = nil
		if status := b.send(b.eb.Push(t, pathOf("bridge"), cloud, time.Now())); status != 200 {
			t.Errorf("after %s: %d", name, status)
		}
	}
}

// TestACertificateThatDoesNotComeInTime: the sender has its answer all the same, and comes again.
func TestACertificateThatDoesNotComeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		release := make(chan struct{})
		b.eb.Answer = func(http.ResponseWriter) bool { <-release; return true }
		begun := time.Now()
		if status := b.send(b.eb.Push(t, pathOf("bridge"), cloud, begun)); status != 500 || time.Since(begun) > answerWithin {
			t.Errorf("answer %d after %v", status, time.Since(begun))
		}
		close(release)
		synctest.Wait()
		b.eb.Answer = nil
		if status := b.send(b.eb.Push(t, pathOf("bridge"), cloud, time.Now())); status != 200 || len(b.in.Arrivals()) != 1 {
			t.Errorf("once it comes: %d, %d arrivals", status, len(b.in.Arrivals()))
		}
	})
}

func TestAnswersFollowWhatBecameOfTheEvents(t *testing.T) {
	for _, c := range []struct {
		err         error
		mns, bridge int
		dead        int
	}{
		{nil, 204, 200, 0},
		{fc.Errorf(fc.AccessDenied, "no"), 403, 403, 0},
		{fc.Errorf(fc.InvalidArgument, "no"), 204, 200, 2},
		{fc.Errorf(fc.ResourceExhausted, "full"), 500, 500, 0},
		{errors.New("the store does not answer"), 500, 500, 0},
	} {
		b := newBench(t)
		b.in.Answer = func(string, fc.Arrival) error { return c.err }
		mns, bridge := b.send(b.topic.Push(t, pathOf("photos"), document, nil)), b.send(b.eb.Push(t, pathOf("bridge"), cloud, time.Now()))
		if mns != c.mns || bridge != c.bridge || len(b.in.Dead()) != c.dead {
			t.Errorf("%v: %d %d, %d dead letters", c.err, mns, bridge, len(b.in.Dead()))
		}
	}
}

// slow is a daemon whose store does not answer in time.
type slow struct{ *waystest.Inbox }

func (slow) Receive(ctx context.Context, _ string, _ fc.Arrival) ([]fc.Receipt, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, errors.New("no deadline")
	}
	return nil, context.DeadlineExceeded
}

func TestASenderIsNotKeptWaiting(t *testing.T) {
	b := newBench(t)
	b.h.o.Receiver = slow{b.in}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if status := b.send(b.topic.Push(t, pathOf("photos"), document, nil).WithContext(gone)); status != 500 {
		t.Errorf("answer %d", status)
	}
}

func TestBindingsThatAreRefused(t *testing.T) {
	in := &waystest.Inbox{}
	for name, o := range map[string]Options{
		"no receiver":                      {},
		"a short token":                    {Receiver: in, Dead: in, Bindings: []Binding{{Name: "a", From: FromMNS, Token: "short"}}},
		"EventBridge without a public URL": {Receiver: in, Dead: in, Bindings: []Binding{{Name: "a", From: FromEventBridge, Token: token}}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := parseKey(text); err == nil && key.N.BitLen() < 2048 {
			t.Error("a weak key is taken")
		}
	})
}
