package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
	"fcd/triggers"
)

// listing is the files of a folder, by name.
type listing map[string]file

// file is what tells one state of a file from another.
type file struct {
	Size     int64 `json:"s"`
	Modified int64 `json:"m"` // Unix nanoseconds
}

func list(path string) (listing, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	now := listing{}
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		now[e.Name()] = file{info.Size(), info.ModTime().UnixNano()}
	}
	return now, nil
}

// look compares the folder with what the trigger has reported, and reports the difference: what was not taken is found
// again by the next look.
func (s *source) look(ctx context.Context, w *watch, now listing) {
	before := w.before
	w.before = now
	if w.seen == nil {
		if err := s.remember(ctx, w); err != nil {
			s.env.Log.Warn("what a trigger has reported cannot be read; it is tried again", zap.String("trigger", w.trigger.Path()), zap.Error(err))
			return
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		f, old := now[name], w.seen[name]
		rested := before[name] == f
		switch _, known := w.seen[name]; {
		case !rested || old == f || f.Modified < w.trigger.CreatedTime.UnixNano():
		case known:
			s.report(ctx, w, changed, name, f, f)
		default:
			s.report(ctx, w, created, name, f, f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.seen)) {
		if _, there := now[name]; !there {
			s.report(ctx, w, removed, name, w.seen[name], file{})
		}
	}
}

// remember reads what an earlier life has reported.
func (s *source) remember(ctx context.Context, w *watch) error {
	b, err := s.env.Checkpoint(ctx, s.checkpoint(w))
	if err != nil {
		return err
	}
	seen := listing{}
	if b != nil {
		if err := json.Unmarshal(b, &seen); err != nil {
			return err
		}
	}
	w.seen = seen
	return nil
}

func (s *source) checkpoint(w *watch) string { return triggers.CheckpointKey(w.trigger.ID, "files") }

// document is what a function gets: one event.
type document struct {
	Events []event `json:"events"`
}

type event struct {
	Name      string `json:"eventName"`
	Directory string `json:"directory"`
	File      string `json:"file"`
	Size      int64  `json:"size"`
	Modified  string `json:"modifiedTime"`
}

// report hands an event over. Event and checkpoint are one commit: after it the file counts as reported.
func (s *source) report(ctx context.Context, w *watch, name, fileName string, f, next file) {
	if ctx.Err() != nil || !w.gate.Enter() {
		return
	}
	defer w.gate.Leave()
	after := maps.Clone(w.seen)
	if name == removed {
		delete(after, fileName)
	} else {
		after[fileName] = next
	}
	id := fmt.Sprintf("directory/%s/%s/%s/%d/%d", w.folder, name, fileName, f.Size, f.Modified)
	subject := name + " " + w.folder + "/" + fileName
	payload := triggers.Canonical(document{[]event{{Name: name, Directory: w.folder, File: fileName, Size: f.Size,
		Modified: time.Unix(0, f.Modified).UTC().Format("2006-01-02T15:04:05.000Z")}}})
	if reason, detail := w.config.mismatch(name, fileName); reason != "" {
		s.env.Note(store.Fate{EventID: id, Trigger: w.trigger.ID, Subject: subject, State: triggers.FateUnmatched, Reason: reason, Detail: detail, Payload: payload})
		w.seen = after // the checkpoint follows with the next event
		return
	}
	err := s.env.Dispatch(context.WithoutCancel(ctx), triggers.Event{
		TriggerID: w.trigger.ID, ID: id, DedupKey: w.trigger.ID + "/" + id, Subject: subject, KeepDenied: true,
		Source:  triggers.SourceIdentity{Service: service, ARN: w.trigger.SourceARN},
		Payload: payload,
	}, store.Checkpoint{Key: s.checkpoint(w), Value: triggers.Canonical(after)})
	if triggers.Settled(err) {
		w.seen = after
	}
}

// again asks the trigger whether it wants an event that was recorded, and hands it on as it was.
func again(t *fc.Trigger, payload []byte) (body []byte, reason, detail string) {
	var c config
	var d document
	if json.Unmarshal(t.Config, &c) != nil || json.Unmarshal(payload, &d) != nil || len(d.Events) != 1 {
		return nil, triggers.ReasonUnreadable, "what was recorded is no event of a file"
	}
	if reason, detail = c.mismatch(d.Events[0].Name, d.Events[0].File); reason != "" {
		return nil, reason, detail
	}
	return payload, "", ""
}
