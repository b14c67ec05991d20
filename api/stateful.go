package api

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"fcd/fc"
	"fcd/store"
)

var invocationIDForm = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,127}$`)

// validateInvocationID checks the name that a caller gives an invocation.
func validateInvocationID(id string) error {
	if !invocationIDForm.MatchString(id) {
		return fc.InvalidField("InvocationId", "1 to 128 letters, digits, _ - . :", id)
	}
	return nil
}

// The states of an invocation as clients know them.
const (
	statusEnqueued  = "Enqueued"
	statusRetrying  = "Retrying" // waits for another attempt
	statusRunning   = "Running"
	statusStopping  = "Stopping"
	statusSucceeded = "Succeeded"
	statusFailed    = "Failed"
	statusExpired   = "Expired"
	statusStopped   = "Stopped"
)

// stateOfStatus is the state in the store that a status is looked for among.
var stateOfStatus = map[string]string{
	statusEnqueued: store.StateQueued, statusRetrying: store.StateQueued, statusRunning: store.StateRunning,
	statusStopping: store.StateRunning, statusSucceeded: store.StateSucceeded, statusFailed: store.StateDead,
	statusExpired: store.StateDead, statusStopped: store.StateStopped,
}

func (a *API) statusOf(inv *store.Invocation) string {
	switch {
	case inv.State == store.StateQueued && inv.Attempt > 0:
		return statusRetrying
	case inv.State == store.StateQueued:
		return statusEnqueued
	case inv.State == store.StateRunning && a.o.Stopper != nil && a.o.Stopper.Stopping(inv.ID):
		return statusStopping
	case inv.State == store.StateRunning:
		return statusRunning
	case inv.State == store.StateSucceeded:
		return statusSucceeded
	case inv.State == store.StateStopped:
		return statusStopped
	case strings.HasPrefix(inv.Cause, store.CauseTooOld):
		return statusExpired
	}
	return statusFailed
}

// invocationView is what a client reads. Times are milliseconds since 1970.
type invocationView struct {
	ServiceName            string `json:"serviceName"`
	FunctionName           string `json:"functionName"`
	Qualifier              string `json:"qualifier"`
	InvocationID           string `json:"invocationId"`
	RequestID              string `json:"requestId"`
	Status                 string `json:"status"`
	StartedTime            int64  `json:"startedTime"` // when it was accepted
	EndTime                int64  `json:"endTime"`     // 0 while it has not ended
	DestinationStatus      string `json:"destinationStatus"`
	InvocationErrorMessage string `json:"invocationErrorMessage"`
	InvocationPayload      string `json:"invocationPayload"`
	AlreadyRetriedTimes    int    `json:"alreadyRetriedTimes"`
}

func (a *API) viewInvocation(inv *store.Invocation, payload bool) invocationView {
	ref, err := fc.ParseFunctionRef(inv.Fn)
	if err != nil { // it was asked for by that name
		ref = fc.FunctionRef{Function: inv.Fn}
	}
	v := invocationView{ServiceName: ref.Service, FunctionName: ref.Function, Qualifier: ref.Qualifier,
		InvocationID: inv.InvocationID, RequestID: inv.RequestID, Status: a.statusOf(inv), StartedTime: inv.Enqueued.UnixMilli(),
		AlreadyRetriedTimes: inv.Attempt}
	if v.InvocationID == "" {
		v.InvocationID = inv.RequestID
	}
	if !inv.Ended.IsZero() {
		v.EndTime = inv.Ended.UnixMilli()
		v.AlreadyRetriedTimes = max(inv.Attempt-1, 0)
	}
	if inv.State != store.StateSucceeded {
		v.InvocationErrorMessage = inv.Cause
	}
	if payload {
		v.InvocationPayload = string(inv.Payload)
	}
	return v
}

func (a *API) getInvocation(c *call) (answer, error) {
	inv, err := a.findInvocation(c)
	if err != nil {
		return answer{}, err
	}
	return resource(a.viewInvocation(&inv, true), "")
}

// findInvocation is the invocation of the path, if the caller may know of it.
func (a *API) findInvocation(c *call) (store.Invocation, error) {
	if a.o.Invocations == nil {
		return store.Invocation{}, unsupported(c)
	}
	if err := a.authorize(c, a.functionARN(c.params.ref())); err != nil {
		return store.Invocation{}, err
	}
	for _, ref := range c.params.spellings() {
		inv, err := a.o.Invocations.FindByID(c.Context(), ref.String(), c.params.id)
		if !errors.Is(err, store.ErrNotFound) {
			if err != nil {
				err = storeError("FindByID", err)
			}
			return inv, err
		}
	}
	if _, _, err := a.existing(c.Context(), c); err != nil {
		return store.Invocation{}, err
	}
	return store.Invocation{}, fc.Errorf(fc.InvocationNotFound, "invocation '%s' does not exist in function '%s'", c.params.id, c.params.function)
}

// spellings are the references that mean the function of the path: a call without a qualifier is one of LATEST.
func (p params) spellings() []fc.FunctionRef {
	ref := p.ref()
	if ref.Qualifier != "" && ref.Qualifier != fc.Latest {
		return []fc.FunctionRef{ref}
	}
	latest := ref
	ref.Qualifier, latest.Qualifier = "", fc.Latest
	return []fc.FunctionRef{ref, latest}
}

func (a *API) stopInvocation(c *call) (answer, error) {
	inv, err := a.findInvocation(c)
	if err != nil {
		return answer{}, err
	}
	if a.o.Stopper == nil {
		return answer{}, unsupported(c)
	}
	if err := a.o.Stopper.Stop(context.WithoutCancel(c.Context()), inv.RequestID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return answer{}, storeError("Stop", err)
	}
	return resource(struct{}{}, "")
}

func (a *API) listInvocations(c *call) (answer, error) {
	if a.o.Invocations == nil {
		return answer{}, unsupported(c)
	}
	q, err := readInvocationQuery(c.URL.Query())
	if err != nil {
		return answer{}, err
	}
	if err := a.authorize(c, a.functionARN(c.params.ref())); err != nil {
		return answer{}, err
	}
	if _, _, err := a.existing(c.Context(), c); err != nil {
		return answer{}, err
	}
	found, next, err := a.page(c, q)
	if err != nil {
		return answer{}, err
	}
	views := make([]invocationView, len(found)) // never null in JSON
	for i := range found {
		views[i] = a.viewInvocation(&found[i], q.payload)
	}
	out := map[string]any{"invocations": views}
	if next != "" {
		out["nextToken"] = next
	}
	return resource(out, "")
}

// page is one page of a listing and the token of the next.
func (a *API) page(c *call, q invocationQuery) (found []store.Invocation, next string, err error) {
	limit := q.Limit
	for {
		batch, err := a.step(c.Context(), c.params, q.InvocationQuery)
		if err != nil {
			return nil, "", err
		}
		for i := range batch {
			inv := &batch[i]
			if q.status != "" && a.statusOf(inv) != q.status {
				continue
			}
			if len(found) == limit {
				return found, placeToken(found[limit-1]), nil
			}
			found = append(found, *inv)
		}
		if len(batch) < q.Limit {
			return found, "", nil
		}
		last := batch[len(batch)-1]
		q.After = store.Place{Enqueued: last.Enqueued, RequestID: last.RequestID}
	}
}

// step reads the next few under both spellings of the function.
func (a *API) step(ctx context.Context, p params, q store.InvocationQuery) ([]store.Invocation, error) {
	var all []store.Invocation
	for _, ref := range p.spellings() {
		q.Fn = ref.String()
		found, err := a.o.Invocations.Invocations(ctx, q)
		if err != nil {
			return nil, storeError("Invocations", err)
		}
		all = merge(all, found, q.Newest)
	}
	return all[:min(len(all), q.Limit)], nil
}

// merge merges two listings that are in order.
func merge(a, b []store.Invocation, newest bool) []store.Invocation {
	out := make([]store.Invocation, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		order := a[0].Enqueued.Compare(b[0].Enqueued)
		if order == 0 {
			order = strings.Compare(a[0].RequestID, b[0].RequestID)
		}
		if (order > 0) == newest {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

type invocationQuery struct {
	store.InvocationQuery
	status  string
	payload bool
}

// readInvocationQuery reads the parameters of ListStatefulAsyncInvocations; an empty one is an absent one.
func readInvocationQuery(v url.Values) (q invocationQuery, err error) {
	p, err := readPage(url.Values{"limit": v["limit"]})
	if err != nil {
		return q, err
	}
	q.Limit, q.Newest, q.IDPrefix, q.status = p.limit, true, v.Get("invocationIdPrefix"), v.Get("status")
	if q.status != "" {
		if q.State = stateOfStatus[q.status]; q.State == "" {
			return q, fc.InvalidField("Status", "Enqueued | Retrying | Running | Stopping | Succeeded | Failed | Expired | Stopped", q.status)
		}
	}
	switch order := v.Get("sortOrderByTime"); order {
	case "", "desc":
	case "asc":
		q.Newest = false
	default:
		return q, fc.InvalidField("SortOrderByTime", "asc | desc", order)
	}
	switch payload := v.Get("includePayload"); payload {
	case "", "false":
	case "true":
		q.payload = true
	default:
		return q, fc.InvalidField("IncludePayload", "true | false", payload)
	}
	if q.From, err = readMillis(v, "startedTimeBegin"); err != nil {
		return q, err
	}
	if q.To, err = readMillis(v, "startedTimeEnd"); err != nil {
		return q, err
	}
	if token := v.Get("nextToken"); token != "" {
		if q.After, err = readPlace(token); err != nil {
			return q, err
		}
	}
	return q, nil
}

func readMillis(v url.Values, name string) (time.Time, error) {
	s := v.Get(name)
	if s == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > maxMillis {
		return time.Time{}, fc.InvalidField(strings.ToUpper(name[:1])+name[1:], "milliseconds since 1970", s)
	}
	return time.UnixMilli(n), nil
}

// maxMillis is the year 9999.
const maxMillis = 253402300799999

// placeToken is where a listing goes on, opaque to clients.
func placeToken(inv store.Invocation) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d/%s", inv.Enqueued.UnixMicro(), inv.RequestID))
}

func readPlace(token string) (store.Place, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	at, id, ok := strings.Cut(string(b), "/")
	micros, nerr := strconv.ParseInt(at, 10, 64)
	if err != nil || nerr != nil || !ok || id == "" {
		return store.Place{}, fc.InvalidField("NextToken", "the token of an earlier answer", token)
	}
	return store.Place{Enqueued: time.UnixMicro(micros), RequestID: id}, nil
}
