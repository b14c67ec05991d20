package fc

import (
	"slices"
	"testing"

	"github.com/google/uuid"
)

func TestRequestIDsAreInOrderAndDifferBehindTheirTime(t *testing.T) {
	seen := map[[8]byte]bool{}
	var ids []string
	for range 1000 {
		ids = append(ids, NewRequestID())
		id, err := uuid.Parse(ids[len(ids)-1])
		if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
			t.Fatalf("%v, %v", id, err)
		}
		seen[[8]byte(id[8:])] = true
	}
	if !slices.IsSorted(ids) || len(seen) != len(ids) {
		t.Errorf("in order: %v; %d of %d are random", slices.IsSorted(ids), len(seen), len(ids))
	}
}

func BenchmarkNewRequestID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewRequestID()
	}
}
