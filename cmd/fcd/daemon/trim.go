package daemon

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// releaseHeap gives back what of the heap is not in use.
func (d *Daemon) releaseHeap() {
	debug.FreeOSMemory()
	d.huge.shrink()
}

// releaseProgram gives back the pages of the program that were mapped since the last time. What serving needs of them is
// mapped again as it is used, from the page cache.
func (d *Daemon) releaseProgram() {
	if err := unmapProgram(); err != nil {
		d.log.Debug("the program's pages stay mapped", zap.Error(err))
	}
}

// unmapProgram drops the pages of the program's code and constants from this process. Nothing was ever written to them,
// so they can be read again.
func unmapProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var begin, end uintptr
		var perm string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &begin, &end, &perm); err != nil {
			return fmt.Errorf("/proc/self/maps: %q: %w", lines.Text(), err)
		}
		if !strings.HasSuffix(lines.Text(), " "+program) || strings.Contains(perm, "w") {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, begin, end-begin, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return lines.Err()
}
