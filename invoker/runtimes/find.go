package runtimes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// probeTimeout bounds one question for an interpreter's version.
const probeTimeout = 5 * time.Second

// finder looks for interpreters and asks each for its version once. Safe for concurrent use.
type finder struct {
	hostDirs   []string
	installDir string // of package install; "" = none

	mu       sync.Mutex
	versions map[string]func() (string, error) // by root, path and argument
}

// search gives the path, as seen inside, of a runtime's interpreter; "" when there is none.
func (f *finder) search(s Settings, names []string) string {
	if len(s.Command) > 0 {
		if f.runnable(s.Root, s.Command[0]) {
			return s.Command[0]
		}
		return ""
	}
	dirs := f.hostDirs
	if s.Root != "" {
		dirs = []string{"/usr/bin", "/usr/local/bin"}
	}
	for _, name := range names {
		for _, dir := range dirs {
			if file := filepath.Join(dir, name); f.runnable(s.Root, file) {
				return file
			}
		}
	}
	return ""
}

// runnable tells whether file, as seen inside root, is a program. Links are followed as they will be inside, where of
// the host only /usr exists.
func (f *finder) runnable(root, file string) bool {
	if root == "" {
		real, err := filepath.EvalSymlinks(file)
		return err == nil && executable(real) && f.visible(real)
	}
	for range 40 { // links; a root's may be absolute and then mean the root
		info, err := os.Lstat(filepath.Join(root, file))
		if err != nil {
			return false
		}
		if info.Mode()&os.ModeSymlink == 0 {
			return executable(filepath.Join(root, file))
		}
		to, err := os.Readlink(filepath.Join(root, file))
		if err != nil {
			return false
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(file), to)
		}
		file = filepath.Clean("/" + to)
	}
	return false
}

// visible tells whether a sandbox shows a file of the host.
func (f *finder) visible(file string) bool {
	for _, dir := range f.hostDirs {
		if filepath.Dir(file) == dir {
			return true
		}
	}
	return strings.HasPrefix(file, "/usr/")
}

// version is what the interpreter says of itself when it is asked with arg.
func (f *finder) version(root, file, arg string) (string, error) {
	f.mu.Lock()
	key := root + "\x00" + file + "\x00" + arg
	ask := f.versions[key]
	if ask == nil {
		ask = sync.OnceValues(func() (string, error) { return askVersion(root, file, arg) })
		f.versions[key] = ask
	}
	f.mu.Unlock()
	return ask()
}

// askVersion runs the interpreter with arg. Inside its root when the daemon may, since it needs the libraries there.
func askVersion(root, file, arg string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, arg)
	if root != "" && os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	} else if root != "" {
		cmd = exec.CommandContext(ctx, filepath.Join(root, file), arg)
	}
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"}
	if root != "" { // Java 8 finds a library of its own through /proc, which is not there
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+filepath.Join(file, "../../lib", javaArch(), "jli"))
	}
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput() // Python 2 and Java answer on stderr
	if ctx.Err() != nil {
		return "", fmt.Errorf("no answer to %s within %v", arg, probeTimeout)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %.200q", arg, err, out)
	}
	return string(out), nil
}
