package queue

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/triggers/ways"
	"fcd/triggers/ways/waystest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const document = `{"events":[{"eventName":"ObjectCreated:PutObject"}]}`

func keys(context.Context) (fc.Credentials, error) {
	return fc.Credentials{AccessKeyID: waystest.AccessKeyID, AccessKeySecret: waystest.AccessKeySecret}, nil
}

// pulling runs f with a puller on the queue, in a bubble where time is what the test makes of it.
func pulling(t *testing.T, q *waystest.FakeMNS, in *waystest.Inbox, f func(stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Options{
			Name: "q", Endpoint: "http://1.mns.cn-shanghai.aliyuncs.com/", Queue: "oss-events", Keys: keys, Receiver: in, Dead: in,
			Binding: ways.Binding{Type: fc.TriggerOSS, Source: "acs:oss:cn-shanghai:1:photos"}, Transport: waystest.Direct{Handler: q},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := p.Run(ctx); err != nil {
				t.Error(err)
			}
		}()
		stop := func() { cancel(); <-ended }
		f(stop)
		stop()
	})
}

func TestMessagesAreAcknowledgedOnceTheyAreSafe(t *testing.T) {
	q := &waystest.FakeMNS{}
	left := make(chan int, 10)
	in := &waystest.Inbox{Answer: func(string, fc.Arrival) error { left <- q.Left(); return nil }}
	pulling(t, q, in, func(func()) {
		for _, body := range []string{document, base64.StdEncoding.EncodeToString([]byte(document)),
			`{"TopicName":"T","MessageId":"TOPIC-ID","Message":"` + base64.StdEncoding.EncodeToString([]byte(document)) + `"}`} {
			q.Send(body)
		}
		synctest.Wait()
		if q.Left() != 0 || q.Requests("DELETE") != 3 {
			t.Errorf("%d messages left after %d acknowledgements", q.Left(), q.Requests("DELETE"))
		}
		ids := map[string]bool{}
		for _, a := range in.Arrivals() {
			ids[a.MessageID] = true
			if string(a.Body) != document || a.KeepDenied || a.Allow("acs:oss:cn-shanghai:1:photos") != nil || a.Allow("acs:oss:cn-shanghai:1:other") == nil {
				t.Errorf("arrival %s", a.Body)
			}
		}
		if diff := cmp.Diff(map[string]bool{"MSG-1": true, "MSG-2": true, "TOPIC-ID": true}, ids); diff != "" {
			t.Error(diff)
		}
	})
	if n := <-left; n == 0 {
		t.Error("a message was acknowledged before it was delivered")
	}
}

func TestAnIdleQueueIsAskedTwiceAMinute(t *testing.T) {
	q, in := &waystest.FakeMNS{}, &waystest.Inbox{}
	pulling(t, q, in, func(func()) {
		time.Sleep(10*time.Minute - time.Second)
		if n := q.Requests("GET"); n != 20 {
			t.Errorf("%d requests in ten minutes", n)
		}
	})
}

func TestAMessageThatWasNotTakenStaysAndComesAgain(t *testing.T) {
	q := &waystest.FakeMNS{}
	var failures atomic.Int32
	failures.Store(2)
	in := &waystest.Inbox{Answer: func(string, fc.Arrival) error {
		if failures.Add(-1) >= 0 {
			return errors.New("the store does not answer")
		}
		return nil
	}}
	pulling(t, q, in, func(func()) {
		q.Send(document)
		synctest.Wait()
		if q.Left() != 1 || q.Requests("DELETE") != 0 {
			t.Fatalf("%d left after %d acknowledgements", q.Left(), q.Requests("DELETE"))
		}
		time.Sleep(time.Minute)
		if q.Left() != 0 || len(in.Arrivals()) != 3 || len(in.Dead()) != 0 {
			t.Errorf("%d left after %d deliveries", q.Left(), len(in.Arrivals()))
		}
	})
}

func TestWhatCannotBeReadBecomesADeadLetter(t *testing.T) {
	q := &waystest.FakeMNS{}
	in := &waystest.Inbox{Answer: func(string, fc.Arrival) error { return fc.Errorf(fc.InvalidArgument, "no") }}
	pulling(t, q, in, func(func()) {
		q.Send("<what is this")
		synctest.Wait()
		if diff := cmp.Diff([]string{"queue/q: <what is this"}, in.Dead()); diff != "" || q.Left() != 0 {
			t.Errorf("%d left\n%s", q.Left(), diff)
		}
	})
}

func TestARefusedMessageIsGivenUpAtTheThirdDelivery(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(a fc.Arrival) error
		dead   []string
	}{
		"no trigger may be fired by it": {func(a fc.Arrival) error {
			if a.KeepDenied {
				return nil // kept for the trigger that refused it
			}
			return fc.Errorf(fc.AccessDenied, "no")
		}, nil},
		"it is of another bucket": {func(fc.Arrival) error { return fc.Errorf(fc.AccessDenied, "no") }, []string{"queue/q: " + document}},
	} {
		t.Run(name, func(t *testing.T) {
			q := &waystest.FakeMNS{}
			in := &waystest.Inbox{Answer: func(_ string, a fc.Arrival) error { return c.answer(a) }}
			pulling(t, q, in, func(func()) {
				q.Send(document)
				synctest.Wait()
				if q.Left() != 1 || len(in.Dead()) != 0 {
					t.Errorf("after the first delivery %d are left and %d dead", q.Left(), len(in.Dead()))
				}
				time.Sleep(2 * time.Minute)
				if diff := cmp.Diff(c.dead, in.Dead()); diff != "" || q.Left() != 0 || len(in.Arrivals()) != 3 {
					t.Errorf("%d left after %d deliveries\n%s", q.Left(), len(in.Arrivals()), diff)
				}
			})
		})
	}
}

func TestASlowDeliveryKeepsItsMessageHidden(t *testing.T) {
	q := &waystest.FakeMNS{}
	in := &waystest.Inbox{Answer: func(string, fc.Arrival) error { time.Sleep(5 * time.Minute); return nil }}
	pulling(t, q, in, func(func()) {
		q.Send(document)
		time.Sleep(6 * time.Minute)
		if q.Left() != 0 || len(in.Arrivals()) != 1 || q.Requests("PUT") < 4 {
			t.Errorf("%d left after %d deliveries and %d times hidden", q.Left(), len(in.Arrivals()), q.Requests("PUT"))
		}
	})
}

func TestALostAcknowledgementBringsTheMessageAgain(t *testing.T) {
	var lost atomic.Int32
	q := &waystest.FakeMNS{LoseAck: func() bool { return lost.Add(1) == 1 }}
	in := &waystest.Inbox{}
	pulling(t, q, in, func(func()) {
		q.Send(document)
		time.Sleep(time.Minute)
		all := in.Arrivals()
		if q.Left() != 0 || len(all) != 2 || all[0].MessageID != all[1].MessageID {
			t.Errorf("%d left after %d deliveries", q.Left(), len(all))
		}
	})
}

func TestAServiceThatFailsIsAskedAgainWithPatience(t *testing.T) {
	var endless atomic.Int32
	for name, fault := range map[string]func(*http.Request) (int, string){
		"it is down":                 func(*http.Request) (int, string) { panic(http.ErrAbortHandler) },
		"it answers 500":             func(*http.Request) (int, string) { return 500, "<Error><Code>InternalError</Code></Error>" },
		"it answers garbage":         func(*http.Request) (int, string) { return 200, "<Messages><Message" },
		"it answers another list":    func(*http.Request) (int, string) { return 200, "<Queues></Queues>" },
		"it answers a page of a NAT": func(*http.Request) (int, string) { return 404, "<html>no" },
		"it does not wait": func(*http.Request) (int, string) {
			return 404, "<Error><Code>MessageNotExist</Code></Error>"
		},
		"it refuses the key": func(*http.Request) (int, string) { return 403, "<Error><Code>AccessDenied</Code></Error>" },
		"it never answers":   func(r *http.Request) (int, string) { <-r.Context().Done(); return 500, "" },
		"it once answers without an end": func(*http.Request) (int, string) {
			if endless.Add(1) > 1 {
				return 500, ""
			}
			return 200, strings.Repeat("<a>", maxAnswer/2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var broken atomic.Bool
			broken.Store(true)
			q := &waystest.FakeMNS{}
			q.Fault = func(r *http.Request) (int, string) {
				if broken.Load() {
					return fault(r)
				}
				return 0, ""
			}
			in := &waystest.Inbox{}
			pulling(t, q, in, func(func()) {
				q.Send(document)
				time.Sleep(5 * time.Minute)
				if n := q.Requests("GET"); n < 4 || n > 310 {
					t.Errorf("%d requests in five minutes", n)
				}
				broken.Store(false)
				time.Sleep(2 * time.Minute)
				if len(in.Arrivals()) != 1 || q.Left() != 0 {
					t.Errorf("%d deliveries and %d left after it recovered", len(in.Arrivals()), q.Left())
				}
			})
		})
	}
}

func TestAStopLetsTheDeliveryUnderWayEnd(t *testing.T) {
	q := &waystest.FakeMNS{}
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	in := &waystest.Inbox{}
	in.Answer = func(string, fc.Arrival) error {
		once.Do(func() { close(entered) })
		<-release
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		entered, release = make(chan struct{}), make(chan struct{})
		p, err := New(Options{Name: "q", Endpoint: "http://mns", Queue: "q", Keys: keys, Receiver: in, Dead: in,
			Binding: ways.Binding{Type: fc.TriggerOSS, Source: "s"}, Transport: waystest.Direct{Handler: q}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = p.Run(ctx) }()
		q.Send(document)
		<-entered
		cancel()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("it stopped while a delivery was under way")
		default:
		}
		close(release)
		<-ended
		if q.Left() != 0 {
			t.Error("the delivered message was not acknowledged")
		}
	})
}

func TestTwiceAsManyMessagesThanABatchAreAllDelivered(t *testing.T) {
	q, in := &waystest.FakeMNS{}, &waystest.Inbox{}
	pulling(t, q, in, func(func()) {
		for range 100 {
			q.Send(document)
		}
		synctest.Wait()
		if len(in.Arrivals()) != 100 || q.Left() != 0 {
			t.Errorf("%d delivered, %d left", len(in.Arrivals()), q.Left())
		}
	})
}

func TestOptionsThatAreMissing(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a puller of nothing")
	}
}

// answering is a transport that gives one answer.
type answering struct {
	status int
	body   string
}

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

func FuzzAnswer(f *testing.F) {
	f.Add(200, `<Messages xmlns="http://mns.aliyuncs.com/doc/v1/"><Message><MessageId>1</MessageId><ReceiptHandle>r</ReceiptHandle><MessageBody>b</MessageBody><DequeueCount>1</DequeueCount><NextVisibleTime>9</NextVisibleTime></Message></Messages>`)
	f.Add(404, `<Error><Code>MessageNotExist</Code></Error>`)
	f.Add(200, `<ChangeVisibility><ReceiptHandle>x</ReceiptHandle></ChangeVisibility>`)
	f.Add(200, `<!DOCTYPE a [<!ENTITY b "c">]><Messages>&b;</Messages>`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		c := newClient("http://mns", "q", &http.Client{Transport: answering{status, body}}, keys, time.Now)
		messages, err := c.receive(context.Background(), 16, 0)
		if err != nil && len(messages) > 0 {
			t.Error("messages with an error")
		}
		if receipt, err := c.hide(context.Background(), "r", time.Minute); err == nil && receipt == "" {
			t.Error("no receipt and no error")
		}
		_ = c.remove(context.Background(), "r")
	})
}

func ExampleNew() {
	q, in := &waystest.FakeMNS{}, &waystest.Inbox{}
	p, err := New(Options{Name: "photos", Endpoint: "https://1234567890123456.mns.cn-shanghai.aliyuncs.com", Queue: "oss-events",
		Keys: keys, Receiver: in, Dead: in, Transport: waystest.Direct{Handler: q},
		Binding: ways.Binding{Type: fc.TriggerOSS, Source: "acs:oss:cn-shanghai:1234567890123456:photos"}})
	fmt.Println(p != nil, err)
	// Output: true <nil>
}
