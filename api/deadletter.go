package api

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"fcd/fc"
	"fcd/store"
)

// letterView is what a client reads of a dead letter. Of an invocation that never ran, Attempts is 0.
type letterView struct {
	RequestID    string `json:"requestId"`
	InvocationID string `json:"invocationId,omitempty"`
	// Function is SERVICE/FUNCTION or SERVICE.QUALIFIER/FUNCTION, or the resource name of a destination.
	Function  string    `json:"function"`
	Trigger   string    `json:"trigger,omitempty"` // SERVICE/FUNCTION/TRIGGER, or the id of one that is gone
	Cause     string    `json:"cause"`
	Attempts  int       `json:"attempts"`
	Enqueued  time.Time `json:"enqueued"`
	Ended     time.Time `json:"ended"`
	SizeBytes int       `json:"sizeBytes"`
	Log       *logView  `json:"log,omitempty"` // where what it printed stands, under its request id
	Payload   string    `json:"payload,omitempty"`
}

type logView struct {
	Project  string `json:"project"`
	Logstore string `json:"logstore"`
	Query    string `json:"query"`
}

func (a *API) viewLetter(inv *store.Invocation, payload bool) letterView {
	v := letterView{RequestID: inv.RequestID, InvocationID: inv.InvocationID, Function: strings.TrimPrefix(inv.Fn, deliverySign),
		Cause: inv.Cause, Attempts: inv.Attempt, Enqueued: inv.Enqueued, Ended: inv.Ended, SizeBytes: len(inv.Payload)}
	if ref, err := fc.ParseFunctionRef(inv.Fn); err == nil {
		v.Function = ref.Service + "/" + ref.Function
		if ref.Qualifier != "" {
			v.Function = ref.Service + "." + ref.Qualifier + "/" + ref.Function
		}
		if t, err := a.o.Catalog.Target(ref); err == nil && t.Service.LogConfig.Project != "" {
			v.Log = &logView{t.Service.LogConfig.Project, t.Service.LogConfig.Logstore, `requestId:"` + inv.RequestID + `"`}
		}
	}
	if inv.Trigger != "" {
		v.Trigger = inv.Trigger
		if t, ok := a.o.Catalog.Trigger(inv.Trigger); ok {
			v.Trigger = t.Path()
		}
	}
	if payload {
		v.Payload = base64.StdEncoding.EncodeToString(inv.Payload)
	}
	return v
}

// deliverySign begins the queue of a destination that is no function; the dispatcher's.
const deliverySign = "@"

// letterResource is the name for policies of what a letter was for.
func (a *API) letterResource(fn string) string {
	if ref, err := fc.ParseFunctionRef(fn); err == nil {
		return a.functionARN(ref)
	}
	return strings.TrimPrefix(fn, deliverySign)
}

func (a *API) authorizeLetters(c *call, resource string) error {
	if a.o.Invocations == nil {
		return unsupported(c)
	}
	return a.o.Policy.Allowed(c.caller, "fcd:"+c.op.name, resource, a.environment(c))
}

// letters is which dead letters a request is about: those of a function, or all.
type letters struct{ fn, resource string }

// wayPrefix begins the place of a function in letters that hold what a way in could not read; the ways' (triggers.Manager).
const wayPrefix = "way:"

// readLetters reads ?function=SERVICE[.QUALIFIER]/FUNCTION, or what viewLetter shows in its place. Where everything would be changed, ?all=true must say so.
func (a *API) readLetters(c *call, change bool) (letters, error) {
	q := c.URL.Query()
	name := q.Get("function")
	if name == "" {
		if change && q.Get("all") != "true" {
			return letters{}, fc.Errorf(fc.InvalidArgument, "name one dead letter, a function (?function=SERVICE/FUNCTION), or all of them (?all=true)")
		}
		return letters{resource: a.functionARN(fc.FunctionRef{Service: "*", Function: "*"})}, nil
	}
	if strings.HasPrefix(name, "acs:") && !strings.HasPrefix(name, "acs:fc:") {
		return letters{fn: deliverySign + name, resource: name}, nil
	}
	service, function, _ := strings.Cut(name, "/")
	if strings.HasPrefix(service, wayPrefix) && function != "" {
		ref := fc.FunctionRef{Service: service, Function: function}
		return letters{fn: ref.String(), resource: a.functionARN(ref)}, nil
	}
	var p params
	if err := p.readQualified(service); err != nil {
		return letters{}, err
	}
	if err := fc.ValidateName("FunctionName", function, fc.MaxFunctionNameLength); err != nil {
		return letters{}, err
	}
	p.function = function
	return letters{fn: p.ref().String(), resource: a.functionARN(p.ref())}, nil
}

func (a *API) listDeadLetters(c *call) (answer, error) {
	which, err := a.readLetters(c, false)
	if err != nil {
		return answer{}, err
	}
	if err := a.authorizeLetters(c, which.resource); err != nil {
		return answer{}, err
	}
	p, err := readPage(c.URL.Query())
	if err != nil {
		return answer{}, err
	}
	found, err := a.o.Invocations.Outcomes(c.Context(), store.InvocationFilter{Fn: which.fn, State: store.StateDead}, c.URL.Query().Get("nextToken"), p.limit)
	if err != nil {
		return answer{}, storeError("Outcomes", err)
	}
	views := make([]letterView, len(found))
	for i := range found {
		views[i] = a.viewLetter(&found[i], false)
	}
	out := map[string]any{"deadLetters": views}
	if len(found) == p.limit {
		out["nextToken"] = found[len(found)-1].RequestID
	}
	return resource(out, "")
}

func (a *API) getDeadLetter(c *call) (answer, error) {
	inv, err := a.letter(c)
	if err != nil {
		return answer{}, err
	}
	return resource(a.viewLetter(&inv, true), "")
}

// letter is the dead letter of the path, if the caller may do what it wants to with it.
func (a *API) letter(c *call) (store.Invocation, error) {
	if a.o.Invocations == nil {
		return store.Invocation{}, unsupported(c)
	}
	inv, err := a.o.Invocations.Find(c.Context(), c.params.id)
	none := fc.Errorf(fc.DeadLetterNotFound, "there is no dead letter '%s'", c.params.id)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && inv.State != store.StateDead:
		if err := a.authorizeLetters(c, a.functionARN(fc.FunctionRef{Service: "*", Function: "*"})); err != nil {
			return store.Invocation{}, err // who may see none need not know which there are
		}
		return store.Invocation{}, none
	case err != nil:
		return store.Invocation{}, storeError("Find", err)
	}
	return inv, a.authorizeLetters(c, a.letterResource(inv.Fn))
}

// redriven is the answer of both redrives.
type redriven struct {
	Redriven int             `json:"redriven"`
	Refused  []refusedLetter `json:"refused"` // those that a check of delivery refused once more
}

type refusedLetter struct {
	RequestID string `json:"requestId"`
	Reason    string `json:"reason"`
}

func (a *API) redriveDeadLetter(c *call) (answer, error) {
	inv, err := a.letter(c)
	if err != nil {
		return answer{}, err
	}
	if err := a.recheck(&inv); err != nil {
		return answer{}, err
	}
	done, err := a.redrive(c.Context(), []store.Invocation{inv})
	if err != nil {
		return answer{}, err
	}
	if done == 0 {
		return answer{}, fc.Errorf(fc.DeadLetterNotFound, "there is no dead letter '%s'", c.params.id)
	}
	return resource(redriven{Redriven: done, Refused: []refusedLetter{}}, "")
}

// recheck makes the checks of delivery anew: an event that was denied is not let in by a redrive unless it would be let
// in now.
func (a *API) recheck(inv *store.Invocation) error {
	if n := int64(len(inv.Payload)); n > a.o.Limits.MaxAsyncBodyBytes {
		return tooLarge(a.o.Limits.MaxAsyncBodyBytes)
	}
	ref, err := fc.ParseFunctionRef(inv.Fn)
	if err != nil {
		return nil // for a destination
	}
	if _, err := a.o.Catalog.Target(ref); err != nil {
		return err
	}
	if inv.Trigger == "" {
		return nil
	}
	t, ok := a.o.Catalog.Trigger(inv.Trigger)
	switch {
	case !ok:
		return fc.Errorf(fc.TriggerNotFound, "the trigger of '%s' is gone", inv.RequestID)
	case strings.HasPrefix(inv.Cause, "arn-mismatch"):
		return fc.Errorf(fc.AccessDenied, "the event '%s' is not of the source that its trigger names", inv.RequestID)
	}
	service := a.o.Triggers.RoleService(t.Type)
	if service == "" || a.o.InvocationRoles == nil {
		return nil
	}
	return a.o.InvocationRoles.CheckInvocationRole(t.InvocationRole, service, a.functionARN(ref))
}

// redrive puts letters back into the queue and tells how many there still were.
func (a *API) redrive(ctx context.Context, all []store.Invocation) (done int, err error) {
	until := a.o.Now().Add(a.o.AsyncMaxAge)
	for i := range all {
		// Each alone: a letter that somebody else has taken meanwhile is no reason against the others.
		_, err := a.o.Store.Apply(context.WithoutCancel(ctx), store.Batch{Redrive: []store.Redrive{{RequestID: all[i].RequestID, NotAfter: until}}})
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return done, storeError("Apply", err)
		}
		done++
	}
	return done, nil
}

// letterPage is how many letters are changed between two looks at the caller.
const letterPage = 100

func (a *API) redriveDeadLetters(c *call) (answer, error) {
	out := redriven{Refused: []refusedLetter{}}
	err := a.eachPage(c, func(all []store.Invocation) error {
		good := all[:0]
		for i := range all {
			if err := a.recheck(&all[i]); err != nil {
				out.Refused = append(out.Refused, refusedLetter{all[i].RequestID, err.Error()})
				continue
			}
			good = append(good, all[i])
		}
		n, err := a.redrive(c.Context(), good)
		out.Redriven += n
		return err
	})
	if err != nil {
		return answer{}, err
	}
	return resource(out, "")
}

// eachPage calls do with the dead letters that the request is about, and that existed when it began.
func (a *API) eachPage(c *call, do func([]store.Invocation) error) error {
	which, err := a.readLetters(c, true)
	if err != nil {
		return err
	}
	if err := a.authorizeLetters(c, which.resource); err != nil {
		return err
	}
	begin := a.o.Now()
	for after := ""; ; {
		all, err := a.o.Invocations.Outcomes(c.Context(), store.InvocationFilter{Fn: which.fn, State: store.StateDead}, after, letterPage)
		if err != nil {
			return storeError("Outcomes", err)
		}
		if len(all) == 0 {
			return nil
		}
		after = all[len(all)-1].RequestID
		before := all[:0]
		for _, inv := range all {
			if !inv.Ended.After(begin) {
				before = append(before, inv)
			}
		}
		if err := do(before); err != nil {
			return err
		}
	}
}

func (a *API) purgeDeadLetter(c *call) (answer, error) {
	inv, err := a.letter(c)
	if err != nil {
		return answer{}, err
	}
	if _, err := a.o.Store.Apply(c.Context(), store.Batch{Purge: []string{inv.RequestID}}); err != nil {
		return answer{}, storeError("Apply", err)
	}
	return deleted, nil
}

func (a *API) purgeDeadLetters(c *call) (answer, error) {
	n := 0
	err := a.eachPage(c, func(all []store.Invocation) error {
		var ids []string
		for i := range all {
			ids = append(ids, all[i].RequestID)
		}
		n += len(ids)
		if _, err := a.o.Store.Apply(c.Context(), store.Batch{Purge: ids}); err != nil {
			return storeError("Apply", err)
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	c.w.Header().Set("X-Fcd-Purged", strconv.Itoa(n))
	return deleted, nil
}
