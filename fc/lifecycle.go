package fc

// DefaultHookTimeoutSeconds is the timeout of a hook that names none.
const DefaultHookTimeoutSeconds = 3

// MaxHookTimeoutSeconds is the longest that a hook may take.
const MaxHookTimeoutSeconds = 90

// LifecycleConfig names functions that run around the life of an instance rather than for a request. They are named like
// the handler; a program of the runtime custom serves them as GET /pre-freeze and GET /pre-stop, whatever the name.
type LifecycleConfig struct {
	// PreFreeze runs when the instance has been idle for a moment after a request.
	PreFreeze *LifecycleHook `json:"preFreeze,omitempty"` // nil: none
	// PreStop runs before an instance that has served a request is retired. One that is killed has no time for it.
	PreStop *LifecycleHook `json:"preStop,omitempty"` // nil: none
}

// LifecycleHook is one of these functions.
type LifecycleHook struct {
	Handler        string `json:"handler"` // never ""
	TimeoutSeconds int    `json:"timeout"` // range 1-90, default 3; the instance is killed when it passes
}

// PreFreeze is the function's hook, nil if it has none.
func (f *Function) PreFreeze() *LifecycleHook {
	if f.InstanceLifecycleConfig == nil {
		return nil
	}
	return f.InstanceLifecycleConfig.PreFreeze
}

// PreStop is the function's hook, nil if it has none.
func (f *Function) PreStop() *LifecycleHook {
	if f.InstanceLifecycleConfig == nil {
		return nil
	}
	return f.InstanceLifecycleConfig.PreStop
}

func (f *Function) validateLifecycle() error {
	for _, h := range []struct {
		name string
		hook *LifecycleHook
	}{{"PreFreeze", f.PreFreeze()}, {"PreStop", f.PreStop()}} {
		if h.hook == nil {
			continue
		}
		field := "InstanceLifecycleConfig." + h.name
		if err := validateHandler(field+".Handler", h.hook.Handler); err != nil {
			return err
		}
		if err := validateRange(field+".Timeout", h.hook.TimeoutSeconds, 1, MaxHookTimeoutSeconds); err != nil {
			return err
		}
	}
	return nil
}
