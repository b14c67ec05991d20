package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/google/uuid"

	"fcd/fc"
	"fcd/store"
	"fcd/store/catalog"
)

// headerExtensions asks for triggers of types that not all clients know, in lists.
const headerExtensions = "X-Fcd-Extensions"

// maxSiblings bounds how many triggers of one function are looked at for conflicts.
const maxSiblings = 1000

// triggerBody is what a client sends; nil means absent. The configuration is read by the kind of the trigger.
type triggerBody struct {
	TriggerName    *string         `json:"triggerName"`
	Description    *string         `json:"description"`
	Qualifier      *string         `json:"qualifier"`
	TriggerType    *string         `json:"triggerType"`
	SourceARN      *string         `json:"sourceArn"`
	InvocationRole *string         `json:"invocationRole"`
	TriggerConfig  json.RawMessage `json:"triggerConfig"`
}

// config is the configuration as sent, nil if absent.
func (b *triggerBody) config() json.RawMessage {
	if string(b.TriggerConfig) == "null" {
		return nil
	}
	return b.TriggerConfig
}

// kind is the type as sent; "logs" is an old name of "log".
func (b *triggerBody) kind() string {
	if t := value(b.TriggerType); t != "logs" {
		return t
	}
	return fc.TriggerLog
}

// apply changes the fields of t that may change and were sent, its configuration aside.
func (b *triggerBody) apply(t *fc.Trigger) {
	set(&t.Description, b.Description)
	set(&t.Qualifier, b.Qualifier)
	set(&t.InvocationRole, b.InvocationRole)
}

// triggerView is what a client reads. SourceARN is null for kinds that have no source.
type triggerView struct {
	TriggerID        string          `json:"triggerId"`
	TriggerName      string          `json:"triggerName"`
	Description      string          `json:"description"`
	Qualifier        string          `json:"qualifier"`
	TriggerType      string          `json:"triggerType"`
	SourceARN        *string         `json:"sourceArn"`
	InvocationRole   string          `json:"invocationRole"`
	TriggerConfig    json.RawMessage `json:"triggerConfig"`
	CreatedTime      string          `json:"createdTime"`
	LastModifiedTime string          `json:"lastModifiedTime"`
}

func viewTrigger(t *fc.Trigger) triggerView {
	v := triggerView{
		TriggerID: t.ID, TriggerName: t.Name, Description: t.Description, Qualifier: t.Qualifier, TriggerType: t.Type,
		InvocationRole: t.InvocationRole, TriggerConfig: t.Config,
		CreatedTime: fc.FormatTime(t.CreatedTime), LastModifiedTime: fc.FormatTime(t.LastModifiedTime),
	}
	if t.SourceARN != "" {
		v.SourceARN = &t.SourceARN
	}
	return v
}

func (a *API) createTrigger(c *call) (answer, error) {
	var body triggerBody
	if err := readObject(c, &body, true); err != nil {
		return answer{}, err
	}
	t := &fc.Trigger{ServiceName: c.params.service, FunctionName: c.params.function, Name: value(body.TriggerName),
		ID: uuid.NewString(), Type: body.kind(), SourceARN: value(body.SourceARN), CreatedTime: a.now()}
	t.LastModifiedTime = t.CreatedTime
	body.apply(t)
	if err := a.checkTrigger(nil, t, body.config()); err != nil {
		return answer{}, err
	}
	if err := a.authorize(c, a.triggerARN(t.ServiceName, t.FunctionName, t.Name)); err != nil {
		return answer{}, err
	}
	if err := a.authorizeTriggerRole(c, t); err != nil {
		return answer{}, err
	}
	key := catalog.TriggerKey(t.ServiceName, t.FunctionName, t.Name)
	done, err := a.commit(c, func(ctx context.Context) (store.Batch, error) {
		if err := a.triggerFree(ctx, t); err != nil {
			return store.Batch{}, err
		}
		if err := a.checkInvocation(t); err != nil {
			return store.Batch{}, err
		}
		return a.triggerBatch(ctx, t, store.Put{Key: key, Value: catalog.Encode(t), If: store.IfAbsent})
	})
	if err != nil {
		return answer{}, err
	}
	return resource(viewTrigger(t), fc.ETag(key, int64(done.Revs[0])))
}

// checkTrigger checks what all kinds share, then lets the kind check and complete its part.
func (a *API) checkTrigger(old, t *fc.Trigger, config json.RawMessage) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if old == nil && config == nil {
		return fc.MissingField("TriggerConfig")
	}
	return a.o.Triggers.Normalize(old, t, config)
}

// authorizeTriggerRole asks whether the caller may hand the trigger's role over. Kinds that use no role may carry any.
func (a *API) authorizeTriggerRole(c *call, t *fc.Trigger) error {
	if a.o.Triggers.RoleService(t.Type) == "" {
		return nil
	}
	return a.authorizeRole(c, t.InvocationRole, fcService)
}

// checkInvocation asks whether the source may invoke the function by the trigger's role.
func (a *API) checkInvocation(t *fc.Trigger) error {
	service := a.o.Triggers.RoleService(t.Type)
	if a.o.InvocationRoles == nil || service == "" {
		return nil
	}
	return a.o.InvocationRoles.CheckInvocationRole(t.InvocationRole, service, a.functionARN(t.Ref()))
}

// triggerFree is nil if the function exists, the qualifier too, and the name is not taken.
func (a *API) triggerFree(ctx context.Context, t *fc.Trigger) error {
	if _, _, err := a.function(ctx, t.ServiceName, t.FunctionName); err != nil {
		return err
	}
	if err := checkQualifier(t.ServiceName, t.Qualifier); err != nil {
		return err
	}
	_, err := a.o.Store.Get(ctx, catalog.TriggerKey(t.ServiceName, t.FunctionName, t.Name))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return storeError("Get", err)
	}
	return fc.Errorf(fc.TriggerAlreadyExists, "trigger '%s' already exists in function '%s'", t.Name, t.FunctionName)
}

// triggerBatch is the write of a trigger together with what keeps it right: its function exists, and no trigger that it
// might conflict with was written since they were looked at. The latter is held by a record per function and one per
// source that every write of their triggers replaces.
func (a *API) triggerBatch(ctx context.Context, t *fc.Trigger, put store.Put) (store.Batch, error) {
	b := store.Batch{
		Puts:   []store.Put{put},
		Guards: []store.Guard{{Key: catalog.FunctionKey(t.ServiceName, t.FunctionName), If: store.IfExists}},
	}
	binds := []string{a.functionBindKey(t.ServiceName, t.FunctionName)}
	if t.SourceARN != "" {
		binds = append(binds, catalog.BindKey(t.SourceARN))
	}
	var latest store.Rev
	for _, key := range binds {
		rec, err := a.o.Store.Get(ctx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return store.Batch{}, storeError("Get", err)
		}
		b.Puts = append(b.Puts, store.Put{Key: key, Value: []byte("{}"), If: rec.Rev})
		latest = max(latest, rec.Rev)
	}
	if put.Delete {
		return b, nil
	}
	return b, a.conflict(ctx, t, latest)
}

func (a *API) functionBindKey(service, function string) string {
	return catalog.BindKey(a.functionARN(fc.FunctionRef{Service: service, Function: function}))
}

// conflict asks whether t may stand beside the other triggers of its function and of its source, as of rev at least.
func (a *API) conflict(ctx context.Context, t *fc.Trigger, rev store.Rev) error {
	recs, err := a.o.Store.List(ctx, catalog.TriggerKey(t.ServiceName, t.FunctionName, ""), "", maxSiblings)
	if err != nil {
		return storeError("List", err)
	}
	var near []*fc.Trigger
	for _, r := range recs {
		o, err := catalog.DecodeTrigger(r)
		if err != nil {
			return fc.Internal("decode "+r.Key, err)
		}
		near = append(near, o)
	}
	if t.SourceARN != "" {
		if err := a.o.Catalog.Wait(ctx, rev); err != nil {
			return storeError("Wait", err)
		}
		near = append(near, a.o.Catalog.TriggersBySource(t.SourceARN)...)
	}
	return a.o.Triggers.Conflict(t, slices.DeleteFunc(near, func(o *fc.Trigger) bool { return o.Path() == t.Path() }))
}

func (a *API) updateTrigger(c *call) (answer, error) {
	var body triggerBody
	if err := a.authorize(c, a.triggerARN(c.params.service, c.params.function, c.params.trigger)); err != nil {
		return answer{}, err
	}
	if err := readObject(c, &body, false); err != nil {
		return answer{}, err
	}
	if err := sameName("TriggerName", body.TriggerName, c.params.trigger); err != nil {
		return answer{}, err
	}
	var t *fc.Trigger
	key := a.triggerKey(c)
	done, err := a.commit(c, func(ctx context.Context) (store.Batch, error) {
		old, rev, err := a.trigger(ctx, c.params)
		if err != nil {
			return store.Batch{}, err
		}
		if t, err = a.changeTrigger(c, &body, old); err != nil {
			return store.Batch{}, err
		}
		if err := match(c, key, rev); err != nil {
			return store.Batch{}, err
		}
		if err := a.checkInvocation(t); err != nil {
			return store.Batch{}, err
		}
		return a.triggerBatch(ctx, t, store.Put{Key: key, Value: catalog.Encode(t), If: rev})
	})
	if err != nil {
		return answer{}, err
	}
	return resource(viewTrigger(t), fc.ETag(key, int64(done.Revs[0])))
}

// changeTrigger is old with the body applied, checked and allowed.
func (a *API) changeTrigger(c *call, body *triggerBody, old *fc.Trigger) (*fc.Trigger, error) {
	if k := body.kind(); k != "" && k != old.Type {
		return nil, fc.InvalidField("TriggerType", "its type at creation, "+old.Type, k)
	}
	if s := value(body.SourceARN); s != "" && old.SourceARN != "" && s != old.SourceARN {
		return nil, fc.InvalidField("SourceArn", "its source at creation, "+old.SourceARN, s)
	}
	t := *old
	t.LastModifiedTime = a.now()
	body.apply(&t)
	if err := checkQualifier(t.ServiceName, t.Qualifier); err != nil {
		return nil, err
	}
	if err := a.checkTrigger(old, &t, body.config()); err != nil {
		return nil, err
	}
	return &t, a.authorizeTriggerRole(c, &t) // whoever changes what a role is used for hands it over
}

func (a *API) getTrigger(c *call) (answer, error) {
	if err := a.authorize(c, a.triggerARN(c.params.service, c.params.function, c.params.trigger)); err != nil {
		return answer{}, err
	}
	t, rev, err := a.trigger(c.Context(), c.params)
	if err != nil {
		return answer{}, err
	}
	return resource(viewTrigger(t), fc.ETag(a.triggerKey(c), int64(rev)))
}

func (a *API) listTriggers(c *call) (answer, error) {
	p := c.params
	if err := a.authorize(c, a.triggerARN(p.service, p.function, "*")); err != nil {
		return answer{}, err
	}
	if _, _, err := a.function(c.Context(), p.service, p.function); err != nil {
		return answer{}, err
	}
	return list(a, c, "triggers", catalog.TriggerKey(p.service, p.function, ""), func(r store.Record) (triggerView, error) {
		t, err := catalog.DecodeTrigger(r)
		if err != nil {
			return triggerView{}, err
		}
		if t.Unlisted() && c.Header.Get(headerExtensions) != "1" {
			return triggerView{}, errOmitted
		}
		return viewTrigger(t), nil
	})
}

func (a *API) deleteTrigger(c *call) (answer, error) {
	p := c.params
	if err := a.authorize(c, a.triggerARN(p.service, p.function, p.trigger)); err != nil {
		return answer{}, err
	}
	key := a.triggerKey(c)
	_, err := a.commit(c, func(ctx context.Context) (store.Batch, error) {
		t, rev, err := a.trigger(ctx, p)
		if err != nil {
			return store.Batch{}, err
		}
		if err := match(c, key, rev); err != nil {
			return store.Batch{}, err
		}
		return a.triggerBatch(ctx, t, store.Put{Key: key, If: rev, Delete: true})
	})
	return deleted, err
}

func (a *API) triggerKey(c *call) string {
	return catalog.TriggerKey(c.params.service, c.params.function, c.params.trigger)
}

// trigger reads a trigger; ServiceNotFound, FunctionNotFound or TriggerNotFound.
func (a *API) trigger(ctx context.Context, p params) (*fc.Trigger, store.Rev, error) {
	rec, err := a.o.Store.Get(ctx, catalog.TriggerKey(p.service, p.function, p.trigger))
	if errors.Is(err, store.ErrNotFound) {
		if _, _, err := a.function(ctx, p.service, p.function); err != nil {
			return nil, 0, err
		}
		return nil, 0, fc.Errorf(fc.TriggerNotFound, "trigger '%s' does not exist in function '%s'", p.trigger, p.function)
	}
	if err != nil {
		return nil, 0, storeError("Get", err)
	}
	t, err := catalog.DecodeTrigger(rec)
	if err != nil {
		return nil, 0, fc.Internal("decode "+rec.Key, err)
	}
	return t, rec.Rev, nil
}
