package fc

// Replayed is what became of an event that was delivered again to a trigger.
type Replayed struct {
	Trigger   string `json:"trigger"` // service/function/trigger
	State     string `json:"state"`   // queued, unmatched or denied
	Reason    string `json:"reason,omitempty"`
	Detail    string `json:"detail,omitempty"`    // the same for people
	RequestID string `json:"requestId,omitempty"` // of the new invocation
}
