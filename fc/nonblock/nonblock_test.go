package nonblock

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

type end interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

// ends makes the two ends of a pipe and of a connection, what is written to the first is read from the second.
func ends(t *testing.T) map[string][2]end {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	one, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range []io.Closer{r, w, one, other} {
			c.Close()
		}
	})
	return map[string][2]end{"pipe": {w, r}, "connection": {one, other}}
}

func stream(t *testing.T, c any) *Stream {
	t.Helper()
	s, err := New(c.(syscall.Conn))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEverythingArrives(t *testing.T) {
	for name, c := range ends(t) {
		t.Run(name, func(t *testing.T) {
			sent := make([]byte, 3<<20) // far beyond what a pipe or socket holds
			rand.Read(sent)
			failed := make(chan error, 1)
			go func() {
				n, err := stream(t, c[0]).Write(sent)
				if err == nil && n != len(sent) {
					err = io.ErrShortWrite
				}
				failed <- errors.Join(err, c[0].Close())
			}()
			got, err := io.ReadAll(stream(t, c[1]))
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
			}
			if err := <-failed; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEachGetsEverythingPieceByPiece(t *testing.T) {
	for name, c := range ends(t) {
		t.Run(name, func(t *testing.T) {
			buf, next := make([]byte, 8), make(chan Next)
			var got []byte
			read := make(chan int)
			ended := make(chan error, 1)
			go func() {
				ended <- stream(t, c[1]).Each(func() []byte { return buf }, func(n int) Next {
					got = append(got, buf[:n]...)
					read <- n
					return <-next
				})
			}()
			for _, step := range []struct {
				text  string
				reads []int
				next  Next
			}{
				{"abc", []int{3}, Again},
				{"defg", []int{4}, Await},
				{"0123456789", []int{8, 2}, Await}, // behind a full room there may be more
				{"01234567", []int{8}, Await},
				{"h", []int{1}, Done},
			} {
				if _, err := io.WriteString(c[0], step.text); err != nil {
					t.Fatal(err)
				}
				for _, want := range step.reads {
					if n := <-read; n != want {
						t.Errorf("%q: %d bytes in place of %d", step.text, n, want)
					}
					next <- step.next
				}
			}
			if err := <-ended; err != nil || string(got) != "abcdefg012345678901234567h" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestEachTellsTheEnd(t *testing.T) {
	for name, c := range ends(t) {
		t.Run(name, func(t *testing.T) {
			each := func() error {
				return stream(t, c[1]).Each(func() []byte { return make([]byte, 8) }, func(int) Next { return Again })
			}
			c[1].SetDeadline(time.Now().Add(time.Millisecond))
			if err := each(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			c[1].SetDeadline(time.Time{})
			io.WriteString(c[0], "with it")
			c[0].Close()
			if err := each(); err != io.EOF {
				t.Error(err)
			}
			c[1].Close()
			if err := each(); err == nil {
				t.Error("a closed end gave no error")
			}
		})
	}
}

func TestADeadlineAndACloseEndAWait(t *testing.T) {
	for name, c := range ends(t) {
		t.Run(name, func(t *testing.T) {
			r, w := stream(t, c[1]), stream(t, c[0])
			c[1].SetDeadline(time.Now().Add(time.Millisecond))
			if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read %d, %v", n, err)
			}
			c[1].SetDeadline(time.Time{})
			begun := make(chan error, 1)
			go func() {
				_, err := r.Read(make([]byte, 1))
				c[0].SetDeadline(time.Unix(1, 0))
				begun <- err
			}()
			if n, err := w.Write(make([]byte, 16<<20)); n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("wrote %d, %v: some of it goes before there is no room", n, err)
			}
			if err := <-begun; err != nil {
				t.Error(err)
			}
			ended := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, r)
				ended <- err
			}()
			c[1].Close()
			if err := <-ended; err == nil {
				t.Error("a closed end gave no error")
			}
		})
	}
}

func TestWritingToNobodyFails(t *testing.T) {
	c := ends(t)["pipe"]
	c[1].Close()
	if n, err := stream(t, c[0]).Write([]byte("x")); n != 0 || !errors.Is(err, unix.EPIPE) {
		t.Errorf("wrote %d, %v", n, err)
	}
}

func TestReadTellsNothingFromTheEnd(t *testing.T) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	p := make([]byte, 8)
	if _, err := Read(fds[0], p); err != unix.EAGAIN {
		t.Errorf("an empty pipe: %v", err)
	}
	unix.Write(fds[1], []byte("abc"))
	if n, err := Read(fds[0], p); n != 3 || err != nil || string(p[:n]) != "abc" {
		t.Errorf("%d, %v", n, err)
	}
	unix.Close(fds[1])
	if n, err := Read(fds[0], p); n != 0 || err != nil {
		t.Errorf("the end: %d, %v", n, err)
	}
}

func BenchmarkReadAndWrite(b *testing.B) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	p := make([]byte, 64)
	run := func(name string, in io.Reader, out io.Writer) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := out.Write(p); err != nil {
					b.Fatal(err)
				}
				if _, err := in.Read(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	in, _ := New(r)
	out, _ := New(w)
	run("os", r, w)
	run("nonblock", in, out)
}
