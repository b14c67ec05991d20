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
	Link     Op = "link" // hard or symbolic
	Remove   Op = "remove"
)

// Call is a system call that is about to be made.
type Call struct {
	Op   Op
	Path string // absolute, as the program names it; of a rename and a link the new one
	Make bool   // an Open that may make the file
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
	unix.SYS_SYMLINKAT:       {Link, 1, 2, nil},
	unix.SYS_UNLINKAT:        {Remove, 0, 1, nil},
}, older)

func merge(a, b map[int]op) map[int]op {
	for nr, o := range b {
		a[nr] = o
	}
	return a
}

// decode reads what a call is about; nil if it is about no file.
func decode(n *notice) *Call {
	o, ok := ops[int(n.nr)]
	if !ok {
		return nil
	}
	c := &Call{Op: o.name}
	proc := fmt.Sprintf("/proc/%d", n.tid)
	dir := func() string {
		link := proc + "/cwd"
		if o.fd >= 0 && int32(n.args[o.fd]) != unix.AT_FDCWD {
			link = fmt.Sprintf("%s/fd/%d", proc, int32(n.args[o.fd]))
		}
		name, _ := os.Readlink(link) // "" is no absolute path
		return name
	}
	if o.path < 0 {
		c.Path = dir()
	} else if c.Path = text(proc, n.args[o.path]); !strings.HasPrefix(c.Path, "/") {
		c.Path = filepath.Join(dir(), c.Path)
	}
	if !strings.HasPrefix(c.Path, "/") { // a pipe, a socket
		return nil
	}
	c.Make = o.flags != nil && n.args[*o.flags]&unix.O_CREAT != 0
	return c
}

// text reads a path from the memory of a program that waits for an answer.
func text(proc string, address uint64) string {
	f, err := os.Open(proc + "/mem")
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, unix.PathMax)
	n, _ := f.ReadAt(b, int64(address)) // the page behind may not be there
	name, _, _ := bytes.Cut(b[:n], []byte{0})
	return string(name)
}
