package local

import (
	"bytes"
	"os"
	"testing"

	"fcd/fc"
)

func TestOnlyATerminalGetsColours(t *testing.T) {
	var out bytes.Buffer
	p := NewPrinter(&out, fc.FunctionRef{Service: "dev", Function: "hello"})
	p.Append(fc.LogRecord{Service: "dev", Function: "hello", Message: "2016-08-18T05:38:41.401Z 12 error bad\rline two"})
	p.Append(fc.LogRecord{Service: "dev", Function: "other", Message: "not this one's"})
	p.Note("note")
	p.Problem("problem")
	if got, want := out.String(), "2016-08-18T05:38:41.401Z 12 error bad\nline two\nnote\nproblem\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	f, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if Colours(f) {
		t.Error("a file gets colours")
	}
	p.colour = true
	out.Reset()
	p.Problem("problem")
	p.Line("plain")
	if got, want := out.String(), red+"problem"+reset+"\nplain\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLinesAreColouredByTheirLevel(t *testing.T) {
	const head = "2016-08-18T05:38:41.401Z 1234567890 "
	for _, c := range []struct{ line, want string }{
		{head + "error bad", red}, {head + "[ERROR] bad", red}, {head + "CRITICAL bad", red},
		{head + "warn careful", yellow}, {head + "WARNING careful", yellow},
		{head + "info fine", ""}, {head + "verbose chatter", dim}, {head + "errors many", ""},
		{"FC Invoke Start RequestId: 12", dim}, {"FC Initialize End RequestId: 12", dim},
		{"error at the start", ""}, {"", ""},
	} {
		if got := colourOf(c.line); got != c.want {
			t.Errorf("%q: %q, want %q", c.line, got, c.want)
		}
	}
}
