package daemon

import (
	"context"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"fcd/ram"
	"fcd/store/catalog"
	"fcd/store/packages"
	"fcd/store/sqlite"
)

// openStore opens what must survive: records, queue and code packages. The store's lock makes the daemon the only one on
// its data directory, so it comes before everything that writes there.
func (d *Daemon) openStore(ctx context.Context) error {
	o := d.cfg.StoreOptions()
	o.Log, o.Registerer = d.log.Named("store"), d.metrics
	var err error
	if d.store, err = sqlite.Open(ctx, o); err != nil {
		return err
	}
	d.onClose("store", d.store.Close)
	if d.account, err = account(d.cfg); err != nil {
		return err
	}
	d.packages, err = packages.New(packages.Options{Dir: filepath.Join(d.cfg.DataDir, "packages"), Limits: d.cfg.FCLimits()})
	if err != nil {
		return err
	}
	d.onClose("packages", d.packages.Close)
	d.catalog = catalog.New(d.store, catalog.Options{Log: d.log.Named("catalog")})
	return nil
}

// openRAM loads users, roles and the key that seals temporary credentials.
func (d *Daemon) openRAM(context.Context) error {
	master, err := ram.LoadMaster(filepath.Join(d.cfg.DataDir, "master.key"))
	if err != nil {
		return err
	}
	o := d.cfg.RAMOptions(d.account)
	o.Master, o.Log = master, d.log.Named("ram")
	d.ram, err = ram.New(o)
	return err
}

// sweepPackages removes code packages that no function uses any more, now and each hour.
func (d *Daemon) sweepPackages(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := d.packages.Sweep(ctx, d.catalog.CodeInUse); err != nil && ctx.Err() == nil {
			d.log.Warn("code packages not swept", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
