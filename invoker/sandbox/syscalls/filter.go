package syscalls

import (
	"encoding/binary"
	"fmt"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Where struct seccomp_data holds what the filter asks for. Only the low words of arguments are looked at: the kernel
// itself takes all four arguments asked for here as 32-bit values.
const (
	offNumber = 0
	offArch   = 4
	offArg0   = 16
)

// Filter assembles the filter of every instance as an array of struct sock_filter in host byte order.
//
// It has two parts. The first is ours and decides what needs more than a number: foreign architectures (killed; the
// library would give them the default action), numbers newer than the list (ENOSYS, so that libraries fall back; x32
// falls in here too), and the calls whose arguments matter. They come first and always end in a verdict, because a
// conditional rule of the library leaves the argument in the accumulator for the comparisons behind it. The second part
// is the plain allow-list, assembled by the library, whose default is EPERM.
func Filter() ([]byte, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	names, newest := knownNames(info)
	policy := seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls:      []seccomp.SyscallGroup{{Names: names, Action: seccomp.ActionAllow}},
	}
	list, err := policy.Assemble()
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	raw, err := bpf.Assemble(append(argumentRules(info, newest), list...))
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	out := make([]byte, 0, 8*len(raw))
	for _, in := range raw {
		out = binary.NativeEndian.AppendUint16(out, in.Op)
		out = append(out, in.Jt, in.Jf)
		out = binary.NativeEndian.AppendUint32(out, in.K)
	}
	return out, nil
}

// knownNames returns the names of the allow-list that this architecture has, and the highest number among them.
func knownNames(info *arch.Info) (names []string, newest uint32) {
	for _, name := range Names() {
		number, ok := info.SyscallNames[name]
		if !ok {
			continue
		}
		names = append(names, name)
		newest = max(newest, uint32(number))
	}
	return names, newest
}

// argumentRules is the first part of the filter.
func argumentRules(info *arch.Info, newest uint32) []bpf.Instruction {
	const enosys = uint32(seccomp.ActionErrno) | uint32(unix.ENOSYS)
	const eperm = uint32(seccomp.ActionErrno) | uint32(unix.EPERM)
	const allow = uint32(seccomp.ActionAllow)
	number := func(name string) uint32 { return uint32(info.SyscallNames[name]) }
	rules := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(info.ID), SkipTrue: 1},
		bpf.RetConstant{Val: uint32(seccomp.ActionKillProcess)},

		bpf.LoadAbsolute{Off: offNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: newest, SkipTrue: 1},
		bpf.RetConstant{Val: enosys},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number("clone3"), SkipTrue: 1},
		bpf.RetConstant{Val: enosys},

		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number("clone"), SkipTrue: 4},
		bpf.LoadAbsolute{Off: offArg0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: NewNamespaces, SkipFalse: 1},
		bpf.RetConstant{Val: eperm},
		bpf.RetConstant{Val: allow},
	}
	rules = append(rules, oneOf(number("socket"), SocketFamilies()...)...)
	return append(rules, oneOf(number("personality"), Personalities()...)...)
}

// oneOf allows a system call when its first argument is one of the values and refuses it otherwise. The accumulator
// holds the number before, and after it when the number is another one.
func oneOf(number uint32, values ...uint32) []bpf.Instruction {
	n := uint8(len(values))
	out := []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: n + 3},
		bpf.LoadAbsolute{Off: offArg0, Size: 4},
	}
	for i, v := range values {
		out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: n - uint8(i)})
	}
	return append(out,
		bpf.RetConstant{Val: uint32(seccomp.ActionErrno) | uint32(unix.EPERM)},
		bpf.RetConstant{Val: uint32(seccomp.ActionAllow)})
}
