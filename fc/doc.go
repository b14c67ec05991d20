// Package fc is the vocabulary of fcd: services, functions, triggers, invocations, events, log records, the limits
// that bound them and the errors that refuse them. It is the ground floor of the house: every other package may import
// it and it imports none of ours.
//
// The words are those of the Function Compute developer guide, API version 2016-08-15. Types here are the domain's, not
// the wire's: package api turns them into the guide's JSON and back, package store keeps them as records.
//
//	svc := &fc.Service{Name: "demo", InternetAccess: true}
//	if err := svc.Validate(); err != nil { ... } // *fc.Error with Code InvalidArgument
//
// Every error that a caller of the API may see is an *Error; its HTTP status follows from its Code by one table
// (Status). Nothing in this package reads a clock, a file or a socket, and all of it is safe for concurrent use as long
// as nobody changes a shared value: records handed out by the catalog are never changed after they are made.
package fc
