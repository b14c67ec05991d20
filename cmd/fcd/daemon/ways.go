package daemon

import (
	"context"
	"fmt"
	"os"
	"sync"

	"fcd/fc"
	"fcd/sign"
	"fcd/triggers/ways"
	"fcd/triggers/ways/listing"
	"fcd/triggers/ways/push"
	"fcd/triggers/ways/queue"
)

// wayIn is a way in for events that works until its context ends.
type wayIn interface{ Run(context.Context) error }

// openWays makes the ways in for events from outside that the configuration names.
func (d *Daemon) openWays(context.Context) error {
	m, err := ways.NewMetrics(d.metrics)
	if err != nil {
		return err
	}
	log := d.log.Named("triggers.ways")
	for _, o := range d.cfg.QueueOptions(d.account) {
		o.Receiver, o.Dead, o.Metrics, o.Log = d.manager, d.manager, m, log
		p, err := queue.New(o)
		if err != nil {
			return err
		}
		d.ways = append(d.ways, p)
	}
	for _, o := range d.cfg.ListingOptions() {
		o.Sink = d.manager.Source(fc.TriggerOSS).(listing.Sink)
		o.Store, o.Metrics, o.Log = d.store, m, log
		if o.List, err = d.bucketLister(o.Bucket); err != nil {
			return err
		}
		l, err := listing.New(o)
		if err != nil {
			return err
		}
		d.ways = append(d.ways, l)
	}
	if d.cfg.Triggers.Push.Listen == "" {
		return nil
	}
	o := d.cfg.PushOptions(d.account)
	o.Receiver, o.Dead, o.Metrics, o.Log = d.manager, d.manager, m, log
	if file := d.cfg.Triggers.Push.MNSCertificate; file != "" {
		text, err := os.ReadFile(file)
		if err == nil {
			o.MNSKey, err = sign.ParseMNSCertificate(text)
		}
		if err != nil {
			return fmt.Errorf("triggers.push.mnsCertificate %s: %w", file, err)
		}
	}
	h, err := push.New(o)
	if err != nil {
		return err
	}
	d.warnOfWeakPushes()
	d.pushServer, err = d.listen("push", d.cfg.Triggers.Push.Listen, h)
	return err
}

// warnOfWeakPushes says once what a binding of Message Service rests on.
func (d *Daemon) warnOfWeakPushes() {
	for _, b := range d.cfg.Triggers.Push.Bindings {
		if b.From == push.FromMNS {
			d.log.Warn("pushes of Message Service are signed with a key that can be forged: keep the tokens of their bindings secret")
			return
		}
	}
}

// bucketLister lists a bucket of the configured or the embedded object storage.
func (d *Daemon) bucketLister(name string) (listing.Bucket, error) {
	client, err := d.ossClient()
	if err != nil {
		return nil, err
	}
	if client == nil {
		return nil, fmt.Errorf("listing of bucket %s: there is no object storage", name)
	}
	b, err := client.Bucket(name)
	if err != nil {
		return nil, err
	}
	return listing.SDK{Bucket: b}, nil
}

// runWays runs all ways in until ctx ends and what they deliver has been delivered.
func (d *Daemon) runWays(ctx context.Context) error {
	var all sync.WaitGroup
	for _, w := range d.ways {
		all.Go(func() { _ = w.Run(ctx) }) // they end with ctx only
	}
	all.Wait()
	<-ctx.Done()
	return nil
}
