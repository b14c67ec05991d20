package sqlite

import (
	"bytes"
	"context"
	"database/sql"
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

func (g *group) writeFates() error {
	for i := range g.fates[g.written.fates:] {
		f := &g.fates[g.written.fates+i]
		var body int64
		var err error
		if f.Payload != nil {
			if body, err = g.w.c.insert(sqlBodyPut, micros(f.At), f.Payload); err != nil {
				return err
			}
		}
		if _, err := g.w.c.exec(sqlEventPut, f.EventID, f.Trigger, f.Type, f.Function, f.Name, f.Source, f.Subject,
			micros(f.At), f.State, body, encodeStep(f)); err != nil {
			return err
		}
	}
	return nil
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
