package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	cursorFile = "cursor"
	windowFile = "window"
	markBytes  = 20 // two u64 and a crc32c
)

// encodeMark is the content of the cursor and window files: two numbers and their sum.
func encodeMark(a, b uint64) []byte {
	buf := make([]byte, markBytes)
	binary.LittleEndian.PutUint64(buf, a)
	binary.LittleEndian.PutUint64(buf[8:], b)
	binary.LittleEndian.PutUint32(buf[16:], crc32.Checksum(buf[:16], castagnoli))
	return buf
}

// readMark reads a mark; ok is false if the file is absent or damaged.
func readMark(path string) (a, b uint64, ok bool, err error) {
	buf, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, false, nil
	}
	if err != nil {
		return 0, 0, false, err
	}
	if len(buf) != markBytes || crc32.Checksum(buf[:16], castagnoli) != binary.LittleEndian.Uint32(buf[16:]) {
		return 0, 0, false, nil
	}
	return binary.LittleEndian.Uint64(buf), binary.LittleEndian.Uint64(buf[8:]), true, nil
}

// writeCursor replaces the cursor file so that after a crash it holds the old or the new number.
func writeCursor(dir string, cursor uint64) error {
	return replaceFile(dir, cursorFile, encodeMark(cursor, 0))
}

// replaceFile writes data beside name, flushes it and renames it into place. The rename itself is flushed as well.
func replaceFile(dir, name string, data []byte) error {
	tmp := filepath.Join(dir, name+".tmp")
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, filepath.Join(dir, name))
	}
	if err == nil {
		err = syncDir(dir)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
