package frame

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
)

func raw(total uint32, typ byte, hdrLen uint32, rest string) []byte {
	b := binary.BigEndian.AppendUint32(nil, total)
	b = append(b, typ)
	b = binary.BigEndian.AppendUint32(b, hdrLen)
	return append(b, rest...)
}

func TestReadGivesBackWhatWasWritten(t *testing.T) {
	for _, size := range []int{0, 1, 1024, joinBelow, joinBelow + 1, firstRead - 1, firstRead + 1, 6 << 20} {
		body := bytes.Repeat([]byte{0, 1, 2, '\n', 0xff}, size/5+1)[:size]
		var pipe bytes.Buffer
		err := NewWriter(&pipe).Write(
			Message{Type: TypeHello, Header: Hello{V: 1, Runtime: "python3"}},
			Message{Type: TypeInvoke, Header: Request{ID: "r1"}, Body: body},
			Message{Type: 31},
		)
		if err != nil {
			t.Fatal(err)
		}
		r := NewReader(iotest.HalfReader(&pipe))
		for _, want := range []Type{TypeHello, TypeInvoke, 31} {
			f, err := r.Read()
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if f.Type != want || (want == TypeInvoke && !bytes.Equal(f.Body, body)) {
				t.Fatalf("%d bytes: got type %d with %d bytes, want type %d", size, f.Type, len(f.Body), want)
			}
		}
		if _, err := r.Read(); err != io.EOF {
			t.Errorf("%d bytes: at the end: %v, want EOF", size, err)
		}
	}
}

func TestReadTakesByteByByte(t *testing.T) {
	var pipe bytes.Buffer
	if err := NewWriter(&pipe).Write(Message{Type: TypeResult, Header: Answer{ID: "x"}, Body: []byte("body")}); err != nil {
		t.Fatal(err)
	}
	f, err := NewReader(iotest.OneByteReader(&pipe)).Read()
	if err != nil || string(f.Body) != "body" {
		t.Fatalf("%q, %v", f.Body, err)
	}
}

func TestReadRefuses(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want error
	}{
		{"an empty pipe", nil, io.EOF},
		{"a torn prelude", raw(5, 1, 0, "")[:7], io.ErrUnexpectedEOF},
		{"a torn header", raw(10, 1, 5, `{"`), io.ErrUnexpectedEOF},
		{"a torn body", raw(10, 1, 2, `{}ab`), io.ErrUnexpectedEOF},
		{"a missing body", raw(10, 1, 2, ``), io.ErrUnexpectedEOF},
		{"a total beyond the bound", raw(MaxTotal+1, 1, 2, "{}"), ErrTooLarge},
		{"a header beyond the bound", raw(MaxTotal, 1, MaxHeader+1, "{}"), ErrTooLarge},
		{"a header longer than the frame", raw(6, 1, 2, "{}"), ErrMalformed},
		{"a total below the prelude", raw(4, 1, 0, "{}"), ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewReader(bytes.NewReader(tt.in)).Read(); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestALengthFieldAloneTakesLittleMemory(t *testing.T) {
	in := raw(MaxTotal, 17, 2, "{}")
	got := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := NewReader(bytes.NewReader(in)).Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
				b.Fatal(err)
			}
		}
	})
	if n := got.AllocedBytesPerOp(); n > 2*firstRead {
		t.Errorf("%d bytes set aside for a frame that never came", n)
	}
}

func TestWriteRefusesWholeBatchBeforeAnyByte(t *testing.T) {
	tests := []struct {
		name string
		msg  Message
		want string
	}{
		{"a body beyond the bound", Message{Body: make([]byte, MaxTotal)}, "frame too large"},
		{"a header beyond the bound", Message{Header: map[string]string{"k": strings.Repeat("x", MaxHeader)}}, "frame too large"},
		{"a header that does not encode", Message{Type: 9, Header: func() {}}, "header of frame type 9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var pipe bytes.Buffer
			err := NewWriter(&pipe).Write(Message{Type: TypeHello}, tt.msg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if pipe.Len() > 0 {
				t.Errorf("%d bytes were written", pipe.Len())
			}
		})
	}
}

type countingWriter struct{ writes int }

func (w *countingWriter) Write(b []byte) (int, error) { w.writes++; return len(b), nil }

func TestSmallMessagesLeaveInOneWrite(t *testing.T) {
	var w countingWriter
	err := NewWriter(&w).Write(Message{Type: TypeHello, Header: Hello{}}, Message{Type: TypeInvoke, Body: make([]byte, 1024)})
	if err != nil || w.writes != 1 {
		t.Errorf("%d writes, %v", w.writes, err)
	}
}

func TestWriteReportsAClosedPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	for _, size := range []int{10, joinBelow * 4} {
		if err := NewWriter(w).Write(Message{Type: TypeInvoke, Body: make([]byte, size)}); err == nil {
			t.Errorf("%d bytes into a closed pipe: no error", size)
		}
	}
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name    string
		frame   Frame
		want    Answer
		wantErr bool
	}{
		{"a result", Frame{Type: TypeResult, Header: []byte(`{"id":"a"}`), Body: []byte("x")}, Answer{Type: TypeResult, ID: "a", Body: []byte("x")}, false},
		{"a handled error", Frame{Type: TypeHandled, Header: []byte(`{"id":"a"}`)}, Answer{Type: TypeHandled, ID: "a", Class: ClassHandled}, false},
		{"an unhandled error with a class", Frame{Type: TypeUnhandled, Header: []byte(`{"id":"a","class":"ImportModuleError","exit":true}`)},
			Answer{Type: TypeUnhandled, ID: "a", Class: ClassImport, Exit: true}, false},
		{"an unhandled error without one", Frame{Type: TypeUnhandled, Header: []byte(`{"id":"a"}`)}, Answer{Type: TypeUnhandled, ID: "a", Class: ClassUnhandled}, false},
		{"a request", Frame{Type: TypeInvoke, Header: []byte(`{"id":"a"}`)}, Answer{}, true},
		{"a header that is no JSON", Frame{Type: TypeResult, Header: []byte(`{`)}, Answer{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadAnswer(tt.frame)
			if (err != nil) != tt.wantErr {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadyMustBeOfThisVersion(t *testing.T) {
	got, err := ReadReady(Frame{Type: TypeReady, Header: []byte(`{"v":1,"pid":1,"version":"3.11.2"}`)})
	if want := (Ready{V: 1, PID: 1, Version: "3.11.2"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, f := range []Frame{{Type: TypeReady, Header: []byte(`{"v":2}`)}, {Type: TypeResult, Header: []byte(`{"v":1}`)}, {Type: TypeReady, Header: []byte(`[]`)}} {
		if _, err := ReadReady(f); !errors.Is(err, ErrMalformed) {
			t.Errorf("type %d %s: %v", f.Type, f.Header, err)
		}
	}
}

func TestABodyThatIsTooLongIsReadPast(t *testing.T) {
	var stream bytes.Buffer
	w := NewWriter(&stream)
	for id, size := range map[string]int{"x": 1001, "y": 1000} {
		stream.Reset()
		if err := w.Write(Message{Type: TypeResult, Header: Answer{ID: id}, Body: make([]byte, size)}, Message{Type: TypeResult, Header: Answer{ID: "next"}}); err != nil {
			t.Fatal(err)
		}
		r := NewReader(&stream)
		r.MaxBody = 1000
		f, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		a, err := ReadAnswer(f)
		if err != nil || a.ID != id || len(a.Body)+a.Dropped != size || (a.Dropped > 0) != (size > 1000) {
			t.Errorf("%q: %d bytes, %d dropped, %v", a.ID, len(a.Body), a.Dropped, err)
		}
		if f, err = r.Read(); err != nil || string(f.Header) != `{"id":"next"}` {
			t.Errorf("then %s, %v", f.Header, err)
		}
	}
	r := NewReader(bytes.NewReader(raw(5+2+2000, 17, 2, "{}"+strings.Repeat("x", 1500))))
	r.MaxBody = 1000
	if _, err := r.Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(raw(7, 17, 2, "{}"))
	f.Add(raw(11, 17, 2, `{}body`))
	f.Add(raw(MaxTotal, 17, MaxHeader, `{}`))
	f.Add(raw(5, 16, 0, ""))
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bytes.NewReader(in))
		var back bytes.Buffer
		for {
			fr, err := r.Read()
			if err != nil {
				break
			}
			back.Write(raw(uint32(5+len(fr.Header)+len(fr.Body)), byte(fr.Type), uint32(len(fr.Header)), string(fr.Header)+string(fr.Body)))
			ReadAnswer(fr)
			ReadReady(fr)
		}
		if !bytes.HasPrefix(in, back.Bytes()) {
			t.Errorf("frames read from %q are %q", in, back.Bytes())
		}
	})
}

// Plain requests are rendered without the JSON encoder, to the same bytes.
func TestPlainRequestsAreTheJSONOfOthers(t *testing.T) {
	for _, r := range []Request{
		{ID: "01939a7b-0000-7000-8000-000000000001", DeadlineMS: 1764380000123},
		{ID: "a", RetryCount: 3},
		{ID: "a", DeadlineMS: -1},
		{ID: `quote"`}, {ID: `back\slash`}, {ID: "<&>"}, {ID: "not ASCII é"}, {ID: ""},
		{ID: "a", Credentials: &Credentials{AccessKeyID: "k"}},
		{ID: "a", Tracing: &Tracing{SpanContext: "s"}},
		{ID: "a", HTTP: &fc.HTTPRequest{Path: "/"}},
	} {
		want, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := appendHeader(nil, &r); err != nil || string(got) != string(want) {
			t.Errorf("%+v became %s, want %s, error %v", r, got, want, err)
		}
	}
}
