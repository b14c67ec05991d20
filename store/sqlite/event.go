package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"fcd/store"
)

// maxDetail bounds what a step says, bytes: of a thousand steps the newest sixteen thousand bytes are kept.
const maxDetail = 1024

// step is how a store.Step lies in the database. One without a request id is about the invocation of the one before.
type step struct {
	At      int64  `json:"t"`
	State   string `json:"s"`
	Reason  string `json:"r,omitempty"`
	Detail  string `json:"d,omitempty"`
	Request string `json:"q,omitempty"`
	Attempt int    `json:"n,omitempty"`
	Status  int    `json:"c,omitempty"`
}

// encodeStep writes what a step reads: by hand, since every event that is queued goes through here.
func encodeStep(f *store.Fate) string {
	b := make([]byte, 0, 96)
	b = strconv.AppendInt(append(b, `{"t":`...), micros(f.At), 10)
	b = appendText(b, `,"s":`, f.State)
	b = appendText(b, `,"r":`, f.Reason)
	b = appendText(b, `,"d":`, f.Detail[:min(len(f.Detail), maxDetail)])
	b = appendText(b, `,"q":`, f.RequestID)
	if f.Attempt != 0 {
		b = strconv.AppendInt(append(b, `,"n":`...), int64(f.Attempt), 10)
	}
	if f.Status != 0 {
		b = strconv.AppendInt(append(b, `,"c":`...), int64(f.Status), 10)
	}
	return string(append(b, "}\n"...))
}

// appendText appends a member of an object unless it is empty.
func appendText(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	b = append(b, name...)
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			quoted, _ := json.Marshal(text) // a string always encodes
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

func decodeSteps(text string) (all []store.Step, err error) {
	var request string
	for line := range bytes.Lines([]byte(text)) {
		var s step
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, fmt.Errorf("step %q: %w", line, err)
		}
		if s.Request != "" {
			request = s.Request
		}
		all = append(all, store.Step{State: s.State, Reason: s.Reason, Detail: s.Detail, RequestID: request,
			Attempt: s.Attempt, Status: s.Status, At: fromMicros(s.At)})
	}
	slices.SortStableFunc(all, func(a, b store.Step) int { return a.At.Compare(b.At) }) // some are written late
	return all, nil
}

// writeFates writes the steps in their order. Most that describe their event are its first, and are inserted, several to a
// statement; most others are about an event that is there, and change its row.
func (g *group) writeFates() error {
	rest := g.fates[g.written.fates:]
	for len(rest) > 0 {
		n, err := g.writeSome(rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// writeSome writes the first of the fates, or as many as one statement takes, and tells how many.
func (g *group) writeSome(fates []store.Fate) (n int, err error) {
	const many = 8
	if fates[0].Type == "" {
		return 1, g.step(&fates[0])
	}
	for n < min(many, len(fates)) && fates[n].Type != "" {
		n++
	}
	query := sqlEventPut8
	if n < many {
		n, query = 1, sqlEventPut
	}
	args := g.w.args[:0]
	for i := range fates[:n] {
		f := &fates[i]
		body, err := g.body(f)
		if err != nil {
			return 0, err
		}
		args = appendEvent(args, f, body)
	}
	_, err = g.w.c.exec(query, args...)
	clear(args)
	g.w.args = args
	return n, err
}

// step adds a step to an event, or makes one of it if there is none.
func (g *group) step(f *store.Fate) error {
	body, err := g.body(f)
	if err != nil {
		return err
	}
	n, err := g.w.c.exec(sqlEventStep, f.EventID, f.Trigger, micros(f.At), f.State, body, encodeStep(f))
	if err == nil && n == 0 {
		_, err = g.w.c.exec(sqlEventPut, appendEvent(nil, f, body)...)
	}
	return err
}

// appendEvent appends the values of a row of sqlEventPut.
func appendEvent(args []driver.Value, f *store.Fate, body int64) []driver.Value {
	at := micros(f.At)
	return append(args, f.EventID, f.Trigger, f.Type, f.Function, f.Name, f.Source, f.Subject, at, at, f.State, body, encodeStep(f))
}

// body keeps the event itself, if the fate has it, and is its row, 0 for none.
func (g *group) body(f *store.Fate) (int64, error) {
	if f.Payload == nil {
		return 0, nil
	}
	g.bodies += int64(len(f.Payload))
	return g.w.c.insert(sqlBodyPut, micros(f.At), g.bodies, f.Payload)
}

// Events lists what became of events, newest first. A limit outside 1-1000 is 1000.
func (s *Store) Events(ctx context.Context, f store.EventFilter, before int64, limit int) ([]store.Event, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	query := sqlEvents
	switch {
	case f.EventID != "":
		query = sqlEventsOf
	case f.State != "" && f.State != store.FateQueued && f.State != store.FateSucceeded:
		query = sqlEventsOdd
	case f.Function != "":
		query = sqlEventsFn
	}
	return collect(ctx, s, scanEvent, query, before, micros(f.Since), f.Function, f.Name, f.State, f.EventID, pageSize(limit))
}

// EventPayload is what was kept of an event.
func (s *Store) EventPayload(ctx context.Context, id int64) ([]byte, error) {
	return first(ctx, s, func(r *sql.Rows) (b []byte, err error) { return b, r.Scan(&b) }, sqlBodyGet, id)
}

func scanEvent(r *sql.Rows) (e store.Event, err error) {
	var seen int64
	var steps string
	err = r.Scan(&e.ID, &e.EventID, &e.Trigger, &e.Type, &e.Function, &e.Name, &e.Source, &e.Subject, &seen, &e.State, &steps)
	if err != nil {
		return e, err
	}
	e.Received = time.UnixMicro(seen).UTC()
	e.Steps, err = decodeSteps(steps)
	return e, err
}
