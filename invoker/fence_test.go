package invoker

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// feed gives bytes to a pipe in reads of at most n bytes.
func feed(p *logPipe, b []byte, n int) {
	for len(b) > 0 {
		m := copy(p.split.room(), b[:min(n, len(b))])
		p.read(m)
		b = b[m:]
	}
	p.journal.handOver()
}

type seen struct {
	ID, Text string
	Late     bool
}

func (l *lines) seen() (all []seen) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.all {
		all = append(all, seen{r.RequestID, r.Message, r.Late})
	}
	return all
}

func testJournal(maxRecord int) (*journal, *lines, frame.Token) {
	l, token := newLines(), frame.Token([]byte("sixteen bytes...")[:16])
	return newJournal(l, fc.LogRecord{Project: "p", Logstore: "l"}, token, maxRecord, time.Now, [2]int{-1, -1}, nil), l, token
}

func TestLinesBelongToTheRequestOfTheirFence(t *testing.T) {
	end := func(id string) string { return "FC Invoke End RequestId: " + id }
	tests := []struct {
		name string
		out  func(s, e func(id string) string) string
		want []seen
	}{
		{"plain lines", func(s, e func(string) string) string { return s("a") + "x\ny\n" + e("a") },
			[]seen{{"a", "x", false}, {"a", "y", false}, {"a", end("a"), false}}},
		{"unterminated text before a fence", func(s, e func(string) string) string { return s("a") + "x" + e("a") + "y" },
			[]seen{{"a", "x", false}, {"a", end("a"), false}, {"a", "y", true}}},
		{"late lines", func(s, e func(string) string) string { return s("a") + e("a") + "late\n" + s("b") + "x\n" + e("b") },
			[]seen{{"a", end("a"), false}, {"a", "late", true}, {"b", "x", false}, {"b", end("b"), false}}},
		{"text before the first fence", func(s, e func(string) string) string { return "early\n" + s("a") + e("a") },
			[]seen{{"a", "early", false}, {"a", end("a"), false}}},
		{"a fence of another token", func(s, e func(string) string) string { return s("a") + "\x00other bytes.....Ea\n" + e("a") },
			[]seen{{"a", "\x00other bytes.....Ea", false}, {"a", end("a"), false}}},
		{"fences with ids that are not in flight", func(s, e func(string) string) string { return s("a") + e("b") + s("c") + e("a") },
			[]seen{{"a", "\x00sixteen bytes...Eb", false}, {"a", "\x00sixteen bytes...Sc", false}, {"a", end("a"), false}}},
		{"an end fence twice", func(s, e func(string) string) string { return s("a") + e("a") + e("a") },
			[]seen{{"a", end("a"), false}, {"a", "\x00sixteen bytes...Ea", true}}},
		{"a start fence twice", func(s, e func(string) string) string { return s("a") + s("a") + e("a") },
			[]seen{{"a", "\x00sixteen bytes...Sa", false}, {"a", end("a"), false}}},
		{"carriage returns stay in the line", func(s, e func(string) string) string { return s("a") + "x\ry\r\n" + e("a") },
			[]seen{{"a", "x\ry\r", false}, {"a", end("a"), false}}},
		{"empty lines", func(s, e func(string) string) string { return s("a") + "\n\n" + e("a") },
			[]seen{{"a", "", false}, {"a", "", false}, {"a", end("a"), false}}},
		{"zero bytes", func(s, e func(string) string) string { return s("a") + "\x00\x00x\x00\n" + e("a") },
			[]seen{{"a", "\x00\x00x\x00", false}, {"a", end("a"), false}}},
		{"a missing end fence", func(s, e func(string) string) string { return s("a") + s("b") + "x\n" + e("b") },
			[]seen{{"a", end("a"), false}, {"b", "x", false}, {"b", end("b"), false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 7, 4096} {
				j, l, token := testJournal(1000)
				for _, id := range []string{"a", "b"} {
					j.end(sent(j, id), "", "")
				}
				j.handOver()
				l.all = nil
				feed(j.pipe[1], allFences(token, "a", "b"), size)
				s := func(id string) string { return string(token.AppendFence(nil, 'S', id)) }
				e := func(id string) string { return string(token.AppendFence(nil, 'E', id)) }
				out := tt.out(s, e)
				feed(j.pipe[0], []byte(out), size)
				j.pipe[0].close()
				j.pipe[1].close()
				got := l.seen()
				if len(only(tt.want, "b")) == 0 {
					got = only(got, "a")
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("reads of %d: %s", size, diff)
				}
			}
		})
	}
}

// sent has a request of a journal enter and writes its first line.
func sent(j *journal, id string) *section {
	s := j.begin(id, "", "Invoke", nil)
	j.enter(s)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.say(s, j.now())
	return s
}

func allFences(token frame.Token, ids ...string) (b []byte) {
	for _, id := range ids {
		b = token.AppendFence(b, 'S', id)
		b = token.AppendFence(b, 'E', id)
	}
	return b
}

func only(all []seen, id string) (some []seen) {
	for _, s := range all {
		if s.ID == id {
			some = append(some, s)
		}
	}
	return some
}

func TestLongLinesBecomeSeveralRecords(t *testing.T) {
	j, l, token := testJournal(32 << 10)
	sent(j, "a")
	j.handOver()
	l.all = nil
	line := strings.Repeat("é世界", 140_000) // more than 1 MiB
	feed(j.pipe[0], token.AppendFence(nil, 'S', "a"), 100)
	feed(j.pipe[0], []byte(line+"\nshort\n"), 64<<10)
	var back strings.Builder
	got := l.seen()
	for _, s := range got[:len(got)-1] {
		if len(s.Text) > 32<<10 || len(s.Text) < 32<<10-4 && s != got[len(got)-2] || !utf8.ValidString(s.Text) {
			t.Fatalf("a record of %d bytes", len(s.Text))
		}
		back.WriteString(s.Text)
	}
	if back.String() != line || got[len(got)-1].Text != "short" {
		t.Errorf("%d bytes came back of %d", back.Len(), len(line))
	}
	j.pipe[0].close()
	j.pipe[1].close()
}

func TestTheLineOfAnErrorIsNotCut(t *testing.T) {
	for _, level := range []string{"error", "[error]", "ERROR"} {
		j, l, token := testJournal(32 << 10)
		sent(j, "a")
		j.handOver()
		l.all = nil
		line := "2016-08-18T05:38:41.401Z a " + level + ` {"errorMessage":"` + strings.Repeat("é", frame.MaxErrorLogChars) + frame.ErrorTruncatedMark
		feed(j.pipe[0], append(token.AppendFence(nil, 'S', "a"), line+"\n"...), 5000)
		if got := l.seen(); len(got) != 1 || got[0].Text != line {
			t.Errorf("%s: %d records", level, len(got))
		}
	}
}

func TestTail(t *testing.T) {
	const sum = "Duration: 17.45 ms, Billed Duration: 100 ms, Memory Size: 128 MB, Max Memory Used: 30.99 MB"
	if got := summary(17450*time.Microsecond, 128, 30.99); got != sum {
		t.Errorf("got %q", got)
	}
	for d, want := range map[time.Duration]string{0: "100", 100 * time.Millisecond: "100", 100*time.Millisecond + 1: "200", time.Second: "1000"} {
		if got := summary(d, 128, 1); !strings.Contains(got, "Billed Duration: "+want+" ms") {
			t.Errorf("%v: %q", d, got)
		}
	}
	short := &tail{}
	short.add([]byte("a"))
	short.add([]byte("b"))
	if got := string(short.cut(sum)); got != "a\nb\n\n"+sum {
		t.Errorf("got %q", got)
	}
	for _, unit := range []string{"x", "é", "世", "𝄞"} {
		for shift := range 4 {
			long := &tail{}
			for range 100 {
				long.add([]byte(strings.Repeat("y", shift) + strings.Repeat(unit, 3000)))
			}
			got := long.cut(sum)
			if !utf8.Valid(got) || len(got) > tailBytes || len(got) < tailBytes-3 || !bytes.HasSuffix(got, []byte("\n\n"+sum)) {
				t.Errorf("%s+%d: %d bytes", unit, shift, len(got))
			}
		}
	}
}

// FuzzLogPipe checks that nothing a function can write is lost, added or credited to a request that never was.
func FuzzLogPipe(f *testing.F) {
	f.Add([]byte("a\nb"), uint8(1))
	f.Add([]byte("\x00\x01\x02\n\x00"), uint8(3))
	f.Add(bytes.Repeat([]byte("x"), 100), uint8(50))
	f.Add(frame.Token{1, 2}.AppendFence(nil, 'E', "a"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		l, token := newLines(), frame.Token{0xfe, 0, '\n', 0xfe}
		if bytes.Contains(text, token[:4]) {
			return
		}
		j := newJournal(l, fc.LogRecord{Project: "p", Logstore: "l"}, token, 64, time.Now, [2]int{-1, -1}, nil)
		sent(j, "a")
		j.handOver()
		l.all = nil
		in := append(token.AppendFence(nil, 'S', "a"), text...)
		feed(j.pipe[0], token.AppendFence(in, 'E', "a"), int(size)+1)
		j.pipe[0].close()
		var got bytes.Buffer
		for _, s := range l.seen() {
			if s.ID != "a" || s.Late || len(s.Text) > 64 {
				t.Fatalf("record %+v", s)
			}
			got.WriteString(s.Text)
		}
		if want := bytes.ReplaceAll(text, []byte("\n"), nil); !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%q became %q", text, got.Bytes())
		}
	})
}

func TestPlainHeader(t *testing.T) {
	for header, want := range map[string]bool{
		`{"id":"a"}`: true, `{"id": "a"}`: true, `{"id":"b"}`: false, `{"id":"a","exit":true}`: false, `{}`: false, ``: false,
		`{"id":`: false, `{"id":"a"`: false, `{"id":"a"}}`: false, `{"id":xa"}`: false,
	} {
		if got := plainHeader([]byte(header), "a"); got != want {
			t.Errorf("%s: %v", header, got)
		}
	}
}
