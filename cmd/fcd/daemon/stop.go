package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"fcd/store"
)

// task is something that runs as long as the daemon does.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// start runs f until stop. That f ends by itself is a failure of the daemon.
func (d *Daemon) start(name string, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	t := &task{cancel: cancel, done: make(chan struct{})}
	d.tasks[name] = t
	go func() {
		defer close(t.done)
		err := f(ctx)
		if ctx.Err() != nil && err == nil {
			return
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		d.fail(fmt.Errorf("%s: %w", name, err))
	}()
}

// fail makes Run stop. It never waits; the first failure is the one that counts.
func (d *Daemon) fail(err error) {
	select {
	case d.failed <- err:
	default:
	}
}

// stop ends tasks and waits for them.
func (d *Daemon) stop(names ...string) {
	for _, n := range names {
		if t := d.tasks[n]; t != nil {
			t.cancel()
		}
	}
	for _, n := range names {
		if t := d.tasks[n]; t != nil {
			<-t.done
		}
	}
}

// Run works until ctx ends or something that cannot be done without fails; then it stops in stages and closes
// everything. It returns nil after a stop that was asked for.
func (d *Daemon) Run(ctx context.Context) error {
	d.start("catalog", d.catalog.Run)
	d.start("package sweep", d.sweepPackages)
	d.start("log shipping", d.shipper.Run)
	d.start("async", d.async.Run)
	d.start("triggers", d.manager.Run)
	d.start("ways in", d.runWays)
	d.start("memory", d.tendMemory)
	for _, s := range d.servers() {
		d.start(s.name+" listener", s.serve)
	}
	d.log.Info("ready", zap.String("api", d.apiServer.url()), zap.String("oss", d.ossServer.url()),
		zap.String("sls", d.slsServer.url()), zap.String("admin", d.adminServer.url()))
	var failure error
	select {
	case <-ctx.Done():
		d.log.Info("stopping")
	case failure = <-d.failed:
	case <-d.store.Failed():
		failure = fmt.Errorf("store: %w", store.ErrFatal)
	case <-d.spoolFailed:
		failure = errors.New("log spool: the disk failed a flush")
	}
	if failure != nil {
		d.log.Error("stopping: the daemon cannot go on", zap.Error(failure))
	}
	return errors.Join(failure, d.stages())
}

// Hurry ends a stop under way at once: running invocations are killed and go back to the queue, unsent logs stay in the
// spool.
func (d *Daemon) Hurry() { close(d.hurry) }

// stages is the stop. Each stage leaves the next nothing new to do.
func (d *Daemon) stages() error {
	d.stage("refuse requests and let running invocations end", d.cfg.Shutdown.Drain, func(ctx context.Context) {
		var all sync.WaitGroup
		for _, s := range []*server{d.apiServer, d.ossServer, d.pushServer} {
			all.Go(func() { s.stop(ctx) })
		}
		all.Go(func() { d.stop("triggers", "ways in") })
		all.Go(func() { d.stop("async") }) // claims no more; its running attempts end with the invoker
		d.invoker.Close(ctx)
		all.Wait()
	})
	// The embedded Log Service answers until the last stage is over: it is where the logs go.
	d.stage("ship logs", d.cfg.Shutdown.FlushLogs, func(ctx context.Context) {
		if err := d.shipper.Flush(ctx); err != nil {
			d.log.Info("logs left in the spool for the next start", zap.Error(err))
		}
	})
	d.stop("log shipping", "package sweep", "catalog", "memory")
	for _, s := range d.servers() {
		s.stop(cancelled())
		d.stop(s.name + " listener")
	}
	err := d.close()
	d.log.Info("stopped")
	return err
}

// stage gives f a bounded time, less if somebody hurries.
func (d *Daemon) stage(what string, bound time.Duration, f func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	go func() {
		select {
		case <-d.hurry:
			cancel()
		case <-ctx.Done():
		}
	}()
	begin := time.Now()
	f(ctx)
	d.log.Debug("stage of the stop done", zap.String("stage", what), zap.Duration("took", time.Since(begin)))
}

// servers are the listeners that are there.
func (d *Daemon) servers() []*server {
	var all []*server
	for _, s := range []*server{d.apiServer, d.ossServer, d.slsServer, d.adminServer, d.pushServer} {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}
