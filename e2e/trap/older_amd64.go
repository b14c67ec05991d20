package trap

import "golang.org/x/sys/unix"

// older are calls that newer architectures do not have.
var older = map[int]op{
	unix.SYS_OPEN:     {Open, -1, 0, at(1)},
	unix.SYS_MKDIR:    {Mkdir, -1, 0, nil},
	unix.SYS_RENAME:   {Rename, -1, 1, nil},
	unix.SYS_RENAMEAT: {Rename, 2, 3, nil},
	unix.SYS_LINK:     {Link, -1, 1, nil},
	unix.SYS_SYMLINK:  {Symlink, -1, 1, nil},
	unix.SYS_UNLINK:   {Remove, -1, 0, nil},
	unix.SYS_RMDIR:    {Remove, -1, 0, nil},
	unix.SYS_CREAT:    {Open, -1, 0, nil},
}
