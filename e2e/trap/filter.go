package trap

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Where the fields of struct seccomp_data are (linux/seccomp.h), on a little-endian machine.
const (
	dataNr   = 0
	dataArgs = 16
)

// filter hands over the calls of ops, files that are opened to be changed, and reads of the wall clock.
func filter(o Options) []unix.SockFilter {
	p := []bpf.Instruction{bpf.LoadAbsolute{Off: dataNr, Size: 4}}
	hand := bpf.RetConstant{Val: unix.SECCOMP_RET_USER_NOTIF}
	pass := bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	is := func(nr int, then ...bpf.Instruction) {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(nr), SkipTrue: uint8(len(then))})
		p = append(p, then...)
	}
	if o.Clock != nil {
		is(unix.SYS_CLOCK_GETTIME, bpf.LoadAbsolute{Off: dataArgs, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.CLOCK_REALTIME, SkipTrue: 1}, hand, pass)
	}
	if o.Answer != nil {
		for nr, op := range ops {
			if op.flags == nil {
				is(nr, hand)
				continue
			}
			is(nr, bpf.LoadAbsolute{Off: dataArgs + 8*uint32(*op.flags), Size: 4},
				bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: changes, SkipTrue: 1}, hand, pass)
		}
	}
	p = append(p, pass)
	raw, err := bpf.Assemble(p)
	if err != nil {
		panic(err) // the program is ours
	}
	out := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		out[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return out
}

// changes are the flags of an open that is for more than reading.
const changes = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC
