package packages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A spare is a tree that is made ahead, in the background: links to all files of a large package that was put in the place
// of another, and so is probably replaced soon by one that differs in a few files. Then only those are made while somebody
// waits, and not thousands of links. There is one spare at most, of the package that was put last.
type spare struct {
	of   string             // the sum of the package
	stop context.CancelFunc // it is no longer wanted, if it is not there yet
	done chan struct{}      // closed when it is there or will not be
}

func (p *Packages) sparePath(sum string) string { return p.path("tmp", "spare-"+sum) }

// keepSpare has a spare of the package made in a while, when what waits for the package has gone on.
func (p *Packages) keepSpare(sum string) {
	ctx, stop := context.WithCancel(context.Background())
	next := &spare{of: sum, stop: stop, done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		stop()
		return
	}
	last := p.spare
	p.spare = next
	p.spares.Go(func() {
		defer close(next.done)
		p.drop(last)
		select {
		case <-ctx.Done():
		case <-time.After(p.opt.SpareAfter):
			_ = p.makeSpare(ctx, sum) // without one the next package takes longer
		}
	})
}

// takeSpare is the tree of the package's spare, which is the caller's from now on; "" if there is none.
func (p *Packages) takeSpare(sum string) string {
	p.mu.Lock()
	s := p.spare
	if s == nil || s.of != sum {
		p.mu.Unlock()
		return ""
	}
	p.spare = nil
	p.mu.Unlock()
	s.stop()
	<-s.done
	if _, err := os.Stat(p.sparePath(sum)); err != nil {
		return ""
	}
	return p.sparePath(sum)
}

// drop removes a spare that nobody wants. nil is none.
func (p *Packages) drop(s *spare) {
	if s == nil {
		return
	}
	s.stop()
	<-s.done
	os.RemoveAll(p.sparePath(s.of))
}

// makeSpare makes the tree beside its place and gives it its name when it is whole.
func (p *Packages) makeSpare(ctx context.Context, sum string) error {
	m := p.openModel(sum)
	if m == nil {
		return fmt.Errorf("code package %s is not there", sum)
	}
	defer m.close()
	work, err := os.MkdirTemp(p.path("tmp"), "making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	tree := filepath.Join(work, "tree")
	u, err := newUnpacker(tree)
	if err != nil {
		return err
	}
	defer u.root.Close()
	entries, err := m.entries()
	if err != nil {
		return err
	}
	left, err := u.share(ctx, m.zip, m, entries)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(left, func(e entry) bool { return e.kind == regular }) {
		return errors.New("not all files can be linked to")
	}
	return os.Rename(tree, p.sparePath(sum))
}

// entries are the files of the model as its spare has them.
func (m *model) entries() (all []entry, err error) {
	for _, f := range m.files {
		e, err := checkEntry(f)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) }) // folder by folder
	return all, nil
}

// trim takes out of a tree that was the model's spare the files that the new package does not share, and the folders that
// it does not have. wanted are its entries, others those that are not shared.
func (u *unpacker) trim(m *model, wanted, others []entry) error {
	folders, kept := map[string]bool{".": true}, make(map[string]bool, len(wanted))
	for _, e := range wanted {
		kept[e.file.Name] = true
		dir := e.name
		if e.kind != directory {
			dir = path.Dir(e.name)
		}
		for ; !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	for _, e := range others {
		delete(kept, e.file.Name)
	}
	var empty []string
	for name, f := range m.files {
		if kept[name] {
			continue
		}
		e, err := checkEntry(f)
		if err != nil {
			return internal("unpack", err)
		}
		if e.kind != regular {
			continue
		}
		if err := u.root.Remove(e.name); err != nil {
			return internal("unpack", err)
		}
		for dir := path.Dir(e.name); !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true // once
			empty = append(empty, dir)
		}
	}
	slices.SortFunc(empty, func(a, b string) int { return len(b) - len(a) }) // what lies in another comes before it
	for _, dir := range empty {
		if err := u.root.Remove(dir); err != nil {
			return internal("unpack", err)
		}
	}
	return nil
}
