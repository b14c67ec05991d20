package daemon

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	hugePage    = 2 << 20   // bytes
	hugeReserve = 256 << 20 // bytes of address space
)

// hugePages is a part of the heap's address space that the kernel fills 2 MiB at a time. Without it a heap that grows takes
// a page fault for each 4 KiB, which under a hypervisor can cost more than all that is done with the memory. The zero value
// is none.
type hugePages struct{ begin, length uintptr }

// reserveHugePages extends the Go heap by so many bytes, of which nothing is touched: the heap grows into them from below.
// It is none where the kernel gives huge pages unasked or never, has them of another size, or counts address space as
// memory.
func reserveHugePages(bytes uintptr) hugePages {
	const settings = "/sys/kernel/mm/transparent_hugepage/"
	if !strings.Contains(kernelSays(settings+"enabled"), "[madvise]") || kernelSays(settings+"hpage_pmd_size") != strconv.Itoa(hugePage) ||
		kernelSays("/proc/sys/vm/overcommit_memory") == "2" {
		return hugePages{}
	}
	h := extendHeap(bytes)
	debug.FreeOSMemory() // the block is garbage, and address space that the heap does not use yet
	h.advise(unix.MADV_HUGEPAGE)
	return h
}

// kernelSays is what is in one of the kernel's files, "" if it has no such file.
func kernelSays(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}

// extendHeap gives the huge pages of a block of so many bytes that is garbage when it returns.
//
//go:noinline
func extendHeap(bytes uintptr) hugePages {
	block := make([]byte, bytes)
	address := uintptr(unsafe.Pointer(unsafe.SliceData(block)))
	begin, end := (address+hugePage-1)&^(hugePage-1), (address+bytes)&^(hugePage-1)
	runtime.KeepAlive(block)
	return hugePages{begin, end - begin}
}

// shrink is called when memory is given back. From then on the heap has small pages, until the next start: its live objects
// are in so many places by now that no huge page would be free as a whole, and parts of one that are free are to stay so.
func (h hugePages) shrink() {
	h.advise(unix.MADV_NOHUGEPAGE)
	h.advise(unix.MADV_COLD) // the kernel splits those of which a part was given back; before, it keeps that part
}

// advise asks the kernel for something. It may refuse: nothing depends on it.
func (h hugePages) advise(what uintptr) {
	if h.length > 0 {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, h.begin, h.length, what)
	}
}
