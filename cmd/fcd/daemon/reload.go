package daemon

import (
	"fmt"

	"go.uber.org/zap"

	"fcd/config"
)

// Reload takes over what may change while the daemon runs: who may do what (the section ram, with the files it names), all
// of it or, on an error, nothing. The account and its key stay, as does everything in other sections until the next start.
// It may be called at any time.
func (d *Daemon) Reload(c *config.Config) error {
	if c.Account.ID != "" && c.Account.ID != d.account.ID {
		return fmt.Errorf("account %s cannot become %s while the daemon runs", d.account.ID, c.Account.ID)
	}
	if err := d.ram.Replace(c.RAMOptions(d.account)); err != nil {
		return err
	}
	d.log.Info("access control reloaded", zap.String("mode", c.RAM.Mode), zap.Int("users", len(c.RAM.Users)), zap.Int("roles", len(c.RAM.Roles)))
	return nil
}
