package fc

// Arrival is a body that came in from outside and holds events for triggers of one type: what a queue, a push or a signed
// request brought.
type Arrival struct {
	Body []byte
	// Source is the resource name that the way in has proved, for types whose events do not name their source; "" if it
	// proved none.
	Source string
	// Allow decides whether events of a source may come in this way. It is asked for every event before the first is
	// delivered; its error is the answer to the whole body. nil allows nothing.
	Allow func(sourceARN string) error
	// MessageID tells the body apart from others where its events do not say: the transport's number of the message, equal
	// when it is sent again. "" if there is none.
	MessageID string
	// KeepDenied makes an event that a check refuses a dead letter. Otherwise the sender keeps it, unless another trigger
	// took it.
	KeepDenied bool
	// NoDedup delivers what was delivered before once more.
	NoDedup bool
}

// Receipt is what became of one event of an Arrival.
type Receipt struct {
	EventID string   `json:"eventId"`
	Matched []string `json:"matched"` // ids of the triggers that want it
	// Duplicate: every trigger that wants it had it already.
	Duplicate bool `json:"duplicate"`
	// Reason is why no trigger wants it, or why one that does was refused; "" if neither.
	Reason string `json:"reason,omitempty"`
}
