package store

import (
	"context"
	"time"
)

// Event is one event on its way to one trigger: what it was about and all that became of it. An event that three
// triggers were looked at for is three of them, with one EventID; an event that met no trigger has one, with none.
type Event struct {
	ID       int64 // order of arrival in this store
	EventID  string
	Trigger  string // trigger id; "" if the source has none
	Type     string // of the trigger or the source: oss, timer, ...
	Function string // "service/function" of the trigger; "" if there is none
	Name     string // of the trigger
	Source   string // ARN of what it came from, as the adapter proved it; "" for internal sources
	Subject  string // what happened to what, for people
	Received time.Time
	State    string // of its latest step that is not a duplicate
	Steps    []Step // oldest first; of very many, the newest
}

// Last is the step that Event.State is of: the latest that is not a duplicate, if there is one.
func (e *Event) Last() Step {
	for i := len(e.Steps) - 1; i >= 0; i-- {
		if e.Steps[i].State != FateDuplicate || i == 0 {
			return e.Steps[i]
		}
	}
	return Step{}
}

// Step is one thing that became of an event.
type Step struct {
	State     string // one of the Fate constants
	Reason    string // a word: which rule or check, or the type of an error
	Detail    string // the same for people, with names and values
	RequestID string // of the invocation, once there is one: this step's or that of an earlier one
	Attempt   int    // of attempts and outcomes: which one it was, from 1; 0 elsewhere
	Status    int    // of attempts and outcomes: the HTTP status that a synchronous caller would have got; 0 if none
	At        time.Time
}

// Fate is a step to be recorded. The first one of an EventID and a Trigger makes the Event, with the fields that
// describe it; later ones may leave those out. One that is older than the latest takes its place among the steps. A duplicate is recorded as a step and changes the state of nothing. If the
// message of a queued one's RequestID, in the same Batch, turns out to be a duplicate, then so does the Fate.
type Fate struct {
	EventID, Trigger string
	// Of the first.
	Type, Function, Name, Source, Subject string
	// As in Step. A zero At is the time of the commit.
	State, Reason, Detail, RequestID string
	Attempt, Status                  int
	At                               time.Time
	// Payload, if not nil, is kept for a replay within the store's bounds of age and bytes, in place of an earlier one.
	Payload []byte
}

// What becomes of events: states of an Event and of its Steps.
const (
	FateUnmatched    = "unmatched"     // the trigger did not want it; Reason says by which of its rules
	FateDenied       = "denied"        // a check of delivery refused it
	FateDuplicate    = "duplicate"     // it had been delivered before
	FateQueued       = "queued"        // its invocation is on disk
	FateAttempt      = "attempt"       // the invocation was tried and is to be tried again
	FateSucceeded    = "succeeded"     // the function has returned
	FateFailed       = "failed"        // it has not, and its tries are used up
	FateExpired      = "expired"       // it was not delivered in time
	FateStopped      = "stopped"       // its invocation was stopped by a caller
	FateDeadLettered = "dead-lettered" // it cannot be delivered and is kept as a dead letter
	FateRedriven     = "redriven"      // somebody had it delivered again; what follows is what became of that
)

// EventFilter selects events; empty fields select all.
type EventFilter struct {
	EventID  string
	Function string // "service/function"
	Name     string // of the trigger, with Function
	State    string
	Since    time.Time // received then or later
}

// Events is the side of a store that remembers what became of events, for a bounded time and a bounded number.
type Events interface {
	// Events lists events that arrived before the one with that ID (0: all), newest first. A limit outside 1-1000 is
	// 1000.
	Events(ctx context.Context, f EventFilter, before int64, limit int) ([]Event, error)
	// EventPayload is what a Fate kept of an event, by its ID; ErrNotFound if nothing was, or not any more.
	EventPayload(ctx context.Context, id int64) ([]byte, error)
}
