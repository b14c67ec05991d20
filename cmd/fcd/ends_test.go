package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

// TestWhatAFolderRunsEndsWithTheCommand sends what a terminal sends when it is closed, and other ends.
func TestWhatAFolderRunsEndsWithTheCommand(t *testing.T) {
	dir := filepath.Join(openFolder(t), "busy")
	marker := fmt.Sprintf("86416.%d", os.Getpid())
	write(t, dir+"/app.py", "import subprocess\ndef main(event, context):\n    subprocess.Popen(['sleep', '"+marker+"'])\n    print('begun')\n    while True: pass\n")
	for _, end := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE} {
		t.Run(end.String(), func(t *testing.T) {
			cmd, out := command(t, "invoke", "--dir", dir, "--runtime", "python3", "--handler", "app.main", "--timeout", "300"), newOutput()
			cmd.Stdout, cmd.Stderr = out, out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			out.count(t, "begun", 1)
			cgroups := cgroupsOfProcess(t, marker)
			if err := cmd.Process.Signal(end); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() < 0 {
				t.Errorf("it ended by %v", err)
			}
			if left := processesWith(marker); len(left) > 0 {
				t.Errorf("processes are left: %q", left)
			}
			for _, dir := range cgroups {
				if _, err := os.Stat(dir); err == nil {
					t.Errorf("%s is left", dir)
				}
			}
		})
	}
}

// processesWith lists the processes whose command line holds a text.
func processesWith(text string) (all []string) {
	paths, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well-formed
	for _, p := range paths {
		if line, err := os.ReadFile(p + "/cmdline"); err == nil && bytes.Contains(line, []byte(text)) {
			all = append(all, p)
		}
	}
	return all
}

// cgroupsOfProcess lists the directories that the driver made for the instance of the process.
func cgroupsOfProcess(t *testing.T, text string) (dirs []string) {
	t.Helper()
	for _, p := range processesWith(text) {
		data, err := os.ReadFile(p + "/cgroup")
		if err != nil {
			t.Fatal(err)
		}
		if tree := regexp.MustCompile(`fcd-[a-z0-9]+`).FindString(string(data)); tree != "" {
			found, _ := filepath.Glob("/sys/fs/cgroup/*/" + tree)
			dirs = append(dirs, found...)
		}
	}
	return dirs
}
