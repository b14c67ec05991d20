package runtimes

import "testing"

func TestVariablesThatAreFixedAtStart(t *testing.T) {
	table := newTable(t, Options{Settings: map[string]Settings{"nodejs8": {Env: map[string]string{"NODE_ICU_DATA": "/icu"}}}})
	for _, tt := range []struct {
		runtime string
		vars    map[string]string
		want    string
	}{
		{"nodejs8", nil, ""},
		{"nodejs8", map[string]string{"MINE": "x", "PATH": "/code/bin", "NODE_PATH": "/code/lib", "NODE_ENV": "production"}, ""},
		{"nodejs8", map[string]string{"LD_LIBRARY_PATH": "/code:/code/lib"}, ""}, // as it is anyway
		{"nodejs8", map[string]string{"LD_LIBRARY_PATH": "/code/more"}, "LD_LIBRARY_PATH"},
		{"nodejs8", map[string]string{"LD_PRELOAD": "/code/x.so"}, "LD_PRELOAD"},
		{"nodejs8", map[string]string{"NODE_OPTIONS": "--no-warnings"}, "NODE_OPTIONS"},
		{"nodejs8", map[string]string{"NODE_ICU_DATA": "/else"}, ""}, // the operator's, which a function cannot change
		{"nodejs8", map[string]string{"TZ": "Asia/Shanghai"}, "TZ"},
		{"nodejs8", map[string]string{"LC_ALL": "C"}, "LC_ALL"},
		{"python3", map[string]string{"TZ": "Asia/Shanghai", "PYTHONPATH": "/code/lib", "PYTHONUSERBASE": "/code/.fun"}, ""},
		{"python3", map[string]string{"PYTHONHASHSEED": "1"}, "PYTHONHASHSEED"},
		{"python3", map[string]string{"HOME": "/code"}, "HOME"},
		{"python3", map[string]string{"MALLOC_ARENA_MAX": "1"}, "MALLOC_ARENA_MAX"},
		{"java8", map[string]string{"TZ": "Asia/Shanghai"}, "TZ"},
		{"java8", map[string]string{"JAVA_TOOL_OPTIONS": "-Dx=y"}, "JAVA_TOOL_OPTIONS"},
		{"java8", map[string]string{"NODE_OPTIONS": "x"}, ""},
	} {
		r, err := table.Get(tt.runtime)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.FixedAtStart(binding(tt.vars)); got != tt.want {
			t.Errorf("%s with %v: %q, want %q", tt.runtime, tt.vars, got, tt.want)
		}
	}
}

func TestWhatGenericInstancesNeed(t *testing.T) {
	table := newTable(t, Options{})
	for _, tt := range []struct {
		runtime     string
		memory      int
		hard        bool
		heap, start int
		spare       int
	}{
		{"nodejs20", 3072, true, 0, 128, 2},
		{"nodejs20", 3072, false, 3072, 128, 2}, // its heap is bounded by a flag, where nothing else does
		{"nodejs8", 1408, true, 0, 128, 2},
		{"nodejs8", 2048, true, 1843, 128, 2},
		{"python3", 3072, false, 0, 128, 2},
		{"java8", 512, true, 512, 512, 0}, // it cannot change its working directory
	} {
		r, err := table.Get(tt.runtime)
		if err != nil {
			t.Fatal(err)
		}
		heap := r.HeapMB(tt.memory, tt.hard)
		if start := r.StartMB(heap); heap != tt.heap || start != tt.start || r.Spare() != tt.spare {
			t.Errorf("%s of %d MB: a heap of %d, a start in %d MB, %d wait; want %d, %d, %d", tt.runtime, tt.memory, heap, start, r.Spare(), tt.heap, tt.start, tt.spare)
		}
	}
	if r, err := table.Get("custom"); err != nil || r.Spare() != 0 {
		t.Errorf("custom: %v, %v", r, err)
	}
}
