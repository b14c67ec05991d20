package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

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
