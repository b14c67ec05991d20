package triggertest

import (
	"context"
	"sync"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
	"fcd/triggers"
)

// Recorder is an environment for a source outside the suite, and the events that were dispatched in it, in order.
// dispatch decides what becomes of each. The list is read when no dispatch is under way.
func Recorder(dispatch func(triggers.Event) error) (triggers.Env, *[]triggers.Event) {
	var mu sync.Mutex
	events := &[]triggers.Event{}
	return triggers.Env{
		Log: zap.NewNop(), Region: Region, Account: Account,
		Dispatch: func(_ context.Context, ev triggers.Event, _ ...store.Checkpoint) error {
			mu.Lock()
			defer mu.Unlock()
			*events = append(*events, ev)
			return dispatch(ev)
		},
		Note:       func(store.Fate) {},
		Checkpoint: func(context.Context, string) ([]byte, error) { return nil, nil },
	}, events
}

// Receive brings a body to a source, as a way in from outside would, and returns what the sender would keep it for.
func Receive(ctx context.Context, s triggers.Source, a fc.Arrival) error {
	_, err := s.(triggers.Receiver).Receive(ctx, a)
	if fc.CodeOf(err) == fc.AccessDenied {
		return nil // the sender is told so and does not come again
	}
	return err
}
