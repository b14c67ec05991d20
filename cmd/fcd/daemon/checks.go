package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"fcd/console"
	"fcd/logsink"
	"fcd/store"
)

// checks are the conditions of /readyz.
func (d *Daemon) checks() []console.Check {
	return []console.Check{
		{Name: "store", Run: func(ctx context.Context) error {
			if _, err := d.store.Get(ctx, "svc/"); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		}},
		{Name: "logs", Run: func(context.Context) error { return stuck(d.shipper.Status()) }},
	}
}

// stuck names the logstores that take nothing until somebody acts.
func stuck(all []logsink.Status) error {
	var list []string
	for _, s := range all {
		if s.State == logsink.StateBlocked {
			list = append(list, fmt.Sprintf("%s/%s: %s", s.Project, s.Logstore, s.Error))
		}
	}
	if len(list) > 0 {
		return errors.New(strings.Join(list, "; "))
	}
	return nil
}
