package runtimes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/invoker/runtimes/frame"
)

func TestJavaLog(t *testing.T) {
	tests := []struct {
		name, event, style string
		want               []string
	}{
		{"levels", "levels", "", []string{"TIME r1 TRACE a", "TIME r1 DEBUG b", "TIME r1 INFO c", "TIME r1 WARN d", "TIME r1 ERROR e", "TIME r1 FATAL f"}},
		{"brackets", "a level", frame.LogBracket, []string{"TIME r1 [ERROR] e", "TIME r1 [FATAL] f"}},
		{"a level", "a level", "", []string{"TIME r1 ERROR e", "TIME r1 FATAL f"}},
		{"lines in one call", "lines", "", []string{"TIME r1 INFO a\rb\r", "TIME r1 INFO hé😀", "TIME r1 INFO null"}},
		{"raw text", "raw", "", []string{"a", "bc", "1 hé", "error"}},
		{"unfinished lines", "unfinished", "", []string{"a", "b", "c"}},
		{"a redirected standard output", "redirected", "", []string{"TIME r1 INFO a", "b"}},
		{"a closed standard output", "closed", "", []string{"TIME r1 INFO a"}},
		{"a thread that fails", "uncaught", "", []string{`Exception in thread "failing" java.lang.IllegalStateException: of a thread`, "FRAMES"}},
		{"a stack", "stack", "", []string{"java.lang.IllegalStateException: printed", "FRAMES"}},
	}
	onEach(t, "java", func(t *testing.T, in interpreter) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := startHandler(t, in, "example.Logs::handleRequest")
				p.hello.LogStyle = tt.style
				p.invoke("r1", tt.event)
				if diff := cmp.Diff(tt.want, withoutFrames(unstamped(p.lines("r1")))); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

// withoutFrames puts one word in the place of the frames of a printed stack.
func withoutFrames(lines []string) []string {
	for i, l := range lines {
		if strings.HasPrefix(l, "\tat ") {
			return append(lines[:i:i], "FRAMES")
		}
	}
	return lines
}

func TestJavaThreadsDoNotMixTheirLines(t *testing.T) {
	onEach(t, "java", func(t *testing.T, in interpreter) {
		p := startHandler(t, in, "example.Logs::handleRequest")
		p.invoke("r1", "threads")
		count := map[string]int{}
		for _, l := range unstamped(p.lines("r1")) {
			count[l]++
		}
		if diff := cmp.Diff(map[string]int{"a line of one thread": 4000, "TIME r1 INFO a record of one thread": 4000}, count); diff != "" {
			t.Error(diff)
		}
	})
}
