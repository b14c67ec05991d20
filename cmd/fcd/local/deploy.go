package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"fcd/api/client"
	"fcd/fc"
)

// Deployer puts versions of one function into a daemon by its API.
type Deployer struct {
	Client   *client.Client
	Function *Function
	Role     string       // of the service, acs:ram::<account>:role/<name>; "" leaves it as it is
	Log      fc.LogConfig // of the service if it is made here

	deployed bool // the function is as Function says, but for its code
}

// Prepare makes the service if there is none.
func (d *Deployer) Prepare(ctx context.Context) error {
	path := "/services/" + d.Function.Service
	_, err := d.Client.Do(ctx, http.MethodGet, path, nil, nil)
	switch {
	case fc.CodeOf(err) == fc.ServiceNotFound:
		body := map[string]any{"serviceName": d.Function.Service, "role": d.Role}
		if d.Log != (fc.LogConfig{}) {
			body["logConfig"] = d.Log
		}
		_, err = d.Client.Do(ctx, http.MethodPost, "/services", nil, body)
		if fc.CodeOf(err) == fc.ServiceAlreadyExists {
			return nil // somebody else was faster
		}
	case err == nil && d.Role != "":
		_, err = d.Client.Do(ctx, http.MethodPut, path, nil, map[string]any{"role": d.Role})
	}
	return d.explain(err)
}

// Deploy makes the snapshot the function's code, and the function itself if there is none. Either it is deployed whole or
// nothing has changed. The code is packed while sound looks at it; its error is Deploy's, and nothing is sent then.
func (d *Deployer) Deploy(ctx context.Context, s *Snapshot, sound func() error) error {
	verdict := make(chan error, 1)
	go func() { verdict <- sound() }()
	code, err := s.Zip()
	if err := cmp.Or(<-verdict, err); err != nil {
		return err
	}
	if d.deployed {
		_, err = d.Client.Do(ctx, http.MethodPut, d.path(), nil, client.Zip(code))
	}
	if !d.deployed || fc.CodeOf(err) == fc.FunctionNotFound {
		err = d.deployWhole(ctx, code)
	}
	d.deployed = d.deployed || err == nil
	return d.explain(err)
}

// path is the function's.
func (d *Deployer) path() string {
	return "/services/" + d.Function.Service + "/functions/" + d.Function.Name
}

// deployWhole gives the daemon all of the function.
func (d *Deployer) deployWhole(ctx context.Context, code []byte) error {
	f := d.Function.record()
	var hooks any = struct{}{} // which clears those that there are
	if f.InstanceLifecycleConfig != nil {
		hooks = f.InstanceLifecycleConfig
	}
	body := map[string]any{
		"functionName": f.Name, "runtime": f.Runtime, "handler": f.Handler, "initializer": f.Initializer,
		"memorySize": f.MemorySizeMB, "timeout": f.TimeoutSeconds, "initializationTimeout": f.InitializationTimeoutSeconds,
		"environmentVariables": f.EnvironmentVariables, "instanceLifecycleConfig": hooks, "code": map[string]any{"zipFile": code},
	}
	_, err := d.Client.Do(ctx, http.MethodPut, d.path(), nil, body)
	if fc.CodeOf(err) == fc.FunctionNotFound {
		_, err = d.Client.Do(ctx, http.MethodPost, "/services/"+f.ServiceName+"/functions", nil, body)
	}
	return err
}

// explain says of an error that is not the daemon's own that the daemon was not reached.
func (d *Deployer) explain(err error) error {
	var refused *fc.Error
	if err == nil || errors.As(err, &refused) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("the daemon at %s does not answer: %w", d.Client.Endpoint, err)
}
