package invoker

import (
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machineMemoryMB is all the memory there is, 4096 if that is not known.
func machineMemoryMB() int {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 4096
	}
	return int(uint64(info.Totalram) * uint64(info.Unit) >> 20)
}

// availableMB is how much memory can be had without swapping, by the kernel's estimate. Without one it is plenty.
func availableMB() int {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return math.MaxInt
	}
	for line := range strings.Lines(string(info)) {
		if value, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				break
			}
			return kb >> 10
		}
	}
	return math.MaxInt
}
