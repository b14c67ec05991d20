package native

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fcd/invoker/sandbox"
)

// usage reads what the instance used so far.
func (g *cgroup) usage() (sandbox.Usage, error) {
	var u sandbox.Usage
	kills, err := g.oomKills()
	if err != nil {
		return u, err
	}
	u.OOMKills = kills
	if g.tree.v2 {
		err = g.usageV2(&u)
	} else {
		err = g.usageV1(&u)
	}
	return u, err
}

func (g *cgroup) usageV1(u *sandbox.Usage) (err error) {
	if u.PeakMemoryBytes, err = readInt(filepath.Join(g.v1["memory"], "memory.max_usage_in_bytes")); err != nil {
		return err
	}
	if dir := g.v1["cpuacct"]; dir != "" {
		ns, err := readInt(filepath.Join(dir, "cpuacct.usage"))
		u.CPU = time.Duration(ns)
		return err
	}
	return nil
}

func (g *cgroup) usageV2(u *sandbox.Usage) (err error) {
	if g.peak != nil {
		var b [32]byte
		n, err := g.peak.ReadAt(b[:], 0)
		if n == 0 {
			return err
		}
		if u.PeakMemoryBytes, err = strconv.ParseInt(strings.TrimSpace(string(b[:n])), 10, 64); err != nil {
			return err
		}
	} else if u.PeakMemoryBytes, err = readInt(filepath.Join(g.unified, "memory.peak")); err != nil {
		u.PeakMemoryBytes, err = readInt(filepath.Join(g.unified, "memory.current"))
		if err != nil {
			return err
		}
	}
	stat, err := os.ReadFile(filepath.Join(g.unified, "cpu.stat"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(stat)) {
		if value, ok := strings.CutPrefix(line, "usage_usec "); ok {
			us, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			u.CPU = time.Duration(us) * time.Microsecond
			return err
		}
	}
	return nil
}

func (g *cgroup) oomKills() (int64, error) {
	n, err := g.manager.OOMKillCount()
	if err != nil {
		return 0, fmt.Errorf("out-of-memory kills: %w", err)
	}
	return int64(n), nil
}

// resetPeak begins a new peak.
func (g *cgroup) resetPeak() error {
	if !g.tree.v2 {
		return os.WriteFile(filepath.Join(g.v1["memory"], "memory.max_usage_in_bytes"), []byte("0"), 0)
	}
	if g.peak == nil {
		return sandbox.ErrNotSupported
	}
	if _, err := g.peak.WriteAt([]byte("reset"), 0); err != nil {
		return fmt.Errorf("%w: memory.peak cannot be reset before Linux 6.12 (%w)", sandbox.ErrNotSupported, err)
	}
	return nil
}

func readInt(path string) (int64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}
