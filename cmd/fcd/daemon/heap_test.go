package daemon

import "testing"

func TestTheHeapHasRoomWhileThereIsLoad(t *testing.T) {
	const mb = 1 << 20
	var h heapTender
	for i, step := range []struct {
		cycles, live uint64
		percent      int
		release      bool
	}{
		{1, 6 * mb, 0, false}, // the start
		{2, 6 * mb, 0, false}, // now and then one
		{9, 8 * mb, 300, false},
		{10, 16 * mb, 150, false},
		{11, 100 * mb, 100, false}, // a large heap doubles as always
		{11, 8 * mb, 0, false},
		{12, 8 * mb, 300, false},
	} {
		if percent, release := h.look(step.cycles, step.live); percent != step.percent || release != step.release {
			t.Errorf("look %d: %d %v", i, percent, release)
		}
	}
	for i := range restLooks - 1 {
		if percent, release := h.look(12, 8*mb); percent != 0 || release {
			t.Errorf("calm look %d: %d %v", i, percent, release)
		}
	}
	if percent, release := h.look(12, 8*mb); percent != restPercent || !release {
		t.Errorf("at rest: %d %v", percent, release)
	}
	if percent, release := h.look(13, 8*mb); percent != 0 || release {
		t.Errorf("a collection at rest: %d %v", percent, release)
	}
}

func TestLoadEndsWithRest(t *testing.T) {
	const live = 8 << 20
	h := heapTender{cycles: 100}
	if percent, _ := h.look(101, live); percent != 0 {
		t.Errorf("the collections of the start are taken for load: %d", percent)
	}
	if percent, _ := h.look(110, live); percent != 300 {
		t.Errorf("load: %d", percent)
	}
	if percent := h.rest(); percent != restPercent {
		t.Errorf("rest: %d", percent)
	}
	for range 2 * restLooks {
		if percent, release := h.look(111, live); percent != 0 || release { // the collection is that of giving memory back
			t.Fatalf("memory goes back again: %d %v", percent, release)
		}
	}
}
