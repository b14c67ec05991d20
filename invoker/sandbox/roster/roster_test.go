package roster

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"fcd/invoker/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// thing is an instance that counts its kills.
type thing struct {
	id     string
	of     *Roster[*thing]
	life   *Life
	killed atomic.Int32
	err    error
}

func (i *thing) Kill() error {
	return i.life.Kill(func() error {
		i.killed.Add(1)
		i.of.Forget(i.id)
		return i.err
	})
}

func enter(r *Roster[*thing], id string, start func(context.Context, sandbox.Spec) error) (*thing, error) {
	i := &thing{id: id, of: r, life: NewLife()}
	return i, r.Start(context.Background(), sandbox.Spec{ID: id, Runtime: "test"}, i, start)
}

func fine(context.Context, sandbox.Spec) error { return nil }

func TestAnIDIsOneInstances(t *testing.T) {
	r := New[*thing]()
	a, err := enter(r, "a", fine)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enter(r, "a", fine); err == nil || !strings.Contains(err.Error(), `"a" exists already`) {
		t.Errorf("the same again: %v", err)
	}
	if a.killed.Load() != 0 {
		t.Error("the first paid for it")
	}
	if err := a.Kill(); err != nil {
		t.Error(err)
	}
	if _, err := enter(r, "a", fine); err != nil {
		t.Errorf("after the kill: %v", err)
	}
	if _, err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestAStartThatFailsIsKilled(t *testing.T) {
	r := New[*thing]()
	no := errors.New("no")
	i, err := enter(r, "a", func(context.Context, sandbox.Spec) error { return no })
	if !errors.Is(err, no) || !strings.Contains(err.Error(), "start instance a (test)") {
		t.Errorf("error %v", err)
	}
	if i.killed.Load() != 1 || len(r.IDs()) != 0 {
		t.Errorf("%d kills, left: %q", i.killed.Load(), r.IDs())
	}
}

func TestCloseEndsStartsUnderWayAndAllThatLive(t *testing.T) {
	r := New[*thing]()
	stuck := errors.New("stuck")
	b, err := enter(r, "b", fine)
	if err != nil {
		t.Fatal(err)
	}
	b.err = stuck
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := enter(r, "a", func(ctx context.Context, _ sandbox.Spec) error {
			close(begun)
			<-ctx.Done()
			return errors.New("interrupted")
		})
		ended <- err
	}()
	<-begun
	var firsts atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			first, err := r.Close()
			if first {
				firsts.Add(1)
			}
			if first != errors.Is(err, stuck) {
				t.Errorf("first %v, error %v", first, err)
			}
		})
	}
	all.Wait()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the start under way: %v", err)
	}
	if firsts.Load() != 1 || b.killed.Load() != 1 || len(r.IDs()) != 0 {
		t.Errorf("%d were first, %d kills, left: %q", firsts.Load(), b.killed.Load(), r.IDs())
	}
	if _, err := enter(r, "late", fine); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a start afterwards: %v", err)
	}
}

func TestSpecsAreChecked(t *testing.T) {
	good := sandbox.Spec{ID: "a-1", Path: "/bin/true"}
	d := Defaults{Pids: 99, TmpMB: 7}
	spec := good
	if err := d.Fill(&spec); err != nil {
		t.Fatal(err)
	}
	if spec.Limits.Pids != 99 || spec.TmpMB != 7 || spec.Network != sandbox.NetNone || len(spec.Args) != 1 || spec.Args[0] != "/bin/true" {
		t.Errorf("%+v", spec)
	}
	for want, change := range map[string]func(*sandbox.Spec){
		"instance id":          func(s *sandbox.Spec) { s.ID = "../a" },
		"not an absolute path": func(s *sandbox.Spec) { s.Path = "bin/true" },
		"size of /tmp":         func(s *sandbox.Spec) { s.TmpMB = -1 },
		"memory -1 MB":         func(s *sandbox.Spec) { s.Limits.MemoryMB = -1 },
		"9 thousandths":        func(s *sandbox.Spec) { s.Limits.CPUMilli = 9 },
		"15 processes":         func(s *sandbox.Spec) { s.Limits.Pids = 15 },
	} {
		spec := good
		change(&spec)
		if err := d.Fill(&spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
