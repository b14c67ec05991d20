package api

import (
	"context"
	"errors"

	"fcd/fc"
	"fcd/store"
	"fcd/store/catalog"
)

// asyncConfigBody is what a client sends. The names of the two numbers are those of the clients; the guide's are taken
// as well.
type asyncConfigBody struct {
	StatefulInvocation *bool `json:"statefulInvocation"`
	DestinationConfig  *struct {
		OnSuccess *destinationBody `json:"onSuccess"`
		OnFailure *destinationBody `json:"onFailure"`
	} `json:"destinationConfig"`
	MaxAsyncEventAgeInSeconds *int `json:"maxAsyncEventAgeInSeconds"`
	MaxAsyncRetryAttempts     *int `json:"maxAsyncRetryAttempts"`
	MaximumEventAgeInSeconds  *int `json:"maximumEventAgeInSeconds"`
	MaximumRetryAttempts      *int `json:"maximumRetryAttempts"`
}

type destinationBody struct {
	Destination *string `json:"destination"`
}

func (b *destinationBody) arn() string {
	if b == nil {
		return ""
	}
	return value(b.Destination)
}

// apply sets what a PUT decides: all of it, since it replaces the configuration.
func (b *asyncConfigBody) apply(c *fc.AsyncConfig) {
	c.MaxRetryAttempts, c.MaxEventAgeSeconds = b.MaxAsyncRetryAttempts, b.MaxAsyncEventAgeInSeconds
	if c.MaxRetryAttempts == nil {
		c.MaxRetryAttempts = b.MaximumRetryAttempts
	}
	if c.MaxEventAgeSeconds == nil {
		c.MaxEventAgeSeconds = b.MaximumEventAgeInSeconds
	}
	c.Stateful = b.StatefulInvocation != nil && *b.StatefulInvocation
	if d := b.DestinationConfig; d != nil {
		c.OnSuccess, c.OnFailure = d.OnSuccess.arn(), d.OnFailure.arn()
	}
}

type destinationView struct {
	Destination string `json:"destination"`
}

type asyncConfigView struct {
	Service            string `json:"service"`
	Function           string `json:"function"`
	Qualifier          string `json:"qualifier"`
	CreatedTime        string `json:"createdTime"`
	LastModifiedTime   string `json:"lastModifiedTime"`
	StatefulInvocation bool   `json:"statefulInvocation"`
	DestinationConfig  struct {
		OnSuccess *destinationView `json:"onSuccess,omitempty"`
		OnFailure *destinationView `json:"onFailure,omitempty"`
	} `json:"destinationConfig"`
	MaxAsyncEventAgeInSeconds *int `json:"maxAsyncEventAgeInSeconds"`
	MaxAsyncRetryAttempts     *int `json:"maxAsyncRetryAttempts"`
	MaximumEventAgeInSeconds  *int `json:"maximumEventAgeInSeconds"`
	MaximumRetryAttempts      *int `json:"maximumRetryAttempts"`
}

func viewAsyncConfig(c *fc.AsyncConfig) asyncConfigView {
	v := asyncConfigView{Service: c.ServiceName, Function: c.FunctionName, Qualifier: c.Qualifier, StatefulInvocation: c.Stateful,
		CreatedTime: fc.FormatTime(c.CreatedTime), LastModifiedTime: fc.FormatTime(c.LastModifiedTime),
		MaxAsyncEventAgeInSeconds: c.MaxEventAgeSeconds, MaximumEventAgeInSeconds: c.MaxEventAgeSeconds,
		MaxAsyncRetryAttempts: c.MaxRetryAttempts, MaximumRetryAttempts: c.MaxRetryAttempts}
	if c.OnSuccess != "" {
		v.DestinationConfig.OnSuccess = &destinationView{c.OnSuccess}
	}
	if c.OnFailure != "" {
		v.DestinationConfig.OnFailure = &destinationView{c.OnFailure}
	}
	return v
}

// putAsyncConfig replaces a function's configuration, or makes it. The caller must be allowed to do to the destinations
// what the daemon will do to them.
func (a *API) putAsyncConfig(c *call) (answer, error) {
	var body asyncConfigBody
	if err := readObject(c, &body, true); err != nil {
		return answer{}, err
	}
	config := &fc.AsyncConfig{ServiceName: c.params.service, FunctionName: c.params.function, Qualifier: c.params.orLatest()}
	body.apply(config)
	if err := config.Validate(a.o.Region, a.o.AccountID); err != nil {
		return answer{}, err
	}
	if err := a.authorize(c, a.functionARN(c.params.ref())); err != nil {
		return answer{}, err
	}
	if err := a.authorizeDestinations(c, config); err != nil {
		return answer{}, err
	}
	key := catalog.AsyncKey(config.ServiceName, config.FunctionName, config.Qualifier)
	done, err := a.commit(c, func(ctx context.Context) (store.Batch, error) {
		_, fnRev, err := a.existing(ctx, c)
		if err != nil {
			return store.Batch{}, err
		}
		old, rev, err := a.asyncConfig(ctx, key)
		switch {
		case fc.CodeOf(err) == fc.AsyncConfigNotExists:
			config.CreatedTime = a.now()
		case err != nil:
			return store.Batch{}, err
		default:
			config.CreatedTime = old.CreatedTime
		}
		config.LastModifiedTime = a.now()
		return store.Batch{
			Puts:   []store.Put{{Key: key, Value: catalog.Encode(config), If: rev}},
			Guards: []store.Guard{{Key: catalog.FunctionKey(config.ServiceName, config.FunctionName), If: fnRev}},
		}, nil
	})
	if err != nil {
		return answer{}, err
	}
	return resource(viewAsyncConfig(config), fc.ETag(key, int64(done.Revs[0])))
}

// authorizeDestinations holds that nobody has another's resources written to through a function.
func (a *API) authorizeDestinations(c *call, config *fc.AsyncConfig) error {
	for _, arn := range []string{config.OnSuccess, config.OnFailure} {
		if arn == "" {
			continue
		}
		d, err := fc.ParseDestination(arn)
		if err != nil {
			return err
		}
		action, resource := d.Action()
		if err := a.o.Policy.Allowed(c.caller, action, resource, a.environment(c)); err != nil {
			return err
		}
		if d.Function.Function == "" {
			continue
		}
		if _, err := a.o.Catalog.Target(d.Function); err != nil {
			return fc.Errorf(fc.InvalidArgument, "DestinationConfig names '%s', which does not exist", arn)
		}
	}
	return nil
}

func (a *API) getAsyncConfig(c *call) (answer, error) {
	if err := a.authorize(c, a.functionARN(c.params.ref())); err != nil {
		return answer{}, err
	}
	if _, _, err := a.existing(c.Context(), c); err != nil {
		return answer{}, err
	}
	key := catalog.AsyncKey(c.params.service, c.params.function, c.params.orLatest())
	config, rev, err := a.asyncConfig(c.Context(), key)
	if err != nil {
		return answer{}, err
	}
	return resource(viewAsyncConfig(config), fc.ETag(key, int64(rev)))
}

func (a *API) deleteAsyncConfig(c *call) (answer, error) {
	if err := a.authorize(c, a.functionARN(c.params.ref())); err != nil {
		return answer{}, err
	}
	key := catalog.AsyncKey(c.params.service, c.params.function, c.params.orLatest())
	_, err := a.commit(c, func(ctx context.Context) (store.Batch, error) {
		if _, _, err := a.existing(ctx, c); err != nil {
			return store.Batch{}, err
		}
		_, rev, err := a.asyncConfig(ctx, key)
		if err != nil {
			return store.Batch{}, err
		}
		return store.Batch{Puts: []store.Put{{Key: key, If: rev, Delete: true}}}, nil
	})
	return deleted, err
}

// listAsyncConfigs lists the configurations of a function, one for each qualifier that has one.
func (a *API) listAsyncConfigs(c *call) (answer, error) {
	if err := a.authorize(c, a.functionARN(c.params.ref())); err != nil {
		return answer{}, err
	}
	if _, _, err := a.existing(c.Context(), c); err != nil {
		return answer{}, err
	}
	return list(a, c, "configs", catalog.AsyncKey(c.params.service, c.params.function, ""), func(r store.Record) (asyncConfigView, error) {
		config, err := catalog.DecodeAsync(r)
		if err != nil {
			return asyncConfigView{}, err
		}
		return viewAsyncConfig(config), nil
	})
}

// existing is the function of the path, whose qualifier exists as well.
func (a *API) existing(ctx context.Context, c *call) (*fc.Function, store.Rev, error) {
	if _, _, err := a.qualifiedService(ctx, c.params); err != nil {
		return nil, 0, err
	}
	return a.function(ctx, c.params.service, c.params.function)
}

// asyncConfig reads a configuration; AsyncConfigNotExists, with the revision that makes a Put create it.
func (a *API) asyncConfig(ctx context.Context, key string) (*fc.AsyncConfig, store.Rev, error) {
	rec, err := a.o.Store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, store.IfAbsent, fc.Errorf(fc.AsyncConfigNotExists, "the function has no configuration of asynchronous invocations under that qualifier")
	}
	if err != nil {
		return nil, 0, storeError("Get", err)
	}
	config, err := catalog.DecodeAsync(rec)
	if err != nil {
		return nil, 0, fc.Internal("decode "+rec.Key, err)
	}
	return config, rec.Rev, nil
}

// asyncConfigsOf are the writes that delete a function's configurations with it.
func (a *API) asyncConfigsOf(ctx context.Context, service, function string) ([]store.Put, error) {
	recs, err := a.o.Store.List(ctx, catalog.AsyncKey(service, function, ""), "", 0)
	if err != nil {
		return nil, storeError("List", err)
	}
	puts := make([]store.Put, len(recs))
	for i, r := range recs {
		puts[i] = store.Put{Key: r.Key, If: store.IfAny, Delete: true}
	}
	return puts, nil
}

// orLatest is the qualifier of the path, LATEST where it has none.
func (p params) orLatest() string {
	if p.qualifier == "" {
		return fc.Latest
	}
	return p.qualifier
}

// unsupported is the refusal of an operation that this daemon has not been given the means for.
func unsupported(c *call) error {
	return fc.Errorf(fc.PathNotSupported, "'%s' against '%s' is not supported", c.Method, c.URL.Path)
}
