package invoker

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// The acts of a hostile function. A script is a row of them: the act, the number of its words, its words, in which TOKEN
// stands for the true fence token of the instance and VICTIM for the request of another function.
const (
	sayOut    = iota // on the standard output
	sayErr           // on the standard error
	sayFrames        // on the frames' pipe
	early            // a result of its own request
	foreign          // a result of the victim's
	huge             // a frame as large as the first four words say, of which nothing follows
	forge            // fences of another token around lines, on both log pipes
	steal            // fences of the true one, with the victim's name
	shut             // close the pipe that the first word says: 1 to 4
	flood            // the words over and over, on the three pipes at once
	acts             // how many there are
)

const floodBytes = 256 << 10

// act does what a script says.
func (c *child) act(script []byte, victim string) {
	for len(script) >= 2 {
		what, n := script[0]%acts, min(int(script[1]), len(script)-2)
		words := bytes.ReplaceAll(script[2:2+n], []byte("TOKEN"), c.token[:])
		words = bytes.ReplaceAll(words, []byte("VICTIM"), []byte(victim))
		script = script[2+n:]
		first := byte(0)
		if len(words) > 0 {
			first = words[0]
		}
		switch what {
		case sayOut:
			os.Stdout.Write(words)
		case sayErr:
			os.Stderr.Write(words)
		case sayFrames:
			c.raw.Write(words)
		case early:
			c.result(c.request.ID, words)
		case foreign:
			c.result(victim, words)
		case huge:
			head := append(slices.Clone(words[:min(len(words), 4)]), 0xff, 0xff, 0xff, 0xff)[:4]
			c.raw.Write(append(head, byte(frame.TypeResult), 0, 0, 0, 2, '{', '}'))
		case forge:
			c.forge(frame.NewToken(), first, victim)
		case steal:
			c.forge(c.token, first, victim)
		case shut:
			_ = syscall.Close(1 + int(first%4)) // it may be closed
		case flood:
			c.flood(words)
		}
	}
}

// result says that a request is answered.
func (c *child) result(id string, body []byte) {
	_ = c.out.Write(frame.Message{Type: frame.TypeResult, Header: frame.Answer{ID: id}, Body: body}) // the pipe may be closed
}

// forge claims that lines are another request's.
func (c *child) forge(token frame.Token, mark byte, victim string) {
	text := slices.Concat([]byte{0}, token[:], []byte{"SELU"[mark%4]}, []byte(victim+"\nstolen\n"))
	os.Stdout.Write(text)
	os.Stderr.Write(text)
}

// flood fills all pipes at once.
func (c *child) flood(words []byte) {
	line := append(bytes.Repeat(append(words, ' '), 1<<10/(len(words)+1)), '\n')
	b := bytes.Repeat(line, floodBytes/len(line))
	var all sync.WaitGroup
	for _, f := range []*os.File{os.Stdout, os.Stderr, c.raw} {
		all.Go(func() { f.Write(b) })
	}
	all.Wait()
}

// FuzzPipesOfAHostileFunction lets a function do anything to its pipes before it answers. Its own call may fail; the calls
// after it and those of another function, before, beside and after it, may not, and no line of the other's is touched.
func FuzzPipesOfAHostileFunction(f *testing.F) {
	say := func(act byte, words string) []byte { return append([]byte{act, byte(len(words))}, words...) }
	together := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	f.Add([]byte{})
	f.Add(say(early, "early"))
	f.Add(together(say(early, "first"), say(early, "second")))
	f.Add(say(foreign, "another's"))
	f.Add(say(huge, "\xff\xff\xff\xff"))
	f.Add(say(huge, "\x03\xff\xff\xff"))
	f.Add(say(huge, "\x00\x00\x00\x00"))
	f.Add(say(sayFrames, string(binary.BigEndian.AppendUint32(nil, 7))+"\x10\x00\x00\x00\x02{}"))
	for mark := range "SELU" {
		f.Add(say(forge, string(rune(mark))))
		f.Add(say(steal, string(rune(mark))))
	}
	f.Add(together(say(sayOut, "\x00TOKEN"), say(sayErr, "a\x00TOKENShostile\n\x00TOK"), say(sayOut, "EVICTIM\n")))
	for fd := range 4 {
		f.Add(say(shut, string(rune(fd))))
	}
	f.Add(together(say(shut, "\x00"), say(shut, "\x01"), say(early, "without logs")))
	f.Add(say(flood, ""))
	f.Add(say(flood, "\x00TOKENSVICTIM\n"))
	f.Add(together(say(early, "done"), say(flood, "\xff\xff")))

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
	f.Fuzz(func(t *testing.T, script []byte) {
		n++
		victim := fmt.Sprint("victim-", n)
		var beside fc.Result
		var both sync.WaitGroup
		both.Go(func() { beside = call(honest, victim, "print mine\n") })
		call(hostile, fmt.Sprint("hostile-", n), fmt.Sprintf("acts %s %x", victim, script[:min(len(script), 4<<10)]))
		both.Wait()
		// What it said beyond its answer may cost it the next call, not the one after that.
		for try := range 3 {
			if res := call(hostile, fmt.Sprintf("again-%d-%d", n, try), "echo x"); string(res.Body) == "x" {
				break
			} else if try == 2 {
				t.Errorf("the function does not recover: %+v", res)
			}
		}
		if beside.ErrorType != "" {
			t.Errorf("another function: %+v", beside)
		}
		if lines := w.lines.ended(t, victim); len(lines) != 3 || lines[1] != "mine" {
			t.Errorf("the lines of another function: %q", lines)
		}
		if res := call(honest, fmt.Sprint("after-", n), "echo x"); string(res.Body) != "x" {
			t.Errorf("another function afterwards: %+v", res)
		}
	})
}
