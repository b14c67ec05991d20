package listing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fcd/fc"
)

// round is one pass over the listing.
type round struct {
	*Lister
	after string // Growing: list behind it
	known []string
	at    int // index into known: what the listing has come to
	begun bool
}

// page deals with one part of the listing: events first, then what was seen.
func (r *round) page(ctx context.Context, p Page) error {
	if r.o.Growing {
		return r.grow(ctx, p)
	}
	if !r.begun {
		r.known, r.begun = r.seen.keys(), true
	}
	changes := map[string]*Object{} // nil: gone
	for i := range p.Objects {
		o := &p.Objects[i]
		if err := r.gone(ctx, o.Key, changes); err != nil {
			return err
		}
		old, there := r.seen.objects[o.Key]
		if there && r.at < len(r.known) && r.known[r.at] == o.Key {
			r.at++
		}
		if there && old.same(*o) {
			continue
		}
		if err := r.created(ctx, *o, old.Size); err != nil {
			return err
		}
		changes[o.Key] = o
	}
	if p.Next == "" {
		if err := r.gone(ctx, "", changes); err != nil {
			return err
		}
	}
	return r.save(ctx, changes)
}

// gone makes the events of known keys that the listing has passed over on its way to key; "" is its end.
func (r *round) gone(ctx context.Context, key string, changes map[string]*Object) error {
	for r.at < len(r.known) && (key == "" || r.known[r.at] < key) {
		old := r.seen.objects[r.known[r.at]]
		if err := r.removed(ctx, old); err != nil {
			return err
		}
		changes[old.Key] = nil
		r.at++
	}
	return nil
}

// removed makes the event of an object that is no longer there; none before there is a baseline.
func (r *round) removed(ctx context.Context, old Object) error {
	if !r.seen.meta.Baseline {
		return nil
	}
	ev := r.event("ObjectRemoved:DeleteObject", old)
	ev.Size, ev.Delta, ev.Identity = 0, -old.Size, "gone/"+ev.Identity
	if err := r.o.Sink.ObjectEvent(ctx, ev); err != nil {
		return fmt.Errorf("object '%s': %w", old.Key, err)
	}
	return nil
}

// grow deals with keys that are all new, and remembers the last.
func (r *round) grow(ctx context.Context, p Page) error {
	for _, o := range p.Objects {
		if o.Key <= r.seen.meta.Last && r.seen.meta.Baseline {
			continue
		}
		if err := r.created(ctx, o, 0); err != nil {
			return err
		}
	}
	if len(p.Objects) == 0 {
		return nil
	}
	return r.saveLast(ctx, p.Objects[len(p.Objects)-1].Key)
}

// end closes a round; the first one makes the baseline.
func (r *round) end(ctx context.Context) error {
	if r.seen.meta.Baseline {
		return nil
	}
	return r.saveBaseline(ctx)
}

// created makes the event of an object that is new or changed; none before there is a baseline.
func (r *round) created(ctx context.Context, o Object, before int64) error {
	if !r.seen.meta.Baseline {
		return nil
	}
	ev := r.event(createdName(o.Type), o)
	ev.Delta = o.Size - before
	if err := r.o.Sink.ObjectEvent(ctx, ev); err != nil {
		return fmt.Errorf("object '%s': %w", o.Key, err)
	}
	return nil
}

// createdName is what made an object of the type, as far as its type tells.
func createdName(objectType string) string {
	switch objectType {
	case "Multipart":
		return "ObjectCreated:CompleteMultipartUpload"
	case "Appendable":
		return "ObjectCreated:AppendObject"
	case "Symlink":
		return "ObjectCreated:PutSymlink"
	}
	return "ObjectCreated:PutObject"
}

func (r *round) event(name string, o Object) fc.ObjectEvent {
	return fc.ObjectEvent{
		Name: name, Bucket: r.o.Bucket, Key: o.Key, Size: o.Size, ETag: strings.ToUpper(o.ETag), Time: o.Modified,
		Identity: fmt.Sprintf("listing/%s/%d/%d", o.ETag, o.Size, o.Modified.UnixMilli()),
	}
}

// keys are the known keys in order.
func (s *snapshot) keys() []string {
	all := make([]string, 0, len(s.objects))
	for k := range s.objects {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
