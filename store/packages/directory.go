package packages

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
)

// The parts of a zip's directory that tell where it is (APPNOTE 4.3).
const (
	headerSize  = 46
	headerMagic = 0x02014b50
	endSize     = 22
	endMagic    = 0x06054b50
	maxComment  = 1<<16 - 1
	locatorSize = 20
	end64Magic  = 0x06064b50
	end64Size   = 56
)

// countEntries refuses a zip whose directory holds more than max entries before the reader of archive/zip takes them
// all into memory. What it cannot make sense of is left to that reader.
func countEntries(f *os.File, size int64, max int) error {
	starts, ok := directoryStarts(f, size)
	if !ok {
		return nil
	}
	for _, start := range starts {
		if start >= 0 && start < size && countFrom(f, start, size, max) > max {
			return refuse("code package has more than %d entries", max)
		}
	}
	return nil
}

// directoryStarts are the places where readers look for the first header: by its offset, and counted back from its end
// when something stands before the zip.
func directoryStarts(f io.ReaderAt, size int64) ([]int64, bool) {
	tail := make([]byte, min(size, endSize+maxComment))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return nil, false
	}
	i := len(tail) - endSize
	for ; i >= 0; i-- {
		if binary.LittleEndian.Uint32(tail[i:]) == endMagic {
			break
		}
	}
	if i < 0 {
		return nil, false
	}
	end := size - int64(len(tail)) + int64(i)
	length, offset := int64(binary.LittleEndian.Uint32(tail[i+12:])), int64(binary.LittleEndian.Uint32(tail[i+16:]))
	starts := []int64{offset, end - length}
	var locator [locatorSize]byte
	if _, err := f.ReadAt(locator[:], end-locatorSize); err != nil {
		return starts, true
	}
	at := int64(binary.LittleEndian.Uint64(locator[8:]))
	var end64 [end64Size]byte
	if _, err := f.ReadAt(end64[:], at); at < 0 || err != nil || binary.LittleEndian.Uint32(end64[:]) != end64Magic {
		return starts, true
	}
	length, offset = int64(binary.LittleEndian.Uint64(end64[40:])), int64(binary.LittleEndian.Uint64(end64[48:]))
	return append(starts, offset, at-length), true
}

// countFrom walks headers until there are no more, or more than max.
func countFrom(f io.ReaderAt, start, size int64, max int) int {
	r := bufio.NewReaderSize(io.NewSectionReader(f, start, size-start), 64<<10)
	n := 0
	for ; n <= max; n++ {
		var h [headerSize]byte
		if _, err := io.ReadFull(r, h[:]); err != nil || binary.LittleEndian.Uint32(h[:]) != headerMagic {
			break
		}
		rest := int(binary.LittleEndian.Uint16(h[28:])) + int(binary.LittleEndian.Uint16(h[30:])) + int(binary.LittleEndian.Uint16(h[32:]))
		if _, err := r.Discard(rest); err != nil {
			break
		}
	}
	return n
}
