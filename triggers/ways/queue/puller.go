// Package queue pulls events from a queue of Message Service (MNS), which needs no address that the cloud could reach: a
// daemon behind a NAT gets the events of a real bucket this way.
//
//	receive (waits 30 s) --> unwrap --> Receive (checks, durable) --> DELETE
//
// What becomes of a message:
//
//	delivered, unmatched, duplicate      acknowledged
//	cannot be read                       a dead letter, then acknowledged
//	refused (role, bucket)               left in the queue; at the DeniedMax-th delivery a dead letter, then acknowledged
//	queue full, store does not answer    left in the queue, hidden for a while
//
// While a delivery takes long its message is hidden anew, so that nobody else gets it meanwhile. Up to Batch messages
// are in flight: as many may come twice after a crash, and are recognised then.
package queue

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"fcd/fc"
	"fcd/triggers/ways"
)

// Defaults of Options.
const (
	defaultWait      = 30 * time.Second // the longest that the service allows
	defaultBatch     = 16               // the most that it gives
	defaultDeniedMax = 3
)

const (
	// slack is how much longer than its wait a request may take.
	slack = 15 * time.Second
	// hideAhead is how long before a message becomes visible again it is hidden anew, and hideFor for how long.
	hideAhead = 10 * time.Second
	hideFor   = time.Minute
	// patience is how long a message rests that was not taken; retryMax bounds the pause after an error.
	patience = 10 * time.Second
	retryMin = time.Second
	retryMax = 30 * time.Second
	// emptyPause keeps a service that does not wait as it is asked to from being asked without end.
	emptyPause = time.Second
)

// way is the name of the way for metrics and dead letters.
const way = "queue"

// Credentials are asked for at every request, so that temporary ones can be renewed.
type Credentials func(context.Context) (fc.Credentials, error)

// Options of a Puller. Those without a default must be set.
type Options struct {
	Name     string // in the configuration
	Endpoint string // like https://123456.mns.cn-shanghai.aliyuncs.com
	Queue    string
	Keys     Credentials
	Binding  ways.Binding
	Receiver ways.Receiver
	Dead     ways.DeadLetters

	Wait      time.Duration     // of an empty receive, whole seconds; default 30 s
	Batch     int               // messages of a receive; default 16
	DeniedMax int               // deliveries until a refused message becomes a dead letter; default 3
	Transport http.RoundTripper // default: one of its own
	Metrics   *ways.Metrics     // optional
	Clock     func() time.Time  // default time.Now
	Log       *zap.Logger       // optional
}

// Puller empties one queue.
type Puller struct {
	o      Options
	client *client
}

// New checks the options.
func New(o Options) (*Puller, error) {
	if o.Endpoint == "" || o.Queue == "" || o.Keys == nil || o.Receiver == nil || o.Dead == nil || o.Binding.Source == "" {
		return nil, errors.New("triggers/ways/queue: a puller needs Endpoint, Queue, Keys, Binding, Receiver and Dead")
	}
	if o.Wait == 0 {
		o.Wait = defaultWait
	}
	if o.Batch == 0 {
		o.Batch = defaultBatch
	}
	if o.DeniedMax == 0 {
		o.DeniedMax = defaultDeniedMax
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Transport == nil {
		o.Transport = &http.Transport{MaxIdleConnsPerHost: o.Batch, IdleConnTimeout: time.Minute}
	}
	o.Log = o.Log.With(zap.String("queue", o.Name))
	c := &http.Client{Transport: o.Transport, Timeout: o.Wait + slack}
	return &Puller{o: o, client: newClient(o.Endpoint, o.Queue, c, o.Keys, o.Clock)}, nil
}

// Run pulls until ctx ends and the deliveries under way have ended.
func (p *Puller) Run(ctx context.Context) error {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = retryMin, retryMax
	failing := false
	for ctx.Err() == nil {
		begin := time.Now()
		messages, err := p.client.receive(ctx, p.o.Batch, p.o.Wait)
		if ctx.Err() != nil {
			break
		}
		switch {
		case err != nil:
			if !failing {
				p.o.Log.Warn("queue cannot be read; it is tried again", zap.Error(err))
			}
			failing = true
			p.o.Metrics.Count(way, p.o.Name, ways.Unreachable)
			pause(ctx, retry.NextBackOff())
			continue
		case failing:
			p.o.Log.Info("queue can be read again")
			failing = false
		}
		retry.Reset()
		if len(messages) == 0 {
			if took := time.Since(begin); took < emptyPause {
				pause(ctx, emptyPause-took)
			}
			continue
		}
		p.handle(ctx, messages)
	}
	if t, ok := p.o.Transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
	return nil
}

// handle delivers messages side by side and returns when all have been dealt with. A stop lets them end.
func (p *Puller) handle(ctx context.Context, messages []message) {
	ctx = context.WithoutCancel(ctx)
	var all sync.WaitGroup
	for _, m := range messages {
		all.Go(func() { p.deliver(ctx, m) })
	}
	all.Wait()
}

// deliver takes one message to its end.
func (p *Puller) deliver(ctx context.Context, m message) {
	held := p.hold(ctx, m)
	outcome, err := p.settle(ctx, m)
	receipt := held.release()
	switch outcome {
	case ways.Accepted, ways.Kept:
		if err := p.client.remove(ctx, receipt); err != nil {
			p.o.Log.Warn("message was delivered but not acknowledged; it will come again and be recognised",
				zap.String("message", m.ID), zap.Error(err))
		}
	case ways.Failed:
		p.o.Log.Warn("message was not delivered and stays in the queue", zap.String("message", m.ID), zap.Error(err))
		if _, err := p.client.hide(ctx, receipt, patience); err != nil {
			p.o.Log.Debug("message was not hidden", zap.String("message", m.ID), zap.Error(err))
		}
	}
	p.o.Metrics.Count(way, p.o.Name, outcome)
}

// settle hands a message over and tells what is to become of it in the queue.
func (p *Puller) settle(ctx context.Context, m message) (outcome string, err error) {
	last := m.Count >= p.o.DeniedMax
	a := p.o.Binding.Open([]byte(m.Body), m.ID)
	a.KeepDenied = last
	_, err = p.o.Receiver.Receive(ctx, p.o.Binding.Type, a)
	switch code := fc.CodeOf(err); {
	case err == nil:
		return ways.Accepted, nil
	case code == fc.InvalidArgument || code == fc.AccessDenied && last:
		if err := p.o.Dead.KeepUndelivered(ctx, way, p.o.Name, err.Error(), []byte(m.Body)); err != nil {
			return ways.Failed, err
		}
		return ways.Kept, nil
	case code == fc.AccessDenied:
		return ways.Refused, nil
	}
	return ways.Failed, err
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
