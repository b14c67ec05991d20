package triggers

import (
	"context"

	"fcd/store"
)

// Save commits how far a source has come and what became of its events, in one commit. It is for what leads to no
// invocation in the queue: the checkpoint of one that does is given to Dispatch.
func (b *Bridge) Save(ctx context.Context, checkpoints []store.Checkpoint, fates ...store.Fate) error {
	for i := range fates {
		if fates[i].At.IsZero() {
			fates[i].At = b.o.Clock()
		}
	}
	if _, err := b.o.Store.Apply(ctx, store.Batch{Checkpoints: checkpoints, Fates: fates}); err != nil {
		return err
	}
	for _, f := range fates {
		b.m.count(f.Type, f.State)
	}
	return nil
}
