package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// How long a folder must have been quiet before what it holds counts, and how long one waits at most for that. An editor
// writes a new file and renames it over the old one; a compiler writes many. After a breath it is looked at already, since
// mostly that was all; news takes a moment to come.
const (
	breath    = 2 * time.Millisecond
	quiet     = 15 * time.Millisecond
	impatient = 90 * time.Millisecond
	moment    = 4 * time.Millisecond
)

// ErrUnsettled says that something has changed since the last Wait.
var ErrUnsettled = errors.New("the folder has changed meanwhile")

// Watcher tells when something in a folder changes. Of node_modules it watches the top only, which npm touches whenever
// it changes anything: the tens of thousands of folders below would cost memory and tell nothing more.
type Watcher struct {
	dir    string
	notify *fsnotify.Watcher
	last   time.Time // when something changed
}

// NewWatcher watches dir, an absolute path without links, and all folders in it.
func NewWatcher(dir string) (*Watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	w := &Watcher{dir: dir, notify: notify}
	// The folder above tells when the folder itself is replaced, as a build into it may do.
	err = notify.Add(filepath.Dir(dir))
	if err == nil {
		err = w.add(dir)
	}
	if err != nil {
		return nil, errors.Join(w.explain(err), notify.Close())
	}
	return w, nil
}

// explain names the limit that a watch of many folders meets.
func (w *Watcher) explain(err error) error {
	if errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("watch %s: too many folders: raise the sysctl fs.inotify.max_user_watches: %w", w.dir, err)
	}
	return fmt.Errorf("watch %s: %w", w.dir, err)
}

// add watches a folder and those in it. What vanishes meanwhile is left out.
func (w *Watcher) add(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !e.IsDir():
			return nil
		case leftOut(e.Name()) && path != w.dir:
			return filepath.SkipDir
		}
		if err := w.notify.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if e.Name() == "node_modules" {
			return filepath.SkipDir
		}
		return nil
	})
}

// Wait returns when something has changed. More may follow, which Settle tells. Errors are ctx's and those of watching a
// new folder.
func (w *Watcher) Wait(ctx context.Context) error {
	if err := w.next(ctx); err != nil {
		return err
	}
	_, err := w.calm(ctx, breath, breath, 5*breath)
	return err
}

// Settle returns when the folder has been quiet for a while, or has not become so for long. It is ErrUnsettled if anything
// has changed since Wait; other errors are those of Wait.
func (w *Watcher) Settle(ctx context.Context) error {
	changed, err := w.calm(ctx, quiet, moment, impatient)
	if err == nil && changed {
		err = ErrUnsettled
	}
	return err
}

// calm waits until nothing has changed for so long, at least for a little from now on and hardly longer than most, and tells
// whether something did.
func (w *Watcher) calm(ctx context.Context, long, little, most time.Duration) (changed bool, err error) {
	latest := time.NewTimer(most)
	defer latest.Stop()
	for {
		ctx, cancel := context.WithTimeout(ctx, max(little, long-time.Since(w.last)))
		err := w.next(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return changed, nil
		}
		if err != nil {
			return changed, err
		}
		changed = true
		select {
		case <-latest.C:
			return changed, nil
		default:
		}
	}
}

// next takes in events until one is about the folder's content.
func (w *Watcher) next(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event := <-w.notify.Events:
			mine, err := w.see(event)
			if err != nil {
				return w.explain(err)
			}
			if mine {
				w.last = time.Now()
				return nil
			}
		case err := <-w.notify.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return w.explain(err)
			}
			if err := w.add(w.dir); err != nil { // events were lost, those of new folders perhaps
				return w.explain(err)
			}
			w.last = time.Now()
			return nil
		}
	}
}

// see watches a folder that is new and tells whether the event may mean other code.
func (w *Watcher) see(event fsnotify.Event) (bool, error) {
	if filepath.Dir(event.Name) == filepath.Dir(w.dir) && event.Name != w.dir {
		return false, nil // a neighbour of the folder
	}
	if event.Name != w.dir && leftOut(filepath.Base(event.Name)) {
		return false, nil
	}
	if !event.Has(fsnotify.Create) || filepath.Base(filepath.Dir(event.Name)) == "node_modules" {
		return true, nil
	}
	return true, w.add(event.Name)
}

// Close ends the watch.
func (w *Watcher) Close() error { return w.notify.Close() }

// Watched are the folders that are watched, the one above included.
func (w *Watcher) Watched() []string { return w.notify.WatchList() }
