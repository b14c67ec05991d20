package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"

	"fcd/store"
)

// A burst is a row that holds many messages of the queue, as a group brought them. Its head tells of the messages, one
// after the other behind a byte that says how:
//
//	'1' { id, request id, function, trigger, event id, dedup key, enqueued, due, not after, attempt, bytes of payload }
//
// Texts are a length and bytes, numbers are varints, times those of the database; the function is empty where it is that of
// the message before. The payloads stand behind the head, in the same order. A message has no invocation id: one that has
// waits in the queue itself, whose index keeps it the only one.
const burstForm = '1'

// appendHead appends what a head has of a message. before is the function of the message before it.
func appendHead(b []byte, m *store.Msg, before string) []byte {
	fn := m.Fn
	if fn == before {
		fn = ""
	}
	b = binary.AppendVarint(b, m.ID)
	for _, text := range [...]string{m.RequestID, fn, m.Trigger, m.EventID, m.DedupKey} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	for _, n := range [...]int64{micros(m.Enqueued), micros(m.Due), micros(m.NotAfter), int64(m.Attempt), int64(len(m.Payload))} {
		b = binary.AppendVarint(b, n)
	}
	return b
}

// readHead calls do for each message of a head, with where its payload begins and ends, until do returns an error. The
// message has no payload and is only valid during the call.
func readHead(head []byte, do func(m *store.Msg, from, to int64) error) error {
	if len(head) == 0 || head[0] != burstForm {
		return fmt.Errorf("a burst of a form that this binary does not know: %.1q", head)
	}
	r := headReader{rest: head[1:]}
	var m store.Msg
	for at := int64(0); len(r.rest) > 0; {
		fn := m.Fn
		m = store.Msg{ID: r.number(), RequestID: r.text(), Fn: r.text(), Trigger: r.text(), EventID: r.text(), DedupKey: r.text(),
			Enqueued: fromMicros(r.number()), Due: fromMicros(r.number()), NotAfter: fromMicros(r.number()), Attempt: int(r.number())}
		if m.Fn == "" {
			m.Fn = fn
		}
		size := r.number()
		if r.cut || size < 0 || size > maxBytes || m.ID <= 0 || m.RequestID == "" || m.Fn == "" {
			return fmt.Errorf("a burst whose head of %d bytes is damaged", len(head))
		}
		if err := do(&m, at, at+size); err != nil {
			return err
		}
		at += size
	}
	return nil
}

// readBurst is readHead with the payloads, which may be kept.
func readBurst(head, payloads []byte, do func(*store.Msg) error) error {
	end := int64(0)
	err := readHead(head, func(m *store.Msg, from, to int64) error {
		if end = to; to > int64(len(payloads)) {
			return errPayloads
		}
		if to > from {
			m.Payload = payloads[from:to:to]
		}
		return do(m)
	})
	if err == nil && end != int64(len(payloads)) {
		err = errPayloads
	}
	return err
}

var errPayloads = errors.New("a burst whose payloads have another length than its head says")

// headReader takes a head apart.
type headReader struct {
	rest []byte
	cut  bool // something was missing
}

func (r *headReader) number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.cut, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *headReader) text() string {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		r.cut, r.rest = true, nil
		return ""
	}
	text := r.rest[size : size+int(n)]
	r.rest = r.rest[size+int(n):]
	return string(text)
}
