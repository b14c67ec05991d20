package daemon

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestTheHeapHasHugePagesUntilMemoryIsGivenBack(t *testing.T) {
	h := reserveHugePages(16 << 20)
	if h.length == 0 {
		if kernel := kernelSays("/sys/kernel/mm/transparent_hugepage/enabled"); strings.Contains(kernel, "[madvise]") {
			t.Fatalf("no huge pages where the kernel says %s", kernel)
		}
		return
	}
	if h.begin%hugePage != 0 || h.length%hugePage != 0 || h.length < 14<<20 {
		t.Errorf("%#x bytes from %#x", h.length, h.begin)
	}
	if flags := flagsAt(t, h.begin); !strings.Contains(flags, " hg") {
		t.Errorf("reserved: %q", flags)
	}
	h.shrink()
	if flags := flagsAt(t, h.begin); !strings.Contains(flags, " nh") {
		t.Errorf("given back: %q", flags)
	}
}

// flagsAt is the line of flags that the kernel has for the memory at an address.
func flagsAt(t *testing.T, address uintptr) string {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(maps)) {
		var begin, end uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &begin, &end); n == 2 {
			inside = begin <= address && address < end
		}
		if inside && strings.HasPrefix(line, "VmFlags:") {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("nothing is mapped at %#x", address)
	return ""
}
