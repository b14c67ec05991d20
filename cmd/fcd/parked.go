package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"fcd/config"
)

// examineParked tells of log lines that a logstore refuses for their content, which lie in the spool until somebody looks.
// No finding if there are none.
func examineParked(c *config.Config) []finding {
	dir := filepath.Join(c.DataDir, "spool", "rejected")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lines, last := 0, []byte(nil)
	for _, e := range entries {
		var b []byte
		if b, err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			break
		}
		b = bytes.TrimSuffix(b, []byte("\n"))
		if len(b) > 0 {
			lines += 1 + bytes.Count(b, []byte("\n"))
			last = b[bytes.LastIndexByte(b, '\n')+1:]
		}
	}
	what := "log lines put aside"
	if err != nil {
		return []finding{{what, findingWarn, err.Error()}}
	}
	if lines == 0 {
		return nil
	}
	var l struct{ Project, Logstore, Reason string }
	_ = json.Unmarshal(last, &l) // one that was cut by a crash has no reason to tell
	return []finding{{what, findingWarn, fmt.Sprintf("%d lines, refused for their content, in %s; the last by %s/%s: %s",
		lines, dir, l.Project, l.Logstore, l.Reason)}}
}
