package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"fcd/store"
	"fcd/triggers"
)

// checkpoint is how far a shard has come, as stored: all before Cursor is done, and what was received before Time, by the
// service's clock, is what lies before Cursor. With an End, the range from Cursor to End has been begun.
type checkpoint struct {
	Cursor     string `json:"cursor"`
	Time       int64  `json:"time"` // Unix seconds
	End        string `json:"end,omitempty"`
	EndTime    int64  `json:"endTime,omitempty"`
	CursorTime int64  `json:"cursorTime,omitempty"` // see document
	Done       bool   `json:"done,omitempty"`       // a readonly shard, read to its end
}

// next is the checkpoint after the range.
func (c checkpoint) next() checkpoint { return checkpoint{Cursor: c.End, Time: c.EndTime} }

func (c checkpoint) pending() bool { return c.End != "" }

func checkpointKey(trigger string, shard int) string {
	return triggers.CheckpointKey(trigger, strconv.Itoa(shard))
}

func (c checkpoint) row(trigger string, shard int) store.Checkpoint {
	return store.Checkpoint{Key: checkpointKey(trigger, shard), Value: triggers.Canonical(c)}
}

// load reads a shard's checkpoint; false if there is none.
func (s *Source) load(ctx context.Context, trigger string, shard int) (c checkpoint, ok bool, err error) {
	b, err := s.env.Checkpoint(ctx, checkpointKey(trigger, shard))
	if err != nil || len(b) == 0 {
		return c, false, err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, false, fmt.Errorf("checkpoint %s: %w", checkpointKey(trigger, shard), err)
	}
	return c, true, nil
}
