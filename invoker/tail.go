package invoker

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// tailBytes is how much of a request's log a caller may ask for.
const tailBytes = 4096

// A tail keeps the end of a request's log.
type tail struct{ buf []byte }

func (t *tail) add(line []byte) {
	if over := len(line) - tailBytes; over > 0 {
		line = line[over:]
	}
	t.buf = append(t.buf, line...)
	t.buf = append(t.buf, '\n')
	if len(t.buf) > 4*tailBytes {
		t.buf = t.buf[:copy(t.buf, t.buf[len(t.buf)-tailBytes:])]
	}
}

// cut is the last tailBytes of the lines, an empty line and the summary, beginning at a whole character.
func (t *tail) cut(summary string) []byte {
	text := append(append(t.buf, '\n'), summary...)
	if len(text) <= tailBytes {
		return text
	}
	text = text[len(text)-tailBytes:]
	for i := range utf8.UTFMax {
		if utf8.RuneStart(text[i]) {
			return text[i:]
		}
	}
	return text
}

// summary is the last line of a tail. Billed time is rounded up to 100 ms, at least one.
func summary(d time.Duration, memoryMB int, usedMB float64) string {
	const unit = 100 * time.Millisecond
	billed := max((d+unit-1)/unit, 1) * unit
	return fmt.Sprintf("Duration: %.2f ms, Billed Duration: %d ms, Memory Size: %d MB, Max Memory Used: %.2f MB",
		float64(d)/float64(time.Millisecond), billed.Milliseconds(), memoryMB, usedMB)
}
