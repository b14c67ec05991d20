package comparators

import (
	"encoding/binary"
	"os"
)

// maxGroup bounds how many records share one flush.
const maxGroup = 1000

// Log is a plain file that records are appended to. Append returns once the record is on disk; records that come
// meanwhile share the next flush. Append may be called concurrently.
type Log struct {
	file    *os.File
	appends chan entry
	ended   chan struct{}
}

type entry struct {
	record []byte
	done   chan error
}

// NewLog makes the file, or empties it.
func NewLog(path string) (*Log, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	l := &Log{file: f, appends: make(chan entry, 4096), ended: make(chan struct{})}
	go l.write()
	return l, nil
}

// Append writes one record, with its length before it.
func (l *Log) Append(record []byte) error {
	done := make(chan error, 1)
	l.appends <- entry{record, done}
	return <-done
}

// Close waits for what is under way. Append must not be called any more.
func (l *Log) Close() error {
	close(l.appends)
	<-l.ended
	return l.file.Close()
}

func (l *Log) write() {
	defer close(l.ended)
	var buf []byte
	for first := range l.appends {
		group := []entry{first}
		for len(group) < maxGroup && len(l.appends) > 0 {
			group = append(group, <-l.appends)
		}
		buf = buf[:0]
		for _, e := range group {
			buf = binary.BigEndian.AppendUint32(buf, uint32(len(e.record)))
			buf = append(buf, e.record...)
		}
		_, err := l.file.Write(buf)
		if err == nil {
			err = l.file.Sync()
		}
		for _, e := range group {
			e.done <- err
		}
	}
}
