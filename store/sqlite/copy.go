package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"fcd/store"
)

// heldLog is a burst log as others than its writer read it. Until it is closed no frame is overwritten, also by a daemon of
// another process: a state of the database that is read meanwhile and the frames read behind it have every message between
// them.
type heldLog struct{ f *os.File }

// holdLog holds the burst log in a directory; nil if there is none.
func holdLog(dir string) (*heldLog, error) {
	f, err := os.Open(filepath.Join(dir, logName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err {
		case nil:
			return &heldLog{f}, nil
		case unix.EINTR:
		default:
			return nil, errors.Join(os.NewSyscallError("flock", err), f.Close())
		}
	}
}

// Close lets go of the log.
func (l *heldLog) Close() error { return l.f.Close() }

var errForeign = errors.New(logName + " belongs to another database")

// each calls do for each frame. id is that of the log that the database names; errForeign if this is another one.
func (l *heldLog) each(id string, do func(f frame, b []byte) error) error {
	head, err := logHeader(id)
	if err != nil {
		return err
	}
	info, err := l.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < logHead {
		return nil // it has not come to be
	}
	is := make([]byte, logHead)
	if _, err := l.f.ReadAt(is, 0); err != nil {
		return fmt.Errorf("%s: %w", logName, err)
	}
	if string(is) != string(head) {
		return errForeign
	}
	for s := newScan(l.f, info.Size(), crc32.Checksum(head, castagnoli)); ; {
		f, b, ok, err := s.next()
		if err == nil && ok {
			err = do(f, b)
		}
		if err != nil {
			return fmt.Errorf("%s: frame %d: %w", logName, f.seq, err)
		}
		if !ok {
			return nil
		}
	}
}

// completeCopy makes a copied database whole: the messages of the burst log that it does not know as unfolded come into its
// queue, and its own burst log will be another one. It is for its caller to flush the file.
func completeCopy(ctx context.Context, file string, log *heldLog) (err error) {
	c, err := connect(ctx, "file:"+uriPath(file)+"?_pragma=journal_mode(off)&_pragma=synchronous(0)&_pragma=cache_size(-16384)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if version, _, err := c.number("SELECT CAST(v AS INTEGER) FROM meta WHERE k = 'schema'"); err != nil || version < 5 {
		return err // it has no burst log
	}
	if err := c.script("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if log != nil {
		if err := addLogged(ctx, c, log); err != nil {
			return err
		}
	}
	return c.script(sqlUnfoldedNone + ";" + sqlLogRename + "; COMMIT")
}

// addLogged puts the messages of the log that are not unfolded into the queue.
func addLogged(ctx context.Context, c *conn, log *heldLog) error {
	id, _, err := c.text(sqlMetaGet, "bursts")
	if err != nil {
		return err
	}
	text, _, err := c.text(sqlMetaGet, "counters")
	if err != nil {
		return err
	}
	n, err := parseCounters(text)
	if err != nil {
		return err
	}
	unfolded, err := marks(c)
	if err != nil {
		return err
	}
	var args []driver.Value
	err = log.each(id, func(f frame, b []byte) error {
		if err := ctx.Err(); err != nil || unfolded[f.seq] {
			return err
		}
		head, payloads := f.parts(b)
		return readBurst(head, payloads, func(m *store.Msg) error {
			args = appendMsg(args[:0], m)
			added, err := c.exec(sqlQueueAdd, args...)
			if added > 0 {
				n.id, n.messages, n.bytes = max(n.id, m.ID), n.messages+1, n.bytes+int64(len(m.Payload))
			}
			return err
		})
	})
	if errors.Is(err, errForeign) {
		return nil // and none of it the copy's
	}
	if err != nil {
		return err
	}
	_, err = c.exec(sqlMetaSet, "counters", n.String())
	return err
}
