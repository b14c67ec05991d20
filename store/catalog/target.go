package catalog

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"fcd/fc"
	"fcd/store"
)

type functionName struct{ service, function string }

type service struct {
	value *fc.Service
	rev   store.Rev
}

type function struct {
	value *fc.Function
	rev   store.Rev
	// The targets last made of it, without a qualifier and with LATEST; stale once the service has changed.
	plain, latest atomic.Pointer[target]
}

type target struct {
	fc.Target
	service *service
}

func (c *Catalog) applyService(r store.Record) error {
	name := strings.TrimPrefix(r.Key, servicePrefix)
	if r.Value == nil {
		c.services.remove(name)
		return nil
	}
	v, err := DecodeService(r)
	if err != nil {
		return err
	}
	c.services.set(name, &service{v, r.Rev})
	return nil
}

func (c *Catalog) applyFunction(r store.Record) error {
	name, ok := latestFunction(r.Key)
	if !ok {
		return nil
	}
	old, had := c.functions.get(name)
	if r.Value == nil {
		c.functions.remove(name)
	} else {
		v, ahead := c.decoded[r.Key]
		if !ahead {
			var err error
			if v, err = DecodeFunction(r); err != nil {
				return err
			}
		}
		c.functions.set(name, &function{value: v, rev: r.Rev})
		c.code.use(v.CodeSHA256)
	}
	if had {
		c.code.leave(old.value.CodeSHA256)
	}
	return nil
}

// Target resolves a function with its service. Errors are *fc.Error with ServiceNotFound, VersionNotFound or
// AliasNotFound (any qualifier but "" and LATEST) and FunctionNotFound.
func (c *Catalog) Target(ref fc.FunctionRef) (*fc.Target, error) {
	svc, ok := c.services.get(ref.Service)
	if !ok {
		return nil, fc.Errorf(fc.ServiceNotFound, "service '%s' does not exist", ref.Service)
	}
	if ref.Qualifier != "" && ref.Qualifier != fc.Latest {
		return nil, noQualifier(ref)
	}
	fn, ok := c.functions.get(functionName{ref.Service, ref.Function})
	if !ok {
		return nil, fc.Errorf(fc.FunctionNotFound, "function '%s' does not exist in service '%s'", ref.Function, ref.Service)
	}
	cached := &fn.plain
	if ref.Qualifier != "" {
		cached = &fn.latest
	}
	if t := cached.Load(); t != nil && t.service == svc {
		return &t.Target, nil
	}
	t := &target{fc.Target{
		Ref: ref, VersionID: fc.Latest, Service: svc.value, Function: fn.value,
		Generation: fmt.Sprintf("%d.%d", svc.rev, fn.rev),
	}, svc}
	cached.Store(t)
	return &t.Target, nil
}

func noQualifier(ref fc.FunctionRef) error {
	if strings.Trim(ref.Qualifier, "0123456789") == "" {
		return fc.Errorf(fc.VersionNotFound, "version '%s' of service '%s' does not exist", ref.Qualifier, ref.Service)
	}
	return fc.Errorf(fc.AliasNotFound, "alias '%s' of service '%s' does not exist", ref.Qualifier, ref.Service)
}

// code counts the functions that use a package.
type code struct {
	mu   sync.RWMutex
	uses map[string]int
}

func newCode() *code { return &code{uses: map[string]int{}} }

func (c *code) use(sum string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uses[sum]++
}

func (c *code) leave(sum string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.uses[sum]--; c.uses[sum] <= 0 {
		delete(c.uses, sum)
	}
}

// CodeInUse tells whether a function's code is the package with this SHA-256 in hex.
func (c *Catalog) CodeInUse(sha256 string) bool {
	c.code.mu.RLock()
	defer c.code.mu.RUnlock()
	return c.code.uses[sha256] > 0
}
