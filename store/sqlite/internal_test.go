package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"fcd/store"
)

func TestNetworkFileSystemsAreRefused(t *testing.T) {
	cifs := uint32(unix.CIFS_SUPER_MAGIC)
	for magic, refused := range map[int64]bool{
		unix.NFS_SUPER_MAGIC: true, unix.SMB2_SUPER_MAGIC: true, unix.FUSE_SUPER_MAGIC: true, int64(cifs): true,
		int64(int32(cifs)):    true, // as 32-bit machines give it
		unix.EXT4_SUPER_MAGIC: false, unix.XFS_SUPER_MAGIC: false, unix.TMPFS_MAGIC: false, unix.OVERLAYFS_SUPER_MAGIC: false,
	} {
		if err := refuseType("/data", magic); (err != nil) != refused {
			t.Errorf("%x: %v", magic, err)
		}
	}
}

// TestAFullDatabaseRefusesOnlyWhatDoesNotFit bounds the file's pages, which SQLite reports as a full disk before the
// commit: what does not fit is ErrFull, its neighbours go on, and the store has not failed.
func TestAFullDatabaseRefusesOnlyWhatDoesNotFit(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bound := func(pages int) {
		t.Helper()
		_, err := s.upkeep(t.Context(), func(c *conn) (int64, error) {
			return 0, c.script(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	apply := func(key string, size int) error {
		_, err := s.Apply(context.Background(), store.Batch{
			Puts:    []store.Put{{Key: key, Value: make([]byte, size), If: store.IfAny}},
			Enqueue: []store.Msg{{RequestID: key, Fn: "f"}}})
		return err
	}
	bound(200)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := apply(fmt.Sprint("small", i), 100); err != nil {
				t.Errorf("a small batch: %v", err)
			}
		})
		wg.Go(func() {
			if err := apply(fmt.Sprint("big", i), 1<<20); !errors.Is(err, store.ErrFull) {
				t.Errorf("a big batch: %v", err)
			}
		})
	}
	wg.Wait()
	bound(1 << 30)
	if err := apply("big", 1<<20); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if depths, err := s.Depths(t.Context()); err != nil || depths["f"].Ready != 21 {
		t.Errorf("depths %v, %v", depths, err)
	}
	if n := s.met.messages.Load(); n != 21 {
		t.Errorf("%d messages are counted", n)
	}
}

// FuzzStep holds the hand-written encoder to the decoder, whatever stands in the texts.
func FuzzStep(f *testing.F) {
	f.Add("denied", "policy", "role \"x\"\n does not \xff allow é", "r-1", 0, 0)
	f.Add("attempt", "UnhandledInvocationError", "", "", 3, 200)
	f.Fuzz(func(t *testing.T, state, reason, detail, request string, attempt, status int) {
		for _, text := range []string{state, reason, detail, request} {
			if !utf8.ValidString(text) {
				t.Skip("the encoder replaces what is not UTF-8")
			}
		}
		in := store.Fate{State: state, Reason: reason, Detail: detail, RequestID: request, Attempt: attempt, Status: status, At: time.UnixMicro(5)}
		if len(detail) > maxDetail {
			t.Skip("cut by the encoder")
		}
		text := encodeStep(&in)
		steps, err := decodeSteps(text)
		want := store.Step{State: state, Reason: reason, Detail: detail, RequestID: request, Attempt: attempt, Status: status,
			At: time.UnixMicro(5).UTC()}
		if err != nil || len(steps) != 1 || steps[0] != want || strings.Count(text, "\n") != 1 {
			t.Errorf("%q reads %+v, %v", text, steps, err)
		}
	})
}
