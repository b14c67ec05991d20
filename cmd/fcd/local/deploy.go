package local

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
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
	body, err := d.body(s)
	if err := cmp.Or(<-verdict, err); err != nil {
		return err
	}
	f := d.Function
	functions := "/services/" + f.Service + "/functions"
	_, err = d.Client.Do(ctx, http.MethodPut, functions+"/"+f.Name, nil, body)
	if fc.CodeOf(err) == fc.FunctionNotFound {
		_, err = d.Client.Do(ctx, http.MethodPost, functions, nil, body)
	}
	return d.explain(err)
}

// body is the request that makes the snapshot the function's code. The code is most of it and is written into its place:
// an encoder of JSON would copy it several times.
func (d *Deployer) body(s *Snapshot) (json.RawMessage, error) {
	code, err := s.Zip()
	if err != nil {
		return nil, err
	}
	f := d.Function.record()
	var hooks any = struct{}{} // which clears those that there are
	if f.InstanceLifecycleConfig != nil {
		hooks = f.InstanceLifecycleConfig
	}
	rest, err := json.Marshal(map[string]any{
		"functionName": f.Name, "runtime": f.Runtime, "handler": f.Handler, "initializer": f.Initializer,
		"memorySize": f.MemorySizeMB, "timeout": f.TimeoutSeconds, "initializationTimeout": f.InitializationTimeoutSeconds,
		"environmentVariables": f.EnvironmentVariables, "instanceLifecycleConfig": hooks,
	})
	if err != nil {
		return nil, err
	}
	const head, tail = `{"code":{"zipFile":"`, `"},`
	body := make([]byte, 0, len(head)+base64.StdEncoding.EncodedLen(len(code))+len(tail)+len(rest))
	body = base64.StdEncoding.AppendEncode(append(body, head...), code)
	return append(append(body, tail...), rest[1:]...), nil
}

// explain says of an error that is not the daemon's own that the daemon was not reached.
func (d *Deployer) explain(err error) error {
	var refused *fc.Error
	if err == nil || errors.As(err, &refused) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("the daemon at %s does not answer: %w", d.Client.Endpoint, err)
}
