package invoker

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestAnswersWaitForTheDeadlineOfTheRequestInFlight(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	a, err := newAnswers(r)
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Second)
	if err := a.expect(past); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if _, err := a.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read after the deadline: %v", err)
	}
	// The deadline that is set has passed; the next request has one of its own.
	if err := a.expect(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if a.armed != past {
		t.Error("an earlier deadline was set anew")
	}
	w.WriteString("answer")
	if n, err := a.Read(b); string(b[:n]) != "answer" || err != nil {
		t.Errorf("read %q, %v", b[:n], err)
	}
	// A request that has less time than what is set.
	if err := a.expect(past); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read after an earlier deadline: %v", err)
	}
}
