package async

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/store"
)

// configs say the same of every function.
type configs fc.AsyncConfig

func (c *configs) AsyncConfig(fc.FunctionRef) *fc.AsyncConfig { return (*fc.AsyncConfig)(c) }

const (
	toLogstore = "acs:log:cn-shanghai:1:project/p/logstore/l"
	toFunction = "acs:fc:cn-shanghai:1:services/other.LATEST/functions/after"
)

func TestAConfigurationDecidesRetriesAndAge(t *testing.T) {
	always := invokerFunc(func(context.Context, fc.Call) (fc.Result, error) { return failed("x", "no"), nil })
	for _, tt := range []struct {
		name   string
		config configs
		want   store.Outcome
	}{
		{"no retries", configs{MaxRetryAttempts: new(0)}, store.Outcome{ID: 1, State: "dead", Cause: "x: no", Keep: true, Attempts: 1}},
		{"five", configs{MaxRetryAttempts: new(5), MaxEventAgeSeconds: new(3600)}, store.Outcome{ID: 1, State: "dead", Cause: "x: no", Keep: true, Attempts: 6}},
		{"not the time for more", configs{MaxRetryAttempts: new(8), MaxEventAgeSeconds: new(2)}, store.Outcome{ID: 1, State: "dead", Cause: "x: no", Keep: true, Attempts: 3}},
		{"more time than the message says", configs{MaxRetryAttempts: new(2), MaxEventAgeSeconds: new(9)}, store.Outcome{ID: 1, State: "dead", Cause: "x: no", Keep: true, Attempts: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(store.Msg{RequestID: "r", Fn: fn, Due: time.Now(), NotAfter: time.Now().Add(time.Second)})
				stop := run(t, Options{Queue: m, Store: m, Invoker: always, Configs: &tt.config, Jitter: half})
				<-m.done
				stop()
				if diff := cmp.Diff(tt.want, m.batches[len(m.batches)-1].Done[0]); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestTheEndAndTheMessageThatTellsOfItAreOneWrite for each kind of end and of destination.
func TestTheEndAndTheMessageThatTellsOfItAreOneWrite(t *testing.T) {
	config := configs{OnSuccess: toFunction, OnFailure: toLogstore, MaxRetryAttempts: new(0)}
	for _, tt := range []struct {
		name   string
		invoke func() (fc.Result, error)
		fn     string
		want   ended
	}{
		{"a success", func() (fc.Result, error) { return fc.Result{Body: []byte("result")}, nil }, "other/LATEST/after",
			ended{RequestContext: origin{Attempts: 1}, Result: "result", Response: fate{StatusCode: 200}}},
		{"a failure", func() (fc.Result, error) { return failed("x", "no"), nil }, "@" + toLogstore,
			ended{RequestContext: origin{Condition: conditionRetries, Attempts: 1}, Result: `{"errorMessage":"no"}`, Response: fate{200, "UnhandledInvocationError"}}},
		{"a refusal", func() (fc.Result, error) { return fc.Result{}, fc.Errorf(fc.FunctionNotFound, "gone") }, "@" + toLogstore,
			ended{RequestContext: origin{Condition: conditionRefused}, Response: fate{StatusCode: 404}}},
		{"a result that does not fit", func() (fc.Result, error) { return fc.Result{Body: make([]byte, 200<<10)}, nil }, "other/LATEST/after",
			ended{RequestContext: origin{Attempts: 1}, Response: fate{StatusCode: 200}, Cut: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory(store.Msg{RequestID: "r", Fn: fn, Payload: []byte("event")})
			stop := run(t, Options{Queue: m, Store: m, Configs: &config, Region: "cn-shanghai", Account: "1",
				Invoker: invokerFunc(func(context.Context, fc.Call) (fc.Result, error) { return tt.invoke() })})
			<-m.done
			stop()
			b := m.batches[0]
			if len(b.Done) != 1 || len(b.Enqueue) != 1 || b.Enqueue[0].Fn != tt.fn || b.Enqueue[0].RequestID == "" || b.Enqueue[0].NotAfter.IsZero() {
				t.Fatalf("%+v", b)
			}
			var got ended
			if err := json.Unmarshal(b.Enqueue[0].Payload, &got); err != nil {
				t.Fatal(err)
			}
			if time.Since(time.UnixMilli(got.Timestamp)).Abs() > time.Hour {
				t.Errorf("time %d", got.Timestamp)
			}
			tt.want.Timestamp = got.Timestamp
			tt.want.RequestContext.RequestID, tt.want.RequestContext.FunctionARN = "r", "acs:fc:cn-shanghai:1:services/demo.LATEST/functions/hello"
			if !tt.want.Cut {
				tt.want.RequestPayload = "event"
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// delivered takes messages for destinations.
type delivered func(to fc.Destination, body []byte) error

func (f delivered) Deliver(_ context.Context, to fc.Destination, _ string, body []byte) error {
	return f(to, body)
}

func TestAMessageToADestinationIsTriedUntilItIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(store.Msg{RequestID: "r", Fn: "@" + toLogstore, Payload: []byte("ended"), Due: time.Now(), NotAfter: time.Now().Add(5 * time.Hour)})
		times := 0
		stop := run(t, Options{Queue: m, Store: m, Invoker: invokerFunc(nil), Deliverer: delivered(func(to fc.Destination, body []byte) error {
			if times++; times < 12 {
				return errDown
			}
			if to.Project != "p" || to.Logstore != "l" || string(body) != "ended" {
				t.Errorf("%+v %q", to, body)
			}
			return nil
		})})
		<-m.done
		stop()
		if last := m.batches[len(m.batches)-1].Done[0]; last.State != store.StateSucceeded || times != 12 {
			t.Errorf("%d tries, %+v", times, last)
		}
	})
}

func TestAMessageThatNoDestinationWillTakeIsADeadLetter(t *testing.T) {
	refuses := delivered(func(fc.Destination, []byte) error { return fc.Errorf(fc.InvalidArgument, "never") })
	for name, o := range map[string]Options{"refused": {Deliverer: refuses}, "nobody delivers": {}} {
		t.Run(name, func(t *testing.T) {
			m := newMemory(store.Msg{RequestID: "r", Fn: "@" + toLogstore})
			o.Queue, o.Store, o.Invoker = m, m, invokerFunc(nil)
			stop := run(t, o)
			<-m.done
			stop()
			if last := m.batches[0].Done[0]; last.State != store.StateDead || !last.Keep {
				t.Errorf("%+v", last)
			}
		})
	}
}

func TestStopOfARunningInvocationCutsIt(t *testing.T) {
	for _, good := range []bool{false, true} {
		t.Run(fmt.Sprintf("good end %v", good), func(t *testing.T) {
			m := newMemory(store.Msg{RequestID: "r", Fn: fn})
			began, twice := make(chan struct{}), make(chan struct{})
			d, err := New(Options{Queue: m, Store: m, Configs: &configs{OnFailure: toLogstore}, Invoker: invokerFunc(func(_ context.Context, c fc.Call) (fc.Result, error) {
				close(began)
				<-c.Stop
				<-twice
				if good { // it had ended already
					return fc.Result{}, nil
				}
				return fc.Result{}, fc.Errorf(fc.ResourceThrottled, "cut")
			})})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			var running sync.WaitGroup
			running.Go(func() { d.Run(ctx) })
			<-began
			for range 2 { // twice is once
				if err := d.Stop(t.Context(), "r"); err != nil {
					t.Error(err)
				}
			}
			close(twice)
			<-m.done
			cancel()
			running.Wait()
			want := store.StateStopped
			if good {
				want = store.StateSucceeded
			}
			if b := m.batches[0]; len(b.Done) != 1 || b.Done[0].State != want || len(b.Enqueue) != 0 {
				t.Errorf("%+v", b)
			}
		})
	}
}

func TestStopOfAWaitingInvocationIsItsEnd(t *testing.T) {
	m := newMemory(store.Msg{RequestID: "r", Fn: fn})
	d, err := New(Options{Queue: m, Store: m, Invoker: invokerFunc(nil)})
	if err != nil {
		t.Fatal(err)
	}
	m.fail = func(try int) error {
		if try == 1 { // claimed since it was looked at, and put back
			return fmt.Errorf("message: %w", store.ErrFenced)
		}
		return nil
	}
	if err := d.Stop(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	if b := m.batches[0]; b.Owner != "" || len(b.Done) != 1 || b.Done[0].State != store.StateStopped {
		t.Errorf("%+v", b)
	}
	if err := d.Stop(t.Context(), "r"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("once more: %v", err)
	}
}

// TestAnEndThatFindsNoRoomIsHeld until there is some, and left to the next life if there is none before the stop.
func TestAnEndThatFindsNoRoomIsHeld(t *testing.T) {
	full := func(times int) func(int) error {
		return func(try int) error {
			if try <= times {
				return fmt.Errorf("disk: %w", store.ErrFull)
			}
			return nil
		}
	}
	good := invokerFunc(func(context.Context, fc.Call) (fc.Result, error) { return fc.Result{}, nil })
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(store.Msg{RequestID: "r", Fn: fn})
		m.fail = full(100)
		stop := run(t, Options{Queue: m, Store: m, Invoker: good})
		<-m.done
		stop()
		if len(m.batches) != 1 || m.extends == 0 {
			t.Errorf("%d batches, %d extensions", len(m.batches), m.extends)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(store.Msg{RequestID: "r", Fn: fn})
		m.fail = full(1 << 30)
		stop := run(t, Options{Queue: m, Store: m, Invoker: good})
		time.Sleep(time.Minute)
		if err := stop(); err != nil || len(m.batches) != 0 {
			t.Errorf("%v, %d batches", err, len(m.batches))
		}
	})
}
