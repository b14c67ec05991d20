package ram

import (
	"context"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
)

// maxIssued bounds the cache of credentials; beyond it the cache starts anew.
const maxIssued = 10_000

// session names a set of credentials: one per role and function.
type session struct{ role, name string }

// Credentials are temporary keys for a role, as functions get them; session says for whom, like "service/function", and
// stands in the Principal when they are used. They hold for at least Options.CredentialFresh; one set serves a role and
// session until then. An empty roleARN gives the zero value, and so, with a warning, does a role that does not exist or
// does not trust fc.aliyuncs.com, and a remote one that STS would not give.
func (d *Directory) Credentials(ctx context.Context, roleARN, sessionName string) (fc.Credentials, error) {
	if roleARN == "" {
		return fc.Credentials{}, nil
	}
	g := d.gen.Load()
	account, name, err := ParseRole(roleARN)
	if err != nil || account != d.opts.Account {
		g.complain(d.opts.Log, roleARN, "no such role in this account")
		return fc.Credentials{}, nil
	}
	r := g.role(name)
	if r == nil || !r.trust.trusts(fcService, newRequest(assumeRole, "", nil, d.opts.Clock)) {
		g.complain(d.opts.Log, roleARN, "the role does not exist or does not trust "+fcService)
		if g.mode == ModeEnforce {
			return fc.Credentials{}, nil
		}
	}
	if r != nil {
		switch {
		case r.static != nil:
			return *r.static, nil
		case r.remote != "":
			return d.remote.credentials(ctx, d, g, r.remote), nil
		}
		name = r.name
	}
	return d.issued(g, session{role: name, name: sessionName}, d.opts.Clock())
}

// issued takes credentials from the cache or makes new ones.
func (d *Directory) issued(g *generation, s session, now time.Time) (fc.Credentials, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.issued[s]; ok && c.Expiration.Sub(now) >= d.opts.CredentialFresh {
		return c, nil
	}
	c, err := d.issuer.issue(s.role, s.name, now.Add(d.opts.CredentialLife))
	if err != nil {
		return fc.Credentials{}, fc.Internal("ram.Credentials", err)
	}
	if len(g.issued) >= maxIssued {
		clear(g.issued)
	}
	g.issued[s] = c
	return c, nil
}

// complain logs once per role and generation.
func (g *generation) complain(log *zap.Logger, roleARN, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.warned[roleARN] || len(g.warned) >= maxIssued {
		return
	}
	g.warned[roleARN] = true
	log.Warn("functions get no credentials", zap.String("role", roleARN), zap.String("reason", reason))
}
