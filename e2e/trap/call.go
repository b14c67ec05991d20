package trap

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Op is what a call does to a file system.
type Op string

// The kinds of calls that are answered.
const (
	Open     Op = "open" // for writing, or to make it
	Write    Op = "write"
	Truncate Op = "truncate"
	Allocate Op = "allocate"
	Sync     Op = "sync"
	Mkdir    Op = "mkdir"
	Rename   Op = "rename"
	Link     Op = "link"
	Symlink  Op = "symlink"
	Remove   Op = "remove"
)

// Call is a system call that is about to be made.
type Call struct {
	Op    Op
	Path  string // absolute, as the program names it; of a rename and a link the new one
	Make  bool   // an Open that may make the file
	Bytes int    // of a Write, what it is to write; 0 where only the kernel can make it

	op     op
	n      *notice
	pid    int    // of the program
	proc   string // of the thread, in /proc
	killed bool   // the call is not to be made
}

// op is where the arguments of a system call are.
type op struct {
	name  Op
	fd    int  // of the file, or of the directory that path is relative to; -1 = none
	path  int  // of the path; -1 = the call is on fd itself
	flags *int // of an open
}

func at(i int) *int { return &i }

// ops are the calls by number. The older ones that take no directory are the architecture's.
var ops = merge(map[int]op{
	unix.SYS_OPENAT:          {Open, 0, 1, at(2)},
	unix.SYS_WRITE:           {Write, 0, -1, nil},
	unix.SYS_PWRITE64:        {Write, 0, -1, nil},
	unix.SYS_WRITEV:          {Write, 0, -1, nil},
	unix.SYS_PWRITEV:         {Write, 0, -1, nil},
	unix.SYS_COPY_FILE_RANGE: {Write, 2, -1, nil},
	unix.SYS_SENDFILE:        {Write, 0, -1, nil},
	unix.SYS_SPLICE:          {Write, 2, -1, nil},
	unix.SYS_FTRUNCATE:       {Truncate, 0, -1, nil},
	unix.SYS_FALLOCATE:       {Allocate, 0, -1, nil},
	unix.SYS_FSYNC:           {Sync, 0, -1, nil},
	unix.SYS_FDATASYNC:       {Sync, 0, -1, nil},
	unix.SYS_MKDIRAT:         {Mkdir, 0, 1, nil},
	unix.SYS_RENAMEAT2:       {Rename, 2, 3, nil},
	unix.SYS_LINKAT:          {Link, 2, 3, nil},
	unix.SYS_SYMLINKAT:       {Symlink, 1, 2, nil},
	unix.SYS_UNLINKAT:        {Remove, 0, 1, nil},
}, older)

func merge(a, b map[int]op) map[int]op {
	for nr, o := range b {
		a[nr] = o
	}
	return a
}

// decode reads what a call of the program is about; nil if it is about no file.
func decode(pid int, n *notice) *Call {
	o, ok := ops[int(n.nr)]
	if !ok {
		return nil
	}
	c := &Call{Op: o.name, op: o, n: n, pid: pid, proc: fmt.Sprintf("/proc/%d", n.tid)}
	if o.path < 0 {
		c.Path = c.file(o.fd)
	} else {
		c.Path = c.path(o.fd, o.path)
	}
	if !strings.HasPrefix(c.Path, "/") { // a pipe, a socket
		return nil
	}
	c.Make = o.flags != nil && n.args[*o.flags]&unix.O_CREAT != 0
	if c.Op == Write {
		c.Bytes = c.wanted()
	}
	return c
}

// file is where the file or directory behind an argument is, the working directory for none; "" is no absolute path.
func (c *Call) file(arg int) string {
	link := c.proc + "/cwd"
	if arg >= 0 && int32(c.n.args[arg]) != unix.AT_FDCWD {
		link = fmt.Sprintf("%s/fd/%d", c.proc, int32(c.n.args[arg]))
	}
	name, _ := os.Readlink(link)
	return name
}

// path is the path in an argument, relative to the directory in another one.
func (c *Call) path(dir, arg int) string {
	name := text(c.proc, c.n.args[arg])
	if strings.HasPrefix(name, "/") {
		return name
	}
	return filepath.Join(c.file(dir), name)
}

// text reads a path from the memory of a program that waits for an answer.
func text(proc string, address uint64) string {
	b := memory(proc, address, unix.PathMax) // the page behind may not be there
	name, _, _ := bytes.Cut(b, []byte{0})
	return string(name)
}

// memory reads what there is of so many bytes of a program's memory.
func memory(proc string, address uint64, size int) []byte {
	f, err := os.Open(proc + "/mem")
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, size)
	n, _ := f.ReadAt(b, int64(address))
	return b[:n]
}
