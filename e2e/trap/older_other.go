//go:build !amd64

package trap

import "golang.org/x/sys/unix"

// older are calls that amd64 has more of.
var older = map[int]op{unix.SYS_RENAMEAT: {Rename, 2, 3, nil}}
