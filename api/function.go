package api

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"fcd/fc"
	"fcd/store"
	"fcd/store/catalog"
)

// Defaults of a function.
const (
	defaultMemoryMB       = 128
	defaultTimeoutSeconds = 3
	defaultInstanceType   = "e1"
)

// functionBody is what a client sends; nil means absent.
type functionBody struct {
	FunctionName          *string            `json:"functionName"`
	Description           *string            `json:"description"`
	Runtime               *string            `json:"runtime"`
	Handler               *string            `json:"handler"`
	MemorySize            *int               `json:"memorySize"`
	Timeout               *int               `json:"timeout"`
	Initializer           *string            `json:"initializer"`
	InitializationTimeout *int               `json:"initializationTimeout"`
	EnvironmentVariables  map[string]*string `json:"environmentVariables"`
	InstanceConcurrency   *int               `json:"instanceConcurrency"`
	InstanceType          *string            `json:"instanceType"`
	CAPort                *int               `json:"caPort"`
	CustomRuntimeConfig   *customRuntimeBody `json:"customRuntimeConfig"`
	Lifecycle             *lifecycleBody     `json:"instanceLifecycleConfig"`
	Code                  *codeBody          `json:"code"`
}

// apply changes the fields of f that were sent, its code aside.
func (b *functionBody) apply(f *fc.Function) {
	set(&f.Description, b.Description)
	set(&f.Runtime, b.Runtime)
	set(&f.Handler, b.Handler)
	set(&f.MemorySizeMB, b.MemorySize)
	set(&f.TimeoutSeconds, b.Timeout)
	set(&f.Initializer, b.Initializer)
	set(&f.InitializationTimeoutSeconds, b.InitializationTimeout)
	set(&f.InstanceConcurrency, b.InstanceConcurrency)
	set(&f.InstanceType, b.InstanceType)
	if env, sent := b.environment(); sent {
		f.EnvironmentVariables = env
	}
	set(&f.CAPort, b.CAPort)
	if b.CustomRuntimeConfig != nil {
		b.CustomRuntimeConfig.apply(f)
	}
	if b.Lifecycle != nil {
		b.Lifecycle.apply(f)
	}
}

// environment is the whole new map. {} clears it; a map of nulls alone counts as absent.
func (b *functionBody) environment() (env map[string]string, sent bool) {
	env = make(map[string]string, len(b.EnvironmentVariables))
	for k, v := range b.EnvironmentVariables {
		if v != nil {
			env[k] = *v
		}
	}
	return env, b.EnvironmentVariables != nil && (len(env) > 0 || len(b.EnvironmentVariables) == 0)
}

// functionView is what a client reads.
type functionView struct {
	FunctionID            string            `json:"functionId"`
	FunctionName          string            `json:"functionName"`
	Description           string            `json:"description"`
	Runtime               string            `json:"runtime"`
	Handler               string            `json:"handler"`
	MemorySize            int               `json:"memorySize"`
	Timeout               int               `json:"timeout"`
	Initializer           string            `json:"initializer"`
	InitializationTimeout int               `json:"initializationTimeout"`
	EnvironmentVariables  map[string]string `json:"environmentVariables"`
	InstanceConcurrency   int               `json:"instanceConcurrency"`
	InstanceType          string            `json:"instanceType"`
	// CAPort is that of every custom function, and what was sent for others.
	CAPort              int                     `json:"caPort,omitempty"`
	CustomRuntimeConfig *fc.CustomRuntimeConfig `json:"customRuntimeConfig,omitempty"`
	Lifecycle           *fc.LifecycleConfig     `json:"instanceLifecycleConfig,omitempty"`
	CodeSize            int64                   `json:"codeSize"`
	CodeChecksum        string                  `json:"codeChecksum"`
	CreatedTime         string                  `json:"createdTime"`
	LastModifiedTime    string                  `json:"lastModifiedTime"`
}

func viewFunction(f *fc.Function) functionView {
	v := functionView{
		FunctionID: f.ID, FunctionName: f.Name, Description: f.Description, Runtime: f.Runtime, Handler: f.Handler,
		MemorySize: f.MemorySizeMB, Timeout: f.TimeoutSeconds,
		Initializer: f.Initializer, InitializationTimeout: f.InitializationTimeoutSeconds,
		EnvironmentVariables: f.EnvironmentVariables,
		InstanceConcurrency:  f.InstanceConcurrency, InstanceType: f.InstanceType,
		CAPort: f.CAPort, CustomRuntimeConfig: f.CustomRuntimeConfig, Lifecycle: f.InstanceLifecycleConfig,
		CodeSize: f.CodeSize, CodeChecksum: f.CodeChecksum,
		CreatedTime: fc.FormatTime(f.CreatedTime), LastModifiedTime: fc.FormatTime(f.LastModifiedTime),
	}
	if v.EnvironmentVariables == nil {
		v.EnvironmentVariables = map[string]string{}
	}
	if f.Runtime == fc.RuntimeCustom {
		v.CAPort = f.ListenPort()
	}
	return v
}

func newFunction(service, name string) *fc.Function {
	return &fc.Function{
		ServiceName: service, Name: name, MemorySizeMB: defaultMemoryMB, TimeoutSeconds: defaultTimeoutSeconds,
		InitializationTimeoutSeconds: defaultTimeoutSeconds, InstanceConcurrency: 1, InstanceType: defaultInstanceType,
	}
}

func (a *API) createFunction(c *call) (answer, error) {
	var body functionBody
	release, err := a.readUpload(c, &body, true)
	if err != nil {
		return answer{}, err
	}
	defer release()
	f := newFunction(c.params.service, value(body.FunctionName))
	f.ID = uuid.NewString()
	body.apply(f)
	if err := f.Validate(a.o.Limits); err != nil {
		return answer{}, err
	}
	if err := body.Code.validate(true); err != nil {
		return answer{}, err
	}
	if err := a.authorize(c, a.functionARN(f.Ref(""))); err != nil {
		return answer{}, err
	}
	// Refuse what can be refused before the code is fetched; the commit decides.
	if err := a.free(c.Context(), f); err != nil {
		return answer{}, err
	}
	if err := a.takeCode(c, body.Code, f, ""); err != nil {
		return answer{}, err
	}
	f.CreatedTime = a.now()
	f.LastModifiedTime = f.CreatedTime
	key := catalog.FunctionKey(f.ServiceName, f.Name)
	done, err := a.commit(c, func(ctx context.Context) (store.Batch, error) {
		if err := a.free(ctx, f); err != nil {
			return store.Batch{}, err
		}
		return store.Batch{
			Puts:   []store.Put{{Key: key, Value: catalog.Encode(f), If: store.IfAbsent}},
			Guards: []store.Guard{{Key: catalog.ServiceKey(f.ServiceName), If: store.IfExists}},
		}, nil
	})
	if err != nil {
		return answer{}, err
	}
	return resource(viewFunction(f), fc.ETag(key, int64(done.Revs[0])))
}

// free is nil if the service of f exists and has no function of that name.
func (a *API) free(ctx context.Context, f *fc.Function) error {
	_, _, err := a.function(ctx, f.ServiceName, f.Name)
	switch fc.CodeOf(err) {
	case fc.FunctionNotFound:
		return nil
	case "":
		return fc.Errorf(fc.FunctionAlreadyExists, "function '%s' already exists in service '%s'", f.Name, f.ServiceName)
	}
	return err
}

func (a *API) updateFunction(c *call) (answer, error) {
	if err := a.authorize(c, a.functionARN(c.params.ref())); err != nil {
		return answer{}, err
	}
	var body functionBody
	release, err := a.readUpdate(c, &body)
	if err != nil {
		return answer{}, err
	}
	defer release()
	before, err := a.checkFunctionUpdate(c, &body)
	if err != nil {
		return answer{}, err
	}
	code := &fc.Function{}
	if body.Code.given() {
		if err := a.takeCode(c, body.Code, code, before.CodeSHA256); err != nil {
			return answer{}, err
		}
	}
	var f *fc.Function
	key := catalog.FunctionKey(c.params.service, c.params.function)
	done, err := a.commit(c, func(ctx context.Context) (store.Batch, error) {
		old, rev, err := a.matchingFunction(ctx, c)
		if err != nil {
			return store.Batch{}, err
		}
		changed := *old
		f = &changed
		f.LastModifiedTime = a.now()
		body.apply(f)
		if code.CodeSHA256 != "" {
			f.CodeSHA256, f.CodeChecksum, f.CodeSize = code.CodeSHA256, code.CodeChecksum, code.CodeSize
		}
		if err := f.Validate(a.o.Limits); err != nil {
			return store.Batch{}, err
		}
		return store.Batch{Puts: []store.Put{{Key: key, Value: catalog.Encode(f), If: rev}}}, nil
	})
	if err != nil {
		return answer{}, err
	}
	return resource(viewFunction(f), fc.ETag(key, int64(done.Revs[0])))
}

// checkFunctionUpdate refuses an update for what it holds, then for what it meets, before its code is fetched. It returns
// the function as it is.
func (a *API) checkFunctionUpdate(c *call, body *functionBody) (*fc.Function, error) {
	if err := sameName("FunctionName", body.FunctionName, c.params.function); err != nil {
		return nil, err
	}
	probe := newFunction(c.params.service, c.params.function)
	probe.Runtime, probe.Handler = fc.Runtimes()[0], "index.handler"
	body.apply(probe)
	if err := probe.Validate(a.o.Limits); err != nil {
		return nil, err
	}
	if err := body.Code.validate(false); err != nil {
		return nil, err
	}
	f, _, err := a.matchingFunction(c.Context(), c)
	return f, err
}

// matchingFunction reads the function of the path and compares If-Match with it.
func (a *API) matchingFunction(ctx context.Context, c *call) (*fc.Function, store.Rev, error) {
	f, rev, err := a.function(ctx, c.params.service, c.params.function)
	if err != nil {
		return nil, 0, err
	}
	return f, rev, match(c, catalog.FunctionKey(f.ServiceName, f.Name), rev)
}

func (a *API) getFunction(c *call) (answer, error) {
	f, rev, err := a.readFunction(c)
	if err != nil {
		return answer{}, err
	}
	return resource(viewFunction(f), fc.ETag(catalog.FunctionKey(f.ServiceName, f.Name), int64(rev)))
}

// readFunction is the function of a path that may have a qualifier, if the caller may read it.
func (a *API) readFunction(c *call) (*fc.Function, store.Rev, error) {
	if err := a.authorize(c, a.functionARN(c.params.ref())); err != nil {
		return nil, 0, err
	}
	if _, _, err := a.qualifiedService(c.Context(), c.params); err != nil {
		return nil, 0, err
	}
	return a.function(c.Context(), c.params.service, c.params.function)
}

func (a *API) listFunctions(c *call) (answer, error) {
	all := c.params.ref()
	all.Function = "*"
	if err := a.authorize(c, a.functionARN(all)); err != nil {
		return answer{}, err
	}
	if _, _, err := a.qualifiedService(c.Context(), c.params); err != nil {
		return answer{}, err
	}
	return list(a, c, "functions", catalog.FunctionKey(c.params.service, ""), func(r store.Record) (functionView, error) {
		f, err := catalog.DecodeFunction(r)
		if err != nil {
			return functionView{}, err
		}
		return viewFunction(f), nil
	})
}

func (a *API) deleteFunction(c *call) (answer, error) {
	if err := a.authorize(c, a.functionARN(c.params.ref())); err != nil {
		return answer{}, err
	}
	p := c.params
	key, triggers := catalog.FunctionKey(p.service, p.function), catalog.TriggerKey(p.service, p.function, "")
	_, err := a.commit(c, func(ctx context.Context) (store.Batch, error) {
		_, rev, err := a.matchingFunction(ctx, c)
		if err != nil {
			return store.Batch{}, err
		}
		refusal := fc.Errorf(fc.FunctionNotEmpty, "function '%s' has active triggers", p.function)
		if err := a.empty(ctx, triggers, refusal); err != nil {
			return store.Batch{}, err
		}
		configs, err := a.asyncConfigsOf(ctx, p.service, p.function)
		if err != nil {
			return store.Batch{}, err
		}
		return store.Batch{
			Puts: append([]store.Put{
				{Key: key, If: rev, Delete: true},
				{Key: a.functionBindKey(p.service, p.function), If: store.IfAny, Delete: true},
			}, configs...),
			Guards: []store.Guard{{Key: triggers, If: store.IfAbsent, Prefix: true}},
		}, nil
	})
	return deleted, err
}

// function reads a function; ServiceNotFound or FunctionNotFound.
func (a *API) function(ctx context.Context, service, name string) (*fc.Function, store.Rev, error) {
	rec, err := a.o.Store.Get(ctx, catalog.FunctionKey(service, name))
	if errors.Is(err, store.ErrNotFound) {
		if _, _, err := a.service(ctx, service); err != nil {
			return nil, 0, err
		}
		return nil, 0, fc.Errorf(fc.FunctionNotFound, "function '%s' does not exist in service '%s'", name, service)
	}
	if err != nil {
		return nil, 0, storeError("Get", err)
	}
	f, err := catalog.DecodeFunction(rec)
	if err != nil {
		return nil, 0, fc.Internal("decode "+rec.Key, err)
	}
	return f, rec.Rev, nil
}
