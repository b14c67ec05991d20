// Package ram says who a caller is and what it may do: access keys, users, roles with a trust document and permission
// policies, the evaluation of those, and the temporary credentials that functions get for their service's role.
//
// A Directory holds it all, made from Options and replaced as a whole when the configuration changes; every question is
// answered from one generation of it, without locks.
//
//	d, err := ram.New(ram.Options{
//		Account: "123456", Keys: []ram.Key{{ID: "ak", Secret: "sk"}},
//		Roles: []ram.Role{{Name: "fc-oss", Trust: trust, Policies: []ram.Policy{{Name: "AliyunFCInvocationAccess"}}}},
//	})
//	id, err := d.Authenticate(accessKeyID, token)           // then verify the signature with id.Secret
//	err = d.Allowed(id.Principal, "fc:CreateService", arn, ram.Env{"acs:SourceIp": ip})
//	err = d.Authorize(trigger.InvocationRole, "oss.aliyuncs.com", "fc:InvokeFunction", functionARN)
//
// # Evaluation
//
// An explicit Deny beats an Allow, and what nothing allows is denied. "*" stands for any run of bytes, "/" and ":"
// included, and "?" for one byte. Actions compare without case, resources with it, but for role names. All operators and
// keys of a Condition must hold, one of a key's values is enough; a negated operator holds if no value does. A key that
// the request lacks fails a plain operator and satisfies a negated one. An operator or key that the package does not know
// makes an Allow match nothing and a Deny match regardless; loading logs a warning.
//
// # Temporary credentials
//
// They are stateless: the security token is the sealed role, access key and expiry, and the secret is derived from the
// access key, both under a master key of 32 bytes. Whoever knows the master key can make any of them, so it lies in a
// file that only the daemon reads (LoadMaster). A role's rights are those it has now, not those it had at issue.
//
// The package keeps no state on disk but that file, and opens no socket.
package ram
