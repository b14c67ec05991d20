package ready

import (
	"os"
	"testing"
)

func TestWhatBecomesReadableIsToldOnce(t *testing.T) {
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	raw, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{}, 10)
	watch := func() (cancel func()) {
		t.Helper()
		cerr := raw.Control(func(fd uintptr) { cancel, err = p.Once(int(fd), func() { told <- struct{}{} }) })
		if cerr != nil || err != nil {
			t.Fatal(cerr, err)
		}
		return cancel
	}
	for range 3 { // each watch is for one time
		watch()
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		<-told
		if _, err := r.Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
	}
	watch()()
	if n := p.Waits(); n != 0 {
		t.Errorf("%d are waited for after they were told or cancelled", n)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	watch() // something is there already
	<-told
	if len(told) != 0 {
		t.Error("a cancelled watch was told")
	}
}

func TestAfterCloseNothingIsWatched(t *testing.T) {
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := p.Once(0, func() {}); err == nil {
		t.Error("a closed poller watches")
	}
}
