package api

import (
	"strconv"
	"time"

	"fcd/fc"
)

// How many instants GetUpcoming tells.
const (
	defaultUpcoming = 5
	maxUpcoming     = 100
)

// upcomingView is what a client reads of the next instants of a trigger.
type upcomingView struct {
	TriggerName string   `json:"triggerName"`
	Schedule    string   `json:"schedule"` // as configured
	Enabled     bool     `json:"enabled"`
	Next        []string `json:"next"` // RFC 3339, UTC; as if the trigger were enabled
	Warning     string   `json:"warning,omitempty"`
}

// getUpcoming tells when a trigger that fires by the clock does so next. Who may read the trigger may ask.
func (a *API) getUpcoming(c *call) (answer, error) {
	p := c.params
	if err := a.o.Policy.Allowed(c.caller, "fc:GetTrigger", a.triggerARN(p.service, p.function, p.trigger), a.environment(c)); err != nil {
		return answer{}, err
	}
	n := defaultUpcoming
	if text := c.URL.Query().Get("count"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > maxUpcoming {
			return answer{}, fc.InvalidField("count", "1 to "+strconv.Itoa(maxUpcoming), text)
		}
	}
	t, _, err := a.trigger(c.Context(), p)
	if err != nil {
		return answer{}, err
	}
	up, err := a.o.Triggers.Upcoming(t, a.now(), n)
	if err != nil {
		return answer{}, err
	}
	v := upcomingView{TriggerName: t.Name, Schedule: up.Schedule, Enabled: t.Enabled, Next: make([]string, len(up.Next)), Warning: up.Warning}
	for i, at := range up.Next {
		v.Next[i] = at.UTC().Format(time.RFC3339)
	}
	return resource(v, "")
}
