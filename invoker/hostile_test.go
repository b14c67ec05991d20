package invoker

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// FuzzPipesOfAHostileFunction lets a function say anything on its frames' pipe or a log pipe before it answers. Its own
// call may fail; the calls after it and those of another function may not, and no line of the other's is touched. TOKEN
// in what is said stands for the true fence token of the instance.
func FuzzPipesOfAHostileFunction(f *testing.F) {
	said := func(m frame.Message) []byte {
		var b bytes.Buffer
		if err := frame.NewWriter(&b).Write(m); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	f.Add(byte(4), []byte{})
	f.Add(byte(4), said(frame.Message{Type: frame.TypeResult, Header: frame.Answer{ID: "hostile"}, Body: []byte("early")}))
	f.Add(byte(4), said(frame.Message{Type: frame.TypeResult, Header: frame.Answer{ID: "other"}, Body: []byte("another's")}))
	f.Add(byte(4), said(frame.Message{Type: frame.TypeReady, Header: frame.Ready{V: 1}}))
	f.Add(byte(4), []byte{0xff, 0xff, 0xff, 0xff, 17, 0, 0, 0, 2, '{', '}'})
	f.Add(byte(4), []byte{0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, mark := range "SELU" {
		f.Add(byte(1), []byte("\x00TOKEN"+string(mark)+"victim\nstolen\n"))
		f.Add(byte(2), []byte("a\x00TOKEN"+string(mark)+"hostile\n\x00TOKEN"))
	}
	w := newWorld(f, nil)
	hostile := w.functions.set("hostile", func(_ *fc.Service, fn *fc.Function) { fn.TimeoutSeconds = 1 })
	honest := w.functions.set("victim", nil)
	n := 0
	call := func(ref fc.FunctionRef, id, event string) fc.Result {
		res, err := w.Invoke(context.Background(), fc.Call{RequestID: id, Ref: ref, Payload: []byte(event)})
		if err != nil {
			f.Logf("%s: %v", id, err)
		}
		return res
	}
	f.Fuzz(func(t *testing.T, fd byte, b []byte) {
		n++
		fd = []byte{1, 2, 4}[fd%3]
		call(hostile, fmt.Sprint("hostile-", n), fmt.Sprintf("raw %d %x", fd, b[:min(len(b), 4<<10)]))
		// What it said beyond its answer may cost it the next call, not the one after that.
		for try := range 3 {
			if res := call(hostile, fmt.Sprintf("again-%d-%d", n, try), "echo x"); string(res.Body) == "x" {
				break
			} else if try == 2 {
				t.Errorf("the function does not recover: %+v", res)
			}
		}
		id := fmt.Sprint("victim-", n)
		if res := call(honest, id, "print mine\n"); res.ErrorType != "" {
			t.Errorf("another function: %+v", res)
		}
		if lines := w.lines.ended(t, id); len(lines) != 3 || lines[1] != "mine" {
			t.Errorf("the lines of another function: %q", lines)
		}
	})
}
