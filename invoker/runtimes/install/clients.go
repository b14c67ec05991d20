package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// clients is the usual Source: npm and apt as the host has them. They know where the registries are, by which proxy and
// with which credentials, so nothing of that is configured here.
type clients struct {
	npm npm
	apt *apt
}

// npm is the client of the npm registry.
type npm struct{ program string }

func newClients() *clients {
	return &clients{npm: npm{"npm"}, apt: &apt{get: "apt-get", cache: "apt-cache", helper: "/usr/lib/apt/apt-helper"}}
}

func (c *clients) Fetch(ctx context.Context, p Package, file string, progress func(int64)) error {
	if p.Suite == "" {
		return c.npm.fetch(ctx, p, file, progress)
	}
	return c.apt.fetch(ctx, p, file, progress)
}

func (c *clients) Newest(ctx context.Context, p Package) (Package, error) {
	if p.Suite == "" {
		return Package{}, fmt.Errorf("%s: npm keeps every version, another one is not looked for: %w", p, ErrNotServed)
	}
	return c.apt.newest(ctx, p)
}

// fetch lets npm pack the package. Its cache is a folder beside the file, so that what npm got whole is not asked for
// twice, and so that the progress can be seen.
func (n npm) fetch(ctx context.Context, p Package, file string, progress func(int64)) error {
	work := file + ".npm"
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	stop := watch(work, p.Size, progress)
	err := runClient(ctx, n.program, "pack", p.Name+"@"+p.Version, "--pack-destination", work, "--cache", filepath.Join(work, "cache"),
		"--ignore-scripts", "--loglevel=error", "--no-update-notifier")
	stop()
	if err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(work, p.File()), file); err != nil {
		return err
	}
	progress(p.Size)
	return os.RemoveAll(work)
}

// watch tells the bytes below a path ten times a second, until the function it returns is called.
func watch(path string, most int64, progress func(int64)) (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				progress(min(sizeBelow(path), most))
			}
		}
	}()
	return func() {
		close(done)
		<-gone
	}
}

func sizeBelow(path string) (sum int64) {
	filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil // what vanishes while we look does not count
	})
	return sum
}

// notThere is how the clients say that a registry has no such package or version.
var notThere = regexp.MustCompile(`\b(404|E404|ETARGET|ENOVERSIONS)\b`)

// secrets are user names and passwords in URLs.
var secrets = regexp.MustCompile(`//[^/@\s]+@`)

// runClient runs a package client and makes of what it says on standard error an error of one line.
func runClient(ctx context.Context, program string, args ...string) error {
	_, err := clientOutput(ctx, program, args...)
	return err
}

func clientOutput(ctx context.Context, program string, args ...string) (string, error) {
	if _, err := exec.LookPath(program); err != nil {
		return "", fmt.Errorf("the package client %s is not on this host; install it, or name a source of the packages (--from)", program)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its children end with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	said := clientWords(errs.String())
	if notThere.MatchString(errs.String()) {
		return "", fmt.Errorf("%s: %s: %w", filepath.Base(program), said, ErrNotServed)
	}
	return "", fmt.Errorf("%s: %s: %w", filepath.Base(program), said, err)
}

// clientWords are the lines in which npm (npm error) and apt (E:) say what is wrong, the first three.
func clientWords(errs string) string {
	var said []string
	for line := range strings.Lines(errs) {
		line = strings.TrimSpace(secrets.ReplaceAllString(line, "//"))
		for _, mark := range []string{"E: ", "npm error ", "npm ERR! "} {
			if text, ok := strings.CutPrefix(line, mark); ok && text != "" && len(said) < 3 {
				said = append(said, text)
			}
		}
	}
	if len(said) == 0 {
		return fmt.Sprintf("%.300q", strings.TrimSpace(errs))
	}
	return strings.Join(said, "; ")
}

var errNoArchive = errors.New("the package sources of this host name no Debian archive; name a source of the packages (--from)")
