package triggers

import (
	"context"

	"fcd/store"
)

// Save commits how far a source has come and what became of its events, in one commit. It is for sources that invoke
// synchronously: those that queue give their checkpoints to Dispatch.
func (b *Bridge) Save(ctx context.Context, checkpoints []store.Checkpoint, fates ...store.Fate) error {
	for i := range fates {
		if fates[i].At.IsZero() {
			fates[i].At = b.o.Clock()
		}
	}
	_, err := b.o.Store.Apply(ctx, store.Batch{Checkpoints: checkpoints, Fates: fates})
	return err
}
