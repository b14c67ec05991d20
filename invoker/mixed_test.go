package invoker

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

func mixedJournal(l *lines, token frame.Token) *journal {
	return newJournal(l, fc.LogRecord{Project: "p", Logstore: "l"}, token, 64, time.Now, [2]int{-1, -1}, &mixed{})
}

func labelled(token frame.Token, id, text string) []byte {
	return token.AppendFence(append(token.AppendFence(nil, frame.FenceLabel, id), text...), frame.FenceUnlabel, id)
}

func TestLinesOfRequestsThatShareAnInstance(t *testing.T) {
	l, token := newLines(), frame.Token{1, 2, 3}
	j := mixedJournal(l, token)
	write := func(text []byte) { feed(j.pipe[0], text, len(text)) }
	write([]byte("before all\n"))
	a := j.begin("a", "", "Invoke", nil)
	write([]byte("a alone\n"))
	b := j.begin("b", "", "Invoke", nil)
	write([]byte("raw\nhalf of "))
	write(labelled(token, "a", "labelled\nin two lines\n"))
	write([]byte("a line\n"))
	write(labelled(token, "b", "unterminated"))
	j.end(b, "", "")
	write([]byte("after b\n"))
	write(labelled(token, "b", "late\n"))
	j.end(a, "", "")
	write([]byte("late too\n"))
	write(token.AppendFence(nil, frame.FenceLabel, "c"))
	write(token.AppendFence(nil, frame.FenceStart, "a"))
	write(frame.Token{4, 5}.AppendFence(nil, frame.FenceLabel, "a"))

	var got []string
	for _, r := range l.all {
		text := r.Message
		if text[0] == 0 {
			text = "bytes"
		}
		got = append(got, fmt.Sprint(r.RequestID, " ", text, " ", r.Late))
	}
	want := []string{
		" before all true", "a FC Invoke Start RequestId: a false", "a a alone false", "b FC Invoke Start RequestId: b false",
		"b raw false", "b half of  false", "a labelled false", "a in two lines false", "b a line false", "b unterminated false",
		"b FC Invoke End RequestId: b false", "a after b false", "b late true", "a FC Invoke End RequestId: a false",
		"a late too true", "a bytes true", "a bytes true", "a bytes true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOnlySoManyEndedRequestsAreRemembered(t *testing.T) {
	l, token := newLines(), frame.NewToken()
	j := mixedJournal(l, token)
	for n := range 1000 {
		j.end(j.begin(fmt.Sprint("r", n), "", "Invoke", nil), "", "")
	}
	if n := len(j.mixed.past); n != maxPast || len(j.mixed.flight) != 0 {
		t.Errorf("%d ended requests, %d in flight", n, len(j.mixed.flight))
	}
	feed(j.pipe[1], labelled(token, "r999", "x\n"), 1)
	if last := l.all[len(l.all)-1]; last.RequestID != "r999" || last.Message != "x" || !last.Late {
		t.Errorf("got %+v", last)
	}
}

// FuzzMixedLogPipe checks that nothing a function can write is lost, added or credited to a request that never was.
func FuzzMixedLogPipe(f *testing.F) {
	token := frame.Token{0xfe, 0, '\n', 0xfe}
	f.Add([]byte("a\nb"), uint8(1))
	f.Add(bytes.Repeat([]byte("x"), 100), uint8(50))
	f.Add(labelled(frame.Token{1, 2}, "a", "x"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		if bytes.Contains(text, token[:4]) {
			return
		}
		l := newLines()
		j := mixedJournal(l, token)
		j.begin("a", "", "Invoke", nil)
		j.begin("b", "", "Invoke", nil)
		l.all = nil
		feed(j.pipe[0], labelled(token, "a", string(text)), int(size)+1)
		j.pipe[0].close()
		var got bytes.Buffer
		for _, r := range l.all {
			if r.RequestID != "a" || r.Late || len(r.Message) > 64 {
				t.Fatalf("record %+v", r)
			}
			got.WriteString(r.Message)
		}
		if want := bytes.ReplaceAll(text, []byte("\n"), nil); !slices.Equal(got.Bytes(), want) {
			t.Errorf("%q became %q", text, got.Bytes())
		}
	})
}
