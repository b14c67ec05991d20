package api

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"

	"fcd/fc"
	"fcd/store"
	"fcd/store/catalog"
)

// fcService is who is trusted by the role of a service.
const fcService = "fc.aliyuncs.com"

// serviceBody is what a client sends; nil means absent.
type serviceBody struct {
	ServiceName    *string        `json:"serviceName"`
	Description    *string        `json:"description"`
	Role           *string        `json:"role"`
	LogConfig      *logConfigBody `json:"logConfig"`
	VPCConfig      *vpcBody       `json:"vpcConfig"`
	NASConfig      *nasBody       `json:"nasConfig"`
	TracingConfig  *object        `json:"tracingConfig"`
	InternetAccess *bool          `json:"internetAccess"`
}

type logConfigBody struct {
	Project  *string `json:"project"`
	Logstore *string `json:"logstore"`
}

type vpcBody struct {
	VPCID           *string   `json:"vpcId"`
	VSwitchIDs      []*string `json:"vSwitchIds"`
	SecurityGroupID *string   `json:"securityGroupId"`
}

type nasBody struct {
	UserID      *int64          `json:"userId"`
	GroupID     *int64          `json:"groupId"`
	MountPoints []fc.MountPoint `json:"mountPoints"`
}

// apply changes the fields of s that were sent. A nested object with a member that is not null is replaced whole.
func (b *serviceBody) apply(s *fc.Service) error {
	set(&s.Description, b.Description)
	set(&s.Role, b.Role)
	set(&s.InternetAccess, b.InternetAccess)
	if l := b.LogConfig; l != nil && (l.Project != nil || l.Logstore != nil) {
		s.LogConfig = fc.LogConfig{Project: value(l.Project), Logstore: value(l.Logstore)}
	}
	if v := b.VPCConfig; v != nil && (v.VPCID != nil || v.VSwitchIDs != nil || v.SecurityGroupID != nil) {
		s.VPCConfig = v.config()
	}
	if n := b.NASConfig; n != nil && (n.UserID != nil || n.GroupID != nil || n.MountPoints != nil) {
		s.NASConfig = n.config()
	}
	return b.applyTracing(s)
}

func (b *serviceBody) applyTracing(s *fc.Service) error {
	t := b.TracingConfig
	switch {
	case t == nil, !t.empty && t.set["type"] == nil && t.set["params"] == nil:
		return nil
	case t.empty:
		s.TracingConfig = nil
		return nil
	}
	s.TracingConfig = &fc.TracingConfig{}
	if raw := t.set["type"]; raw != nil && json.Unmarshal(raw, &s.TracingConfig.Type) != nil {
		return fc.InvalidField("TracingConfig.Type", "a string", jsonKind(raw))
	}
	if raw := t.set["params"]; raw != nil && json.Unmarshal(raw, &s.TracingConfig.Params) != nil {
		return fc.InvalidField("TracingConfig.Params", "an object", jsonKind(raw))
	}
	return nil
}

// config is nil for the form that clients send for "none".
func (v *vpcBody) config() *fc.VPCConfig {
	var switches []string
	for _, id := range v.VSwitchIDs {
		if id != nil {
			switches = append(switches, *id)
		}
	}
	if value(v.VPCID) == "" && len(switches) == 0 && value(v.SecurityGroupID) == "" {
		return nil
	}
	return &fc.VPCConfig{VPCID: value(v.VPCID), VSwitchIDs: switches, SecurityGroupID: value(v.SecurityGroupID)}
}

// config is nil for the form that clients send for "none".
func (n *nasBody) config() *fc.NASConfig {
	if len(n.MountPoints) == 0 {
		return nil
	}
	return &fc.NASConfig{UserID: value(n.UserID), GroupID: value(n.GroupID), MountPoints: n.MountPoints}
}

func set[T any](field, sent *T) {
	if sent != nil {
		*field = *sent
	}
}

func value[T any](p *T) (v T) {
	set(&v, p)
	return v
}

// checked is apply and a check of the outcome.
func (b *serviceBody) checked(s *fc.Service) error {
	if err := b.apply(s); err != nil {
		return err
	}
	return s.Validate()
}

// serviceView is what a client reads. Everything is there even when it is empty: clients look into it unchecked.
type serviceView struct {
	ServiceName      string           `json:"serviceName"`
	Description      string           `json:"description"`
	Role             string           `json:"role"`
	LogConfig        fc.LogConfig     `json:"logConfig"`
	VPCConfig        fc.VPCConfig     `json:"vpcConfig"`
	NASConfig        fc.NASConfig     `json:"nasConfig"`
	TracingConfig    fc.TracingConfig `json:"tracingConfig"`
	InternetAccess   bool             `json:"internetAccess"`
	ServiceID        string           `json:"serviceId"`
	CreatedTime      string           `json:"createdTime"`
	LastModifiedTime string           `json:"lastModifiedTime"`
}

func viewService(s *fc.Service) serviceView {
	v := serviceView{
		ServiceName: s.Name, Description: s.Description, Role: s.Role, LogConfig: s.LogConfig,
		VPCConfig:      fc.VPCConfig{VSwitchIDs: []string{}},
		NASConfig:      fc.NASConfig{UserID: -1, GroupID: -1, MountPoints: []fc.MountPoint{}},
		InternetAccess: s.InternetAccess, ServiceID: s.ID,
		CreatedTime: fc.FormatTime(s.CreatedTime), LastModifiedTime: fc.FormatTime(s.LastModifiedTime),
	}
	set(&v.VPCConfig, s.VPCConfig)
	set(&v.NASConfig, s.NASConfig)
	set(&v.TracingConfig, s.TracingConfig)
	return v
}

func (a *API) createService(c *call) (answer, error) {
	var body serviceBody
	if err := readObject(c, &body, true); err != nil {
		return answer{}, err
	}
	svc := &fc.Service{Name: value(body.ServiceName), ID: uuid.NewString(), InternetAccess: true, CreatedTime: a.now()}
	svc.LastModifiedTime = svc.CreatedTime
	if err := body.checked(svc); err != nil {
		return answer{}, err
	}
	if err := a.authorize(c, a.serviceARN(fc.FunctionRef{Service: svc.Name})); err != nil {
		return answer{}, err
	}
	if err := a.checkServiceNeeds(c, &body, svc); err != nil {
		return answer{}, err
	}
	key := catalog.ServiceKey(svc.Name)
	done, err := a.commit(c, func(ctx context.Context) (store.Batch, error) {
		switch _, err := a.o.Store.Get(ctx, key); {
		case err == nil:
			return store.Batch{}, fc.Errorf(fc.ServiceAlreadyExists, "service '%s' already exists", svc.Name)
		case !errors.Is(err, store.ErrNotFound):
			return store.Batch{}, storeError("Get", err)
		}
		return store.Batch{Puts: []store.Put{{Key: key, Value: catalog.Encode(svc), If: store.IfAbsent}}}, nil
	})
	if err != nil {
		return answer{}, err
	}
	return resource(viewService(svc), fc.ETag(key, int64(done.Revs[0])))
}

func (a *API) updateService(c *call) (answer, error) {
	if err := a.authorize(c, a.serviceARN(c.params.ref())); err != nil {
		return answer{}, err
	}
	var body serviceBody
	if err := readObject(c, &body, false); err != nil {
		return answer{}, err
	}
	if err := sameName("ServiceName", body.ServiceName, c.params.service); err != nil {
		return answer{}, err
	}
	// The fields that were sent are checked before the service is looked for, with the others at their defaults.
	probe := &fc.Service{Name: c.params.service}
	if err := body.checked(probe); err != nil {
		return answer{}, err
	}
	if err := a.checkServiceNeeds(c, &body, probe); err != nil {
		return answer{}, err
	}
	key := catalog.ServiceKey(c.params.service)
	var svc *fc.Service
	done, err := a.commit(c, func(ctx context.Context) (store.Batch, error) {
		old, rev, err := a.service(ctx, c.params.service)
		if err != nil {
			return store.Batch{}, err
		}
		if err := match(c, key, rev); err != nil {
			return store.Batch{}, err
		}
		changed := *old
		svc = &changed
		svc.LastModifiedTime = a.now()
		if err := body.checked(svc); err != nil {
			return store.Batch{}, err
		}
		return store.Batch{Puts: []store.Put{{Key: key, Value: catalog.Encode(svc), If: rev}}}, nil
	})
	if err != nil {
		return answer{}, err
	}
	return resource(viewService(svc), fc.ETag(key, int64(done.Revs[0])))
}

// checkServiceNeeds checks what the fields that were sent refer to: the caller may hand over the role, the logstore is
// there.
func (a *API) checkServiceNeeds(c *call, body *serviceBody, svc *fc.Service) error {
	if body.Role != nil {
		if err := a.authorizeRole(c, svc.Role, fcService); err != nil {
			return err
		}
	}
	l := svc.LogConfig
	if a.o.Logstores == nil || body.LogConfig == nil || l.Project == "" {
		return nil
	}
	return a.o.Logstores.CheckLogstore(c.Context(), l.Project, l.Logstore)
}

func (a *API) getService(c *call) (answer, error) {
	if err := a.authorize(c, a.serviceARN(c.params.ref())); err != nil {
		return answer{}, err
	}
	svc, rev, err := a.qualifiedService(c.Context(), c.params)
	if err != nil {
		return answer{}, err
	}
	return resource(viewService(svc), fc.ETag(catalog.ServiceKey(svc.Name), int64(rev)))
}

func (a *API) listServices(c *call) (answer, error) {
	if err := a.authorize(c, a.serviceARN(fc.FunctionRef{Service: "*"})); err != nil {
		return answer{}, err
	}
	return list(a, c, "services", catalog.ServiceKey(""), func(r store.Record) (serviceView, error) {
		svc, err := catalog.DecodeService(r)
		if err != nil {
			return serviceView{}, err
		}
		return viewService(svc), nil
	})
}

func (a *API) deleteService(c *call) (answer, error) {
	if err := a.authorize(c, a.serviceARN(c.params.ref())); err != nil {
		return answer{}, err
	}
	key, functions := catalog.ServiceKey(c.params.service), "fn/"+c.params.service+"/"
	_, err := a.commit(c, func(ctx context.Context) (store.Batch, error) {
		_, rev, err := a.service(ctx, c.params.service)
		if err != nil {
			return store.Batch{}, err
		}
		if err := match(c, key, rev); err != nil {
			return store.Batch{}, err
		}
		refusal := fc.Errorf(fc.ServiceNotEmpty, "service '%s' has functions", c.params.service)
		if err := a.empty(ctx, functions, refusal); err != nil {
			return store.Batch{}, err
		}
		return store.Batch{
			Puts:   []store.Put{{Key: key, If: rev, Delete: true}},
			Guards: []store.Guard{{Key: functions, If: store.IfAbsent, Prefix: true}},
		}, nil
	})
	return deleted, err
}

// empty is the refusal if any key begins with prefix.
func (a *API) empty(ctx context.Context, prefix string, refusal error) error {
	recs, err := a.o.Store.List(ctx, prefix, "", 1)
	if err != nil {
		return storeError("List", err)
	}
	if len(recs) > 0 {
		return refusal
	}
	return nil
}

// service reads a service; ServiceNotFound.
func (a *API) service(ctx context.Context, name string) (*fc.Service, store.Rev, error) {
	rec, err := a.o.Store.Get(ctx, catalog.ServiceKey(name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, 0, fc.Errorf(fc.ServiceNotFound, "service '%s' does not exist", name)
	}
	if err != nil {
		return nil, 0, storeError("Get", err)
	}
	svc, err := catalog.DecodeService(rec)
	if err != nil {
		return nil, 0, fc.Internal("decode "+rec.Key, err)
	}
	return svc, rec.Rev, nil
}

// qualifiedService is service for a path with a qualifier, of which there is only LATEST.
func (a *API) qualifiedService(ctx context.Context, p params) (*fc.Service, store.Rev, error) {
	svc, rev, err := a.service(ctx, p.service)
	if err == nil {
		err = checkQualifier(p.service, p.qualifier)
	}
	return svc, rev, err
}

// checkQualifier refuses every qualifier but LATEST: a number as a version, another word as an alias.
func checkQualifier(service, qualifier string) error {
	if qualifier == "" || qualifier == fc.Latest {
		return nil
	}
	for _, r := range qualifier {
		if r < '0' || r > '9' {
			return fc.Errorf(fc.AliasNotFound, "alias '%s' of service '%s' does not exist", qualifier, service)
		}
	}
	return fc.Errorf(fc.VersionNotFound, "version '%s' of service '%s' does not exist", qualifier, service)
}
