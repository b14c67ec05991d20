package ram

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
)

const (
	// remoteFresh is how much life credentials of a real role have at least before they are fetched anew: twice the
	// longest timeout of a function. Of a short RemoteLife it is half.
	remoteFresh = 20 * time.Minute
	// stsPatience bounds a call to STS; stsPause is how long nobody asks again after one that failed.
	stsPatience = 5 * time.Second
	stsPause    = 10 * time.Second
)

// remoteRoles caches the credentials of real roles, one set a role.
type remoteRoles struct {
	mu    sync.Mutex
	roles map[string]*remoteRole // by ARN
}

// remoteRole is what is known of one. Its fields are guarded by remoteRoles.mu.
type remoteRole struct {
	have     fc.Credentials
	fetching chan struct{} // closed at the end of the call under way; nil if there is none
	retry    time.Time     // nobody asks before
}

// credentials are those of the role that are at hand, or fetched. Old ones are replaced before they end, by one call
// whoever asks meanwhile; while STS does not answer they serve to their end. Then, and of a role that STS refuses, there
// are none: the zero value, and a warning.
func (c *remoteRoles) credentials(ctx context.Context, d *Directory, g *generation, arn string) fc.Credentials {
	for {
		now := d.opts.Clock()
		c.mu.Lock()
		if c.roles == nil {
			c.roles = map[string]*remoteRole{}
		}
		r := c.roles[arn]
		if r == nil {
			r = &remoteRole{}
			c.roles[arn] = r
		}
		left := r.have.Expiration.Sub(now)
		fresh, usable := left >= min(remoteFresh, g.remoteLife/2), left > 0
		have, under := r.have, r.fetching
		switch {
		case fresh, usable && under != nil, usable && now.Before(r.retry):
			c.mu.Unlock()
			return have
		case under == nil && now.Before(r.retry):
			c.mu.Unlock()
			return fc.Credentials{}
		case under != nil:
			c.mu.Unlock()
			select {
			case <-under:
				continue
			case <-ctx.Done():
				return fc.Credentials{}
			}
		}
		r.fetching = make(chan struct{})
		c.mu.Unlock()
		return c.fetch(ctx, d, g, arn, r)
	}
}

// fetch asks STS, for everybody that waits: the end of the first caller does not end it.
func (c *remoteRoles) fetch(ctx context.Context, d *Directory, g *generation, arn string, r *remoteRole) fc.Credentials {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stsPatience)
	defer cancel()
	got, err := g.sts.AssumeRole(ctx, arn, "fcd", g.remoteLife)
	now := d.opts.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	close(r.fetching)
	r.fetching = nil
	if err == nil {
		r.have, r.retry = got, time.Time{}
		return got
	}
	r.retry = now.Add(stsPause)
	left := r.have.Expiration.Sub(now)
	d.opts.Log.Warn("STS gave no credentials", zap.String("role", arn), zap.Error(err),
		zap.Duration("earlierOnesHoldFor", max(0, left.Round(time.Second))))
	if left > 0 {
		return r.have
	}
	return fc.Credentials{}
}
