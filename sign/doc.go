// Package sign checks the signatures of the wire protocols that fcd speaks: Function Compute requests, Object Storage
// requests (versions 1, 2 and 4), Log Service requests (versions 1 and 4), and the pushes of Message Service and
// EventBridge. It signs requests to Message Service. It holds pure functions: no clock but the one that is passed in, no
// key store, no network.
//
// Every protocol has the same two steps. Parse reads a request and tells which access key it names; the caller looks the
// key up and hands its secret to Verify, which compares in constant time:
//
//	s, err := sign.ParseFC(r)
//	if err != nil { return err }                        // nothing signed, or malformed
//	id, err := keys.Authenticate(s.AccessKeyID, s.Token)
//	if err != nil { return err }
//	if err := s.Check(time.Now()); err != nil { return err } // clock skew, expired URL
//	if !s.Verify(id.Secret) { return mismatch }
//
// Clients disagree about what exactly they sign, so a parsed request holds several candidate strings and Verify accepts
// the first one that matches. Which candidates exist for which client is said beside each of them. A candidate never
// leaves out anything that changes what the request does.
//
// The package does not decide whether the key may do what the request asks for; package ram does.
package sign

import (
	"time"
)

// MaxSkew is how far the date of a signed request may be from the server's clock, in either direction.
const MaxSkew = 15 * time.Minute

func skewed(date, now time.Time) bool {
	d := now.Sub(date)
	return d > MaxSkew || d < -MaxSkew
}
