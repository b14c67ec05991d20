// Package waystest holds fakes of the services that ways in for events talk to, for tests. They are written from the
// services' documents and share no code with what they are to test: FakeMNS is a queue of Message Service, Push and
// EventBridge sign what those services push. Accept, Refuse and the like stand in for the daemon's own side.
package waystest

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Keys of FakeMNS.
const (
	AccessKeyID     = "fake-mns-key"
	AccessKeySecret = "fake-mns-secret"
)

// FakeMNS is one queue of Message Service, whatever its name. The zero value works; set the fields before use.
type FakeMNS struct {
	// Visibility is how long a message that was received stays hidden; default 30 s.
	Visibility time.Duration
	// Fault, if set, is asked before every request; a status that is not 0 is the answer. It may block.
	Fault func(r *http.Request) (status int, body string)
	// LoseAck, if set and true, makes the queue drop the answer to an acknowledgement, and the acknowledgement with it.
	LoseAck func() bool

	mu       sync.Mutex
	messages []*fakeMessage
	next     int
	changed  chan struct{} // closed when a message was sent
	counts   map[string]int
}

type fakeMessage struct {
	id, body, receipt string
	enqueued, first   time.Time
	visible           time.Time
	count             int
}

// Send puts a message into the queue.
func (f *FakeMNS) Send(body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	now := time.Now()
	f.messages = append(f.messages, &fakeMessage{id: fmt.Sprintf("MSG-%d", f.next), body: body, enqueued: now, visible: now})
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// Left is the number of messages that were not acknowledged.
func (f *FakeMNS) Left() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.messages)
}

// Requests is how many requests there were with the method, faults included.
func (f *FakeMNS) Requests(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[method]
}

// Show makes every message visible, as if its time had passed.
func (f *FakeMNS) Show() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.messages {
		m.visible = time.Now()
	}
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// ServeHTTP answers the requests of the queue: receive, delete, change visibility.
func (f *FakeMNS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[r.Method]++
	f.mu.Unlock()
	if f.Fault != nil {
		if status, body := f.Fault(r); status != 0 {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return
		}
	}
	if got, want := r.Header.Get("Authorization"), signature(r); got != want {
		refuse(w, 403, "SignatureDoesNotMatch", "got "+got)
		return
	}
	if !strings.HasPrefix(r.URL.Path, "/queues/") || !strings.HasSuffix(r.URL.Path, "/messages") {
		refuse(w, 404, "QueueNotExist", r.URL.Path)
		return
	}
	switch q := r.URL.Query(); r.Method {
	case "GET":
		f.receive(w, r, atoi(q.Get("numOfMessages")), time.Duration(atoi(q.Get("waitseconds")))*time.Second)
	case "DELETE":
		f.remove(w, q.Get("ReceiptHandle"))
	case "PUT":
		f.hide(w, q.Get("receiptHandle"), time.Duration(atoi(q.Get("visibilityTimeout")))*time.Second)
	default:
		refuse(w, 400, "InvalidRequestURL", r.Method)
	}
}

// signature is what the Authorization header must be, by the developer guide.
func signature(r *http.Request) string {
	var extra []string
	for k := range r.Header {
		if low := strings.ToLower(k); strings.HasPrefix(low, "x-mns-") {
			extra = append(extra, low+":"+r.Header.Get(k)+"\n")
		}
	}
	slices.Sort(extra)
	mac := hmac.New(sha1.New, []byte(AccessKeySecret))
	fmt.Fprintf(mac, "%s\n%s\n%s\n%s\n%s%s", r.Method, r.Header.Get("Content-MD5"), r.Header.Get("Content-Type"), r.Header.Get("Date"),
		strings.Join(extra, ""), r.URL.RequestURI())
	return "MNS " + AccessKeyID + ":" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (f *FakeMNS) receive(w http.ResponseWriter, r *http.Request, max int, wait time.Duration) {
	deadline := time.Now().Add(wait)
	for {
		answer, changed, next := f.take(max)
		if answer != "" {
			w.Header().Set("Content-Type", "text/xml;charset=utf-8")
			_, _ = w.Write([]byte(answer))
			return
		}
		until := deadline
		if !next.IsZero() && next.Before(until) {
			until = next
		}
		left := time.Until(until)
		if time.Until(deadline) <= 0 {
			refuse(w, 404, "MessageNotExist", "Message not exist.")
			return
		}
		t := time.NewTimer(left)
		select {
		case <-t.C:
		case <-changed:
		case <-r.Context().Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

// take hides and renders up to max visible messages; without any it tells what to wait for.
func (f *FakeMNS) take(max int) (answer string, changed chan struct{}, next time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	var b bytes.Buffer
	for _, m := range f.messages {
		if m.visible.After(now) {
			if next.IsZero() || m.visible.Before(next) {
				next = m.visible
			}
			continue
		}
		if max == 0 {
			break
		}
		max--
		f.show(&b, m, now)
	}
	if b.Len() == 0 {
		if f.changed == nil {
			f.changed = make(chan struct{})
		}
		return "", f.changed, next
	}
	return `<?xml version="1.0" encoding="utf-8"?><Messages xmlns="http://mns.aliyuncs.com/doc/v1/">` + b.String() + `</Messages>`, nil, next
}

func (f *FakeMNS) show(b *bytes.Buffer, m *fakeMessage, now time.Time) {
	hidden := f.Visibility
	if hidden == 0 {
		hidden = 30 * time.Second
	}
	m.count++
	if m.count == 1 {
		m.first = now
	}
	m.visible = now.Add(hidden)
	m.receipt = fmt.Sprintf("%s/%d+", m.id, m.count)
	var text bytes.Buffer
	_ = xml.EscapeText(&text, []byte(m.body))
	fmt.Fprintf(b, `<Message><MessageId>%s</MessageId><ReceiptHandle>%s</ReceiptHandle><MessageBodyMD5>%X</MessageBodyMD5><MessageBody>%s</MessageBody>`+
		`<EnqueueTime>%d</EnqueueTime><NextVisibleTime>%d</NextVisibleTime><FirstDequeueTime>%d</FirstDequeueTime><DequeueCount>%d</DequeueCount><Priority>8</Priority></Message>`,
		m.id, m.receipt, md5.Sum([]byte(m.body)), text.String(), m.enqueued.UnixMilli(), m.visible.UnixMilli(), m.first.UnixMilli(), m.count)
}

func (f *FakeMNS) remove(w http.ResponseWriter, receipt string) {
	if f.LoseAck != nil && f.LoseAck() {
		panic(http.ErrAbortHandler)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(receipt)
	if i < 0 {
		refuse(w, 404, "MessageNotExist", "Message not exist.")
		return
	}
	f.messages = slices.Delete(f.messages, i, i+1)
	w.WriteHeader(204)
}

func (f *FakeMNS) hide(w http.ResponseWriter, receipt string, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(receipt)
	if i < 0 {
		refuse(w, 404, "MessageNotExist", "Message not exist.")
		return
	}
	m := f.messages[i]
	m.visible = time.Now().Add(d)
	m.receipt += "+"
	fmt.Fprintf(w, `<ChangeVisibility xmlns="http://mns.aliyuncs.com/doc/v1/"><ReceiptHandle>%s</ReceiptHandle><NextVisibleTime>%d</NextVisibleTime></ChangeVisibility>`,
		m.receipt, m.visible.UnixMilli())
}

// find is the index of the message whose latest receipt it is and whose time has not passed, -1 if there is none.
func (f *FakeMNS) find(receipt string) int {
	return slices.IndexFunc(f.messages, func(m *fakeMessage) bool { return m.receipt == receipt && m.visible.After(time.Now()) })
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "text/xml;charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error xmlns="http://mns.aliyuncs.com/doc/v1/"><Code>%s</Code><Message>%s</Message><RequestId>5F</RequestId><HostId>fake</HostId></Error>`, code, text)
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
