package local

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"fcd/fc"
)

// Printer shows the log lines of one function as they come. It is an invoker.Logs.
type Printer struct {
	ref    fc.FunctionRef // lines of other functions are not shown
	colour bool

	mu  sync.Mutex // guards out
	out *bufio.Writer
}

// NewPrinter writes to w, in colours if w is a terminal that wants them.
func NewPrinter(w io.Writer, ref fc.FunctionRef) *Printer {
	return &Printer{ref: ref, colour: Colours(w), out: bufio.NewWriter(w)}
}

// Colours tells whether w is a terminal, and one that shows colours: NO_COLOR and TERM=dumb say that it does not.
func Colours(w io.Writer) bool {
	return Terminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// Terminal tells whether w is a terminal.
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Append shows lines. A record may hold carriage returns for the newlines of one log call.
func (p *Printer) Append(rs ...fc.LogRecord) {
	for _, r := range rs {
		if r.Service == p.ref.Service && r.Function == p.ref.Function {
			p.Line(strings.ReplaceAll(r.Message, "\r", "\n"))
		}
	}
}

// Line shows one line of text as a line of the log.
func (p *Printer) Line(text string) { p.show(colourOf(text), text) }

// Note shows something that is not the function's own.
func (p *Printer) Note(text string) { p.show(cyan, text) }

// Problem is a Note that calls for a look.
func (p *Printer) Problem(text string) { p.show(red, text) }

func (p *Printer) show(colour, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.colour && colour != "" {
		text = colour + text + reset
	}
	fmt.Fprintln(p.out, text)
	p.out.Flush()
}

// Colours of a terminal.
const (
	reset  = "\x1b[0m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
)

var levelForm = regexp.MustCompile(`^[0-9T:.-]{23}Z \S+ \[?([A-Za-z]+)\]? `)

// colourOf is dim for the daemon's own lines, red and yellow for errors and warnings.
func colourOf(text string) string {
	if strings.HasPrefix(text, "FC Invoke ") || strings.HasPrefix(text, "FC Initialize ") {
		return dim
	}
	m := levelForm.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	switch strings.ToLower(m[1]) {
	case "error", "critical", "fatal":
		return red
	case "warn", "warning":
		return yellow
	case "verbose", "debug", "trace":
		return dim
	}
	return ""
}
