package uids

import (
	"errors"
	"testing"
)

func TestUserIDsAreNotSharedAndNotLost(t *testing.T) {
	r, err := New(1000, 1002, 7)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for range 3 {
		uid, err := r.Take()
		if err != nil || uid < 1000 || uid > 1002 || seen[uid] {
			t.Fatalf("uid %d, %v", uid, err)
		}
		seen[uid] = true
	}
	if _, err := r.Take(); !errors.Is(err, errNone) {
		t.Errorf("error %v", err)
	}
	r.Give(1001)
	if uid, err := r.Take(); uid != 1001 || err != nil {
		t.Errorf("uid %d, %v", uid, err)
	}
}
