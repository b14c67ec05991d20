package catalog

import (
	"fcd/fc"
	"fcd/store"
)

func (c *Catalog) applyAsync(r store.Record) error {
	if r.Value == nil {
		c.async.remove(r.Key)
		return nil
	}
	v, err := DecodeAsync(r)
	if err != nil {
		return err
	}
	c.async.set(r.Key, v)
	return nil
}

// AsyncConfig is how asynchronous invocations of the function are delivered; nil if nobody said.
func (c *Catalog) AsyncConfig(ref fc.FunctionRef) *fc.AsyncConfig {
	qualifier := ref.Qualifier
	if qualifier == "" {
		qualifier = fc.Latest
	}
	v, _ := c.async.get(AsyncKey(ref.Service, ref.Function, qualifier))
	return v
}
