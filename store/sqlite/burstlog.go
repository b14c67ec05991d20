package sqlite

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"fcd/store"
)

const logName = "bursts.log"

// Bounds of the burst log's file, in bytes.
const (
	maxLogBytes = 256 << 20 // from here on no group folds until the log can begin again
	keptBytes   = 64 << 20  // of a log that nothing stands in
	aheadBytes  = 1 << 20   // of zeros that are written at a time where the file has to grow
)

var zeros [64 << 10]byte

// burstLog is the file that groups append their bursts to. Once the messages of all its frames are in the queue it begins
// again at its start and is overwritten in place, which spares the file system the growing. Only the writer changes it;
// anybody may read a frame.
type burstLog struct {
	f    *os.File
	seed uint32 // checksum of the header
	seq  int64  // of the last frame there ever was
	sum  uint32 // of the last frame, which the next one's goes on from
	end  int64  // where the next frame begins
	size int64  // of the file

	first   int64 // sequence number of the first frame in the file, 0 for none
	opened  int64 // last message of that frame; 0 if it was on disk when the store was opened
	marks   bool  // frames of an earlier pass are still marked as unfolded
	unfolds bool  // frames were unfolded since the write-ahead log was last flushed for it
}

// openLog opens the burst log that a database names by id, or makes one. One that belongs to another database is set
// aside: its messages are not this one's.
func openLog(dir, id string, log *zap.Logger) (*burstLog, error) {
	head, err := logHeader(id)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, logName)
	own, begun, err := ownLog(name, head)
	if err != nil {
		return nil, err
	}
	if !own {
		aside, err := setAside(name)
		if err != nil {
			return nil, err
		}
		log.Warn("a burst log that belongs to another database is not read, and set aside", zap.String("file", aside))
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l := &burstLog{f: f, seed: crc32.Checksum(head, castagnoli)}
	if !begun {
		_, err = f.WriteAt(head, 0)
	}
	if err == nil {
		err = datasync(f) // a killed process may not have
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err == nil {
		l.size, err = f.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

func logHeader(id string) ([]byte, error) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != logHead-len(logMagic) {
		return nil, fmt.Errorf("the database names its burst log %q", id)
	}
	return append([]byte(logMagic), raw...), nil
}

// ownLog tells whether a file is the log with that header, and otherwise whether it can become it: there is none, or one
// whose header has not come to be.
func ownLog(name string, head []byte) (own, begun bool, err error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, false, nil
	}
	if err != nil {
		return false, false, err
	}
	defer f.Close()
	b := make([]byte, logHead)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return false, false, err
	}
	begun = string(b) == string(head)
	return begun || n < logHead || string(b) == string(make([]byte, logHead)), begun, nil
}

// setAside gives a file the first name that is free.
func setAside(name string) (aside string, err error) {
	for i := 1; ; i++ {
		aside = fmt.Sprintf("%s.%d", name, i)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			return aside, os.Rename(name, aside)
		} else if err != nil {
			return "", err
		}
	}
}

// scan goes through the frames that the file has.
func (l *burstLog) scan() *scan { return newScan(l.f, l.size, l.seed) }

// grow makes room for a frame of so many bytes. What is overwritten is on disk with one write, whereas a file that ends
// elsewhere than before needs another one for its inode, at each flush: so it grows by much at a time. If the disk is full
// nothing is lost but that.
func (l *burstLog) grow(frame int) error {
	need := l.end + int64(frame)
	if need <= l.size {
		return nil
	}
	for end := need + aheadBytes; l.size < end; {
		n, err := l.f.WriteAt(zeros[:min(int64(len(zeros)), end-l.size)], l.size)
		l.size += int64(n)
		if full(err) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%w: %w", errLog, err)
		}
	}
	return nil
}

func full(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// append writes a frame, of which a head of so many bytes and the payloads stand in their places, and says of b where it
// is. If the disk is full the next one goes to the same place.
func (l *burstLog) append(frame []byte, head int, b *burst) error {
	if err := l.grow(len(frame)); err != nil {
		return err
	}
	sum := seal(frame, l.seq+1, head, l.sum)
	if _, err := l.f.WriteAt(frame, l.end); full(err) {
		return fmt.Errorf("%w: append to the burst log: %w", store.ErrNoSpace, err)
	} else if err != nil {
		return fmt.Errorf("%w: %w", errLog, err)
	}
	b.seq, b.at, b.size, b.before = l.seq+1, l.end, int64(len(frame)), l.sum
	l.seq, l.sum, l.end = b.seq, sum, l.end+b.size
	l.size = max(l.size, l.end)
	if l.first == 0 {
		l.first, l.opened = b.seq, b.last
	}
	return nil
}

// read reads a frame into buf, which it may replace. It may be called concurrently: a frame that was unfolded may have been
// overwritten, which is an error.
func (l *burstLog) read(b *burst, buf []byte) (head, payloads, _ []byte, err error) {
	if int64(cap(buf)) < b.size {
		buf = make([]byte, b.size)
	}
	buf = buf[:b.size]
	if _, err := l.f.ReadAt(buf, b.at); errors.Is(err, os.ErrClosed) {
		return nil, nil, buf, store.ErrClosed
	} else if err != nil {
		return nil, nil, buf, fmt.Errorf("%w: %w", errLog, err)
	}
	f, ok := readFrame(buf)
	if !ok || f.seq != b.seq || f.size() != b.size || f.sum != checksum(buf, b.before) {
		return nil, nil, buf, fmt.Errorf("%w: frame %d at byte %d is damaged", errLog, b.seq, b.at)
	}
	head, payloads = f.parts(buf)
	return head, payloads, buf, nil
}

// beginAgain lets the next frame overwrite the first, if nobody reads the file for a copy. All frames must be unfolded. It
// calls flush, which puts the write-ahead log on disk, before what was unfolded can be lost here.
func (l *burstLog) beginAgain(flush func() error) error {
	free, err := l.unread()
	if err != nil || !free {
		return err
	}
	if l.unfolds {
		if err := flush(); err != nil {
			return err
		}
		l.unfolds = false
	}
	if l.end > keptBytes {
		if err := l.f.Truncate(keptBytes); err != nil {
			return fmt.Errorf("%w: %w", errLog, err)
		}
		l.size = keptBytes
	}
	l.marks = l.marks || l.first != 0
	l.first, l.end, l.sum = 0, logHead, l.seed
	return nil
}

// unread tells whether nobody holds the log for a copy. Whoever takes it from now on begins with a state of the database
// that has all its messages in the queue.
func (l *burstLog) unread() (bool, error) {
	fd := int(l.f.Fd())
	err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_UN)
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", errLog, os.NewSyscallError("flock", err))
	}
	return true, nil
}
