package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fcd/store"
)

// inWriter does something between two groups.
func inWriter(t *testing.T, s *Store, do func(*writer)) {
	t.Helper()
	if _, err := s.alone(t.Context(), func(w *writer) (int64, error) { do(w); return 0, nil }); err != nil {
		t.Fatal(err)
	}
}

// TestATornTailLosesOnlyItsFrame, which nobody was told of, and the next one takes its place.
func TestATornTailLosesOnlyItsFrame(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	accept(t, s, message("f", "a"), message("f", "b"))
	accept(t, s, message("f", "c"))
	end := s.burstLog.end
	accept(t, s, message("f", "d"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for cut := end; cut <= s.burstLog.end; cut += 13 {
		torn := read(t, dir)
		torn[logName] = torn[logName][:cut]
		to := torn.on(t)
		sound(t, to)
		s := folding(t, to)
		folded(t, s, 3)
		if ids := accept(t, s, message("f", "e")); ids[0] != 4 {
			t.Errorf("cut at %d: the next message is %d", cut, ids[0])
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := waiting(t, to, "f"); fmt.Sprint(got) != "[a b c e]" {
			t.Errorf("cut at %d: %v wait", cut, got)
		}
	}
}

// TestTheLogBeginsAgain when all of it is unfolded, and what stands behind its new end is not replayed.
func TestTheLogBeginsAgain(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	for i := range 5 {
		accept(t, s, message("f", fmt.Sprint("a", i)))
	}
	first := s.bursts.all[0]
	take(t, s, "f", 5)
	for pass, id := range []string{"b0", "c0", "d0"} {
		accept(t, s, message("f", id))
		if b := s.bursts.all[0]; b.at != logHead || b.size != first.size || b.seq != int64(6+pass) {
			t.Errorf("the first frame of another pass is %+v", b)
		}
		if got := waiting(t, read(t, dir).on(t), "f"); len(got) != 6+pass { // those of before are in the queue
			t.Errorf("behind a kill %v wait", got)
		}
		take(t, s, "f", 1)
		inWriter(t, s, func(w *writer) {
			if m, err := marks(w.c); err != nil || len(m) != 1 || !m[int64(6+pass)] {
				t.Errorf("marked are %v, %v", m, err)
			}
		})
	}
	if info, err := s.burstLog.f.Stat(); err != nil || info.Size() != logHead+first.size+aheadBytes || s.burstLog.size != info.Size() {
		t.Errorf("the file has %d bytes, %v; it has grown once, by much", info.Size(), err)
	}
}

// TestMarksStayUntilTheFrameInTheirPlaceIsOnDisk: the disk may still have the ones they are about.
func TestMarksStayUntilTheFrameInTheirPlaceIsOnDisk(t *testing.T) {
	g := newGate()
	s := folding(t, t.TempDir(), func(o *Options) { o.flush = g.flush })
	flushed := func() {
		<-g.begun
		g.pass <- nil
	}
	marked := func(want string) {
		t.Helper()
		inWriter(t, s, func(w *writer) {
			if m, err := marks(w.c); err != nil || fmt.Sprint(m) != want {
				t.Errorf("marked are %v, %v, want %s", m, err, want)
			}
		})
	}
	one := handed(t, s, store.Batch{Enqueue: messages("one", 1)})
	flushed()
	<-one.answered
	take(t, s, "one", 1)
	two := handed(t, s, store.Batch{Enqueue: messages("two", 1)})
	flushed() // the database, before the file is overwritten
	<-g.begun
	if err := s.unfoldOf(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	marked("map[1:true 2:true]")
	g.pass <- nil
	<-two.answered
	three := handed(t, s, store.Batch{Enqueue: messages("three", 1)})
	flushed()
	flushed()
	<-three.answered
	take(t, s, "three", 1)
	marked("map[3:true]")
}

// TestALogThatIsReadForACopyIsNotOverwritten.
func TestALogThatIsReadForACopyIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	held, err := holdLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		accept(t, s, message("f", fmt.Sprint(i)))
		if b := s.bursts.all[0]; b.at != logHead+int64(i)*b.size {
			t.Errorf("frame %d stands at %d", i, b.at)
		}
		take(t, s, "f", 1)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	accept(t, s, message("f", "3"))
	if b := s.bursts.all[0]; b.at != logHead || b.seq != 4 {
		t.Errorf("then the next one is %+v", b)
	}
}

// TestALargeLogIsCutAtRest.
func TestALargeLogIsCutAtRest(t *testing.T) {
	s := folding(t, t.TempDir())
	accept(t, s, message("f", "a"))
	inWriter(t, s, func(w *writer) {
		w.s.burstLog.end = keptBytes + 1000
		if err := w.s.burstLog.f.Truncate(keptBytes + 1000); err != nil {
			t.Error(err)
		}
	})
	take(t, s, "f", 1)
	inWriter(t, s, func(w *writer) {
		w.busy = false
		w.unfoldAtRest()
	})
	if info, err := s.burstLog.f.Stat(); err != nil || info.Size() != keptBytes {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	accept(t, s, message("f", "b"))
	if b := s.bursts.all[0]; b.at != logHead {
		t.Errorf("the next frame is %+v", b)
	}
}

// TestAStoreIsOpenedWithPartOfItsLogUnfolded.
func TestAStoreIsOpenedWithPartOfItsLogUnfolded(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	for _, fn := range []string{"f", "g", "h", "g"} {
		accept(t, s, messages(fn+fmt.Sprint(s.burstLog.seq), 10)...)
	}
	take(t, s, "g1", 1)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		sound(t, dir)
		s = folding(t, dir)
		folded(t, s, 30)
		last := s.counted(t).id
		if next := accept(t, s, message("x", fmt.Sprint(last)))[0]; next != last+1 {
			t.Errorf("behind %d the next id is %d", last, next)
		}
		take(t, s, "x", 10)
	}
	for _, fn := range []string{"f0", "g1", "h2", "g3"} {
		if got := take(t, s, fn, 20); len(got) != 10 {
			t.Errorf("of %s came %v", fn, got)
		}
	}
	folded(t, s, 0)
}

// TestAFrameThatTheDatabaseKnowsAndTheLogDoesNot: it was unfolded before it was flushed, and only that was on disk when the
// power went. The next one goes on without it.
func TestAFrameThatTheDatabaseKnowsAndTheLogDoesNot(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	accept(t, s, message("f", "a"))
	end := s.burstLog.end
	accept(t, s, message("g", "b"))
	take(t, s, "g", 1)
	for round, id := range []string{"c", "d"} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			if err := os.Truncate(filepath.Join(dir, logName), end); err != nil {
				t.Fatal(err)
			}
		}
		s = folding(t, dir)
		accept(t, s, message("f", id))
		if b := s.bursts.get(int64(3 + round)); b == nil || b.seq != int64(3+round) {
			t.Errorf("the next frame is %+v", b)
		}
	}
	folded(t, s, 3)
	if got := waiting(t, read(t, dir).on(t), "f"); fmt.Sprint(got) != "[a c d]" {
		t.Errorf("%v wait", got)
	}
}

// counted are the writer's counters.
func (s *Store) counted(t *testing.T) (n counters) {
	inWriter(t, s, func(w *writer) { n = w.counters })
	return n
}

// TestALogOfAnotherDatabaseIsSetAside, as when a database was brought back from a copy beside the log of the time after it.
func TestALogOfAnotherDatabaseIsSetAside(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	accept(t, s, messages("f", 5)...)
	copied := t.TempDir()
	if err := s.Backup(t.Context(), filepath.Join(copied, fileName)); err != nil {
		t.Fatal(err)
	}
	accept(t, s, messages("later", 5)...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	restored := read(t, copied)
	restored[logName] = read(t, dir)[logName]
	to := restored.on(t)
	for round := range 2 {
		look, err := Inspect(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		if problems, err := look.Check(); err != nil || len(problems) != 1 || problems[0] != errForeign.Error() {
			t.Errorf("check: %v, %v", problems, err)
		}
		if err := look.Copy(t.Context(), filepath.Join(t.TempDir(), "copy")); err != nil {
			t.Error(err)
		}
		look.Close()
		core, logs := observer.New(zap.WarnLevel)
		s = folding(t, to, func(o *Options) { o.Log = zap.New(core) })
		folded(t, s, 0)
		aside := fmt.Sprint(filepath.Join(to, logName), ".", round+1)
		if all := logs.All(); len(all) != 1 || all[0].ContextMap()["file"] != aside {
			t.Errorf("logged: %v", all)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(aside)
		if err != nil || string(b) != string(restored[logName]) {
			t.Errorf("aside stands %q, %v", b, err)
		}
		if err := os.WriteFile(filepath.Join(to, logName), restored[logName], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := waiting(t, restored.on(t), "f"); len(got) != 5 {
		t.Errorf("%v wait", got)
	}
}

// TestADamagedLogIsFound by a check, and no store is opened that would go on without what was accepted.
func TestADamagedLogIsFound(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	accept(t, s, messages("f", 10)...)
	accept(t, s, messages("g", 10)...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole := read(t, dir)
	for what, damage := range map[string]func(b []byte, l *burstLog){
		"bytes":    func(b []byte, _ *burstLog) { b[logHead+frameHead+5] ^= 1 },
		"its head": func(b []byte, l *burstLog) { b[logHead+frameHead] = '2'; reseal(b[logHead:], l.seed) },
	} {
		damaged := image{fileName: whole[fileName], logName: slices.Clone(whole[logName])}
		damage(damaged[logName], s.burstLog)
		to := damaged.on(t)
		look, err := Inspect(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		if problems, err := look.Check(); err != nil || len(problems) != 1 || !strings.HasPrefix(problems[0], logName+": frame 1: ") {
			t.Errorf("%s: %v, %v", what, problems, err)
		}
		if err := look.Copy(t.Context(), filepath.Join(t.TempDir(), "copy")); err == nil {
			t.Errorf("%s: copied", what)
		}
		look.Close()
		if _, err := Open(t.Context(), Options{Dir: to}); err == nil || !strings.Contains(err.Error(), "frame 1") {
			t.Errorf("%s: opened with %v", what, err)
		}
	}
}

// reseal makes the first frame of b whole.
func reseal(b []byte, before uint32) {
	f, _ := readFrame(b)
	seal(b[:f.size()], f.seq, int(f.head), before)
}

// TestADiskWithoutRoomForTheLogRefusesOnlyWhatGoesThere, and another error of it is final.
func TestADiskWithoutRoomForTheLogRefusesOnlyWhatGoesThere(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	accept(t, s, message("f", "before"))
	var own *os.File
	write := func(name string, mode int) {
		t.Helper()
		f, err := os.OpenFile(name, mode, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		inWriter(t, s, func(w *writer) { own, w.s.burstLog.f = w.s.burstLog.f, f })
	}
	write("/dev/full", os.O_WRONLY)
	for i := range 3 {
		if _, err := s.Apply(t.Context(), store.Batch{Enqueue: messages("full", 3)}); !errors.Is(err, store.ErrNoSpace) {
			t.Errorf("try %d: %v", i, err)
		}
	}
	named := message("f", "named")
	named.InvocationID = "named"
	accept(t, s, named)
	inWriter(t, s, func(w *writer) {
		w.s.burstLog.f = own
		if _, err := own.WriteAt([]byte(frameForm+"half a frame"), w.s.burstLog.end); err != nil {
			t.Error(err)
		}
	})
	accept(t, s, messages("full", 3)...)
	folded(t, s, 4)
	if got := waiting(t, read(t, dir).on(t), "f"); fmt.Sprint(got) != "[before named]" {
		t.Errorf("%v wait", got)
	}
	write(filepath.Join(dir, logName), os.O_RDONLY)
	t.Cleanup(func() { own.Close() })
	if _, err := s.Apply(t.Context(), store.Batch{Enqueue: messages("broken", 3)}); !errors.Is(err, store.ErrFatal) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Apply(t.Context(), store.Batch{Enqueue: []store.Msg{named}}); !errors.Is(err, store.ErrFatal) {
		t.Errorf("got %v", err)
	}
}

// handed puts a Batch before the writer and does not wait.
func handed(t *testing.T, s *Store, b store.Batch) *job {
	t.Helper()
	j := s.newJob(t.Context())
	j.batch = b
	var err error
	if j.ops, j.size, err = measure(&b); err != nil {
		t.Fatal(err)
	}
	s.jobs <- j
	return j
}

// TestAGroupOfBothIsAnsweredAfterBothFlushes: one job of it stands in the burst log, one in the database.
func TestAGroupOfBothIsAnsweredAfterBothFlushes(t *testing.T) {
	for _, fails := range []bool{false, true} {
		g := newGate()
		s := folding(t, t.TempDir(), func(o *Options) { o.flush = g.flush })
		first := enqueue(s, "first")
		<-g.begun
		logged := handed(t, s, store.Batch{Enqueue: messages("f", 3)})
		stands := handed(t, s, store.Batch{Enqueue: []store.Msg{message("f", "other")}, Fates: []store.Fate{{EventID: "e", State: store.FateQueued}}})
		g.pass <- nil // what waits by then is in one group
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		<-g.begun
		<-g.begun
		g.pass <- nil
		select {
		case <-logged.answered:
			t.Errorf("answered before the second flush: %v", logged.result.err)
		case <-stands.answered:
			t.Errorf("the other was answered before the second flush: %v", stands.result.err)
		default:
		}
		var err error
		if fails {
			err = errors.New("input/output error")
		}
		g.pass <- err
		for _, j := range []*job{logged, stands} {
			<-j.answered
			if err := j.result.err; errors.Is(err, store.ErrFatal) != fails || !fails && err != nil {
				t.Errorf("answered with %v", err)
			}
		}
		if !fails {
			if ids := claimed(t, s); fmt.Sprint(ids) != "[first f/0 f/1 f/2 other]" {
				t.Errorf("claimed %v", ids)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
