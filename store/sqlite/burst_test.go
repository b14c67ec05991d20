package sqlite

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/store"
)

// encoded is a burst of messages.
func encoded(ms ...store.Msg) (head, payloads []byte) {
	head = []byte{burstForm}
	before := ""
	for i := range ms {
		head = appendHead(head, &ms[i], before)
		payloads = append(payloads, ms[i].Payload...)
		before = ms[i].Fn
	}
	return head, payloads
}

func decoded(head, payloads []byte) (ms []store.Msg, err error) {
	err = readBurst(head, payloads, func(m *store.Msg) error {
		ms = append(ms, *m)
		return nil
	})
	return ms, err
}

func TestABurstReadsAsItWasWritten(t *testing.T) {
	at := time.UnixMicro(1_790_000_000_000_001).UTC()
	ms := []store.Msg{
		{ID: 7, RequestID: "r7", Fn: "s//f", Enqueued: at, Due: at, NotAfter: at.Add(time.Hour), Payload: []byte("one")},
		{ID: 8, RequestID: "r8", Fn: "s//f", Enqueued: at, Due: at.Add(-time.Hour), Attempt: 3},
		{ID: 1 << 40, RequestID: "\xff\x00é", Fn: "s//g", Trigger: "t", EventID: "e", DedupKey: "t/e", Enqueued: at, Due: at,
			Payload: bytes.Repeat([]byte("x"), 1000)},
		{ID: 1<<40 + 1, RequestID: "r9", Fn: "s//f", Enqueued: time.UnixMicro(-5).UTC(), Due: at, Payload: []byte{0}},
	}
	head, payloads := encoded(ms...)
	got, err := decoded(head, payloads)
	if diff := cmp.Diff(ms, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, damaged := range []struct {
		what           string
		head, payloads []byte
	}{
		{"no head", nil, nil},
		{"another form", append([]byte{'2'}, head[1:]...), payloads},
		{"a cut head", head[:len(head)-1], payloads},
		{"cut payloads", head, payloads[:len(payloads)-1]},
		{"more payloads", head, append(payloads[:len(payloads):len(payloads)], 0)},
	} {
		if _, err := decoded(damaged.head, damaged.payloads); err == nil {
			t.Errorf("%s reads", damaged.what)
		}
	}
}

// FuzzBurst: whatever stands in the row, it is read or refused, and what was read is written and read again the same.
func FuzzBurst(f *testing.F) {
	at := time.UnixMicro(1_790_000_000_000_000)
	head, payloads := encoded(
		store.Msg{ID: 1, RequestID: "r", Fn: "s//f", Enqueued: at, Due: at, Payload: []byte("event")},
		store.Msg{ID: 2, RequestID: "q", Fn: "s//f", Trigger: "t", EventID: "e", DedupKey: "d", Attempt: 1, NotAfter: at},
		store.Msg{ID: 3, RequestID: "p", Fn: "s//g", Payload: []byte("more")})
	f.Add(head, payloads)
	f.Add([]byte{burstForm}, []byte(nil))
	f.Add([]byte{burstForm, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, []byte("x"))
	f.Fuzz(func(t *testing.T, head, payloads []byte) {
		ms, err := decoded(head, payloads)
		if err != nil {
			return
		}
		again, err := decoded(encoded(ms...))
		if diff := cmp.Diff(ms, again); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	})
}
