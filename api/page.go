package api

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"unicode/utf8"

	"fcd/fc"
	"fcd/store"
)

const (
	defaultPage = 20
	maxPage     = 100
)

// page is a part of a listing, in byte order of the names.
type page struct {
	limit  int
	prefix string // names begin with it
	start  string // first name, inclusive; "" = from the beginning
}

// readPage reads limit, nextToken, startKey and prefix; an empty value is an absent one. A token is the name of the next
// item and outdoes startKey.
func readPage(q url.Values) (page, error) {
	p := page{limit: defaultPage, prefix: q.Get("prefix"), start: q.Get("startKey")}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxPage {
			return page{}, fc.InvalidField("Limit", "1 to "+strconv.Itoa(maxPage), s)
		}
		p.limit = n
	}
	if t := q.Get("nextToken"); t != "" {
		p.start = t
	}
	if !utf8.ValidString(p.prefix) || !utf8.ValidString(p.start) {
		return page{}, fc.Errorf(fc.InvalidArgument, "Prefix, StartKey or NextToken is not valid UTF-8")
	}
	return p, nil
}

// records lists the records of a page whose keys are folder plus name, and the name that the next page starts with, ""
// if this is the last.
func (a *API) records(ctx context.Context, folder string, p page) (recs []store.Record, next string, err error) {
	recs, err = a.o.Store.List(ctx, folder+p.prefix, justBefore(folder, p.start), p.limit+1)
	if err != nil {
		return nil, "", storeError("List", err)
	}
	if len(recs) > p.limit {
		next = recs[p.limit].Key[len(folder):]
		recs = recs[:p.limit]
	}
	return recs, next, nil
}

// justBefore is a key that sorts before folder+start and behind every record in front of it. Names hold no character
// above 'z', so the name with its last character lowered by one and a '~' behind lies between its neighbours.
func justBefore(folder, start string) string {
	if start == "" {
		return ""
	}
	last := len(start) - 1
	if start[last] <= ' ' || start[last] > 'z' {
		return folder + start // no record has this name
	}
	return folder + start[:last] + string(start[last]-1) + "~"
}

// errOmitted leaves a record out of a list: its page is shorter then.
var errOmitted = errors.New("left out of the list")

// list renders a page: the items under their name and, unless this is the last page, the token of the next.
func list[T any](a *API, c *call, items, folder string, view func(store.Record) (T, error)) (answer, error) {
	p, err := readPage(c.URL.Query())
	if err != nil {
		return answer{}, err
	}
	recs, next, err := a.records(c.Context(), folder, p)
	if err != nil {
		return answer{}, err
	}
	views := make([]T, 0, len(recs)) // never null in JSON
	for _, r := range recs {
		v, err := view(r)
		if errors.Is(err, errOmitted) {
			continue
		}
		if err != nil {
			return answer{}, fc.Internal("list "+items, err)
		}
		views = append(views, v)
	}
	out := map[string]any{items: views}
	if next != "" {
		out["nextToken"] = next
	}
	return resource(out, "")
}

// storeError is what a caller sees of a store's error.
func storeError(op string, err error) error {
	unavailable := func(code fc.Code, message string) error {
		return &fc.Error{Code: code, Message: message, Op: "store." + op, Err: err}
	}
	switch {
	case errors.Is(err, store.ErrFull):
		return unavailable(fc.ResourceExhausted, "the queue of asynchronous invocations is full")
	case errors.Is(err, store.ErrTooLarge):
		return unavailable(fc.EntityTooLarge, "the resource is too large to be kept")
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrFatal), // which diskTrouble tells of
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unavailable(fc.ResourceThrottled, "the store is not available. Please retry.")
	}
	return fc.Internal("store."+op, err)
}
