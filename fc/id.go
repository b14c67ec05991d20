package fc

import "github.com/google/uuid"

// NewRequestID makes the id of a request or an invocation: a UUID in its usual 36 characters. Ids made later sort later
// (version 7), which keeps the queue's indexes compact.
func NewRequestID() string { return uuid.Must(uuid.NewV7()).String() } // errs only if the system has no randomness
