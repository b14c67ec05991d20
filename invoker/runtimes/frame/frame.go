package frame

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Bounds of one frame. What crosses them is not read: the peer is broken or hostile, and is to be killed.
const (
	MaxTotal  = 64 << 20 // value of the total field, bytes
	MaxHeader = 1 << 20  // value of the hdrLen field, bytes
)

const (
	preludeSize = 9       // total, type, hdrLen
	joinBelow   = 1 << 16 // bodies up to here travel in one write with their header
	readAhead   = 8 << 10 // what a Reader holds for as long as it lives: small, as most wait; larger bodies are read in place
	firstRead   = 1 << 20 // most that is set aside for a body on the word of its length field alone
)

// Type says what a frame is. A bootstrap ignores types that it does not know; 20-31 are kept for later.
type Type uint8

// The frame types. 1-5 go to the bootstrap, 16-19 come from it.
const (
	TypeHello     Type = 1
	TypeInit      Type = 2
	TypeInvoke    Type = 3
	TypePreStop   Type = 4
	TypePreFreeze Type = 5
	TypeReady     Type = 16
	TypeResult    Type = 17
	TypeHandled   Type = 18 // the function reported an error through its callback
	TypeUnhandled Type = 19 // the function threw, could not be loaded, or gave something that is no result
)

// Errors of a Reader besides io.EOF (the pipe ended between two frames) and io.ErrUnexpectedEOF (inside one).
var (
	ErrTooLarge  = errors.New("frame too large")
	ErrMalformed = errors.New("malformed frame")
)

// Frame is one frame as read. Header and Body are the reader's caller's to keep.
type Frame struct {
	Type   Type
	Header json.RawMessage // a JSON object, not yet checked
	Body   []byte
	// Dropped is the length of a body that Reader.MaxBody kept out of Body, 0 otherwise.
	Dropped int
}

// Message is one frame to write. A nil Header is written as {}.
type Message struct {
	Type   Type
	Header any // encodes to a JSON object
	Body   []byte
}

// Reader reads frames. Not for concurrent use.
type Reader struct {
	// MaxBody is the longest body to keep, bytes; 0: any. A longer one is read to its end, so that the stream stays in
	// step, and thrown away, so that it costs no memory.
	MaxBody int

	r       *bufio.Reader
	prelude [preludeSize]byte // of the frame at hand
}

// NewReader makes a Reader. It reads ahead, so nothing else may read from r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, readAhead)} }

// Read waits for the next frame. A frame that breaks the bounds gives an error that wraps ErrTooLarge or ErrMalformed;
// after any error the stream is out of step and must be closed.
func (r *Reader) Read() (Frame, error) {
	p := r.prelude[:]
	if _, err := io.ReadFull(r.r, p); err != nil {
		return Frame{}, err
	}
	total, hdrLen := binary.BigEndian.Uint32(p[:4]), binary.BigEndian.Uint32(p[5:])
	switch {
	case total > MaxTotal:
		return Frame{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, total, MaxTotal)
	case hdrLen > MaxHeader:
		return Frame{}, fmt.Errorf("%w: header of %d bytes, at most %d", ErrTooLarge, hdrLen, MaxHeader)
	case total < 5+hdrLen:
		return Frame{}, fmt.Errorf("%w: %d bytes cannot hold a header of %d", ErrMalformed, total, hdrLen)
	}
	if body := int(total - 5 - hdrLen); r.MaxBody > 0 && body > r.MaxBody {
		return r.drop(Type(p[4]), int(hdrLen), body)
	}
	rest, err := r.bytes(int(total) - 5)
	if err != nil {
		return Frame{}, err
	}
	return Frame{Type: Type(p[4]), Header: rest[:hdrLen:hdrLen], Body: rest[hdrLen:]}, nil
}

// Ready tells whether a whole frame has been read ahead: Read will give it, or its error, without waiting.
func (r *Reader) Ready() bool {
	if r.r.Buffered() < preludeSize {
		return false
	}
	p, err := r.r.Peek(4)
	return err == nil && int64(r.r.Buffered()) >= 4+int64(binary.BigEndian.Uint32(p))
}

// drop reads a frame without keeping its body.
func (r *Reader) drop(t Type, header, body int) (Frame, error) {
	h, err := r.bytes(header)
	if err != nil {
		return Frame{}, err
	}
	if _, err := io.CopyN(io.Discard, r.r, int64(body)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	return Frame{Type: t, Header: h, Dropped: body}, nil
}

// bytes reads n bytes. Memory is taken as the bytes come, so that a length field alone costs at most firstRead.
func (r *Reader) bytes(n int) ([]byte, error) {
	b := make([]byte, min(n, firstRead))
	for have := 0; ; {
		m, err := io.ReadFull(r.r, b[have:])
		if have += m; err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if have == n {
			return b, nil
		}
		b = slices.Grow(b, min(n-have, have))[:min(n, 2*have)]
	}
}

// Writer writes frames. Not for concurrent use.
type Writer struct {
	w          io.Writer
	heads, buf []byte // memory for the next messages
}

// NewWriter makes a Writer. w must write all it is given or fail, as os.File does.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes the messages in order. Small ones leave in a single write, so that a HELLO and its first INVOKE wake the
// peer once. Bodies beyond the pipe's buffer need a peer that reads: write and read in separate goroutines. Nothing is
// written when a message breaks the bounds (an error that wraps ErrTooLarge) or its header does not encode.
func (w *Writer) Write(msgs ...Message) error {
	w.heads = w.heads[:0]
	ends := make([]int, 0, 4) // of the heads
	for _, m := range msgs {
		var err error
		if w.heads, err = appendHead(w.heads, m); err != nil {
			return err
		}
		ends = append(ends, len(w.heads))
	}
	w.buf = w.buf[:0]
	begin := 0
	for i, m := range msgs {
		w.buf = append(w.buf, w.heads[begin:ends[i]]...)
		begin = ends[i]
		if len(m.Body) <= joinBelow {
			w.buf = append(w.buf, m.Body...)
			continue
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if _, err := w.w.Write(m.Body); err != nil {
			return err
		}
	}
	return w.Flush()
}

// Prepare encodes messages, as Write does, for the next Flush, and returns how many bytes they have. What was prepared
// before and not flushed is forgotten.
func (w *Writer) Prepare(msgs ...Message) (size int, err error) {
	w.buf = w.buf[:0]
	for _, m := range msgs {
		if w.buf, err = appendHead(w.buf, m); err != nil {
			w.buf = w.buf[:0]
			return 0, err
		}
		w.buf = append(w.buf, m.Body...)
	}
	return len(w.buf), nil
}

// Flush writes what was prepared, in a single write.
func (w *Writer) Flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.w.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// appendHead appends everything of a frame before its body.
func appendHead(dst []byte, m Message) ([]byte, error) {
	begin := len(dst)
	dst = append(dst, make([]byte, preludeSize)...)
	dst, err := appendHeader(dst, m.Header)
	if err != nil {
		return nil, fmt.Errorf("header of frame type %d: %w", m.Type, err)
	}
	header := len(dst) - begin - preludeSize
	if header > MaxHeader {
		return nil, fmt.Errorf("%w: header of %d bytes, at most %d", ErrTooLarge, header, MaxHeader)
	}
	total := 5 + header + len(m.Body)
	if total > MaxTotal {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, total, MaxTotal)
	}
	p := dst[begin:]
	binary.BigEndian.PutUint32(p, uint32(total))
	p[4] = byte(m.Type)
	binary.BigEndian.PutUint32(p[5:], uint32(header))
	return dst, nil
}

func appendHeader(dst []byte, header any) ([]byte, error) {
	switch h := header.(type) {
	case nil:
		return append(dst, "{}"...), nil
	case *Request:
		if h.plain() {
			return h.appendPlain(dst), nil
		}
	}
	b, err := json.Marshal(header)
	return append(dst, b...), err
}
