// Package catalog is the view in memory of the resource records: what an invocation, a trigger source or the package
// sweep needs to know without asking the database.
//
// Load reads everything once, Run then follows the store's change feed. The view may lag the store by a moment; a caller
// that has just written waits for its own revision:
//
//	applied, err := s.Apply(ctx, batch)
//	err = c.Wait(ctx, applied.Rev)
//	target, err := c.Target(fc.FunctionRef{Service: "demo", Function: "resize"})
//
// Values handed out are shared and never changed: an update makes new ones, and a Target's Generation tells them apart.
// Target takes no lock and, for a function called before, allocates nothing. The package also owns the records' keys and
// their encoding, which is the plain JSON of the fc types.
package catalog
