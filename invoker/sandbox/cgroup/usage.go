package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fcd/invoker/sandbox"
)

// Usage reads what the instance used so far.
func (g *Group) Usage() (sandbox.Usage, error) {
	var u sandbox.Usage
	kills, err := g.OOMKills()
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

func (g *Group) usageV1(u *sandbox.Usage) (err error) {
	if u.PeakMemoryBytes, err = readInt(filepath.Join(g.V1["memory"], "memory.max_usage_in_bytes")); err != nil {
		return err
	}
	if dir := g.V1["cpuacct"]; dir != "" {
		ns, err := readInt(filepath.Join(dir, "cpuacct.usage"))
		u.CPU = time.Duration(ns)
		return err
	}
	return nil
}

func (g *Group) usageV2(u *sandbox.Usage) (err error) {
	if g.peak != nil {
		var b [32]byte
		n, err := g.peak.ReadAt(b[:], 0)
		if n == 0 {
			return err
		}
		if u.PeakMemoryBytes, err = strconv.ParseInt(strings.TrimSpace(string(b[:n])), 10, 64); err != nil {
			return err
		}
	} else if u.PeakMemoryBytes, err = readInt(filepath.Join(g.Unified, "memory.peak")); err != nil {
		u.PeakMemoryBytes, err = readInt(filepath.Join(g.Unified, "memory.current"))
		if err != nil {
			return err
		}
	}
	stat, err := os.ReadFile(filepath.Join(g.Unified, "cpu.stat"))
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

func (g *Group) OOMKills() (int64, error) {
	n, err := g.manager.OOMKillCount()
	if err != nil {
		return 0, fmt.Errorf("out-of-memory kills: %w", err)
	}
	return int64(n), nil
}

// ResetPeak begins a new peak.
func (g *Group) ResetPeak() error {
	if !g.tree.v2 {
		return os.WriteFile(filepath.Join(g.V1["memory"], "memory.max_usage_in_bytes"), []byte("0"), 0)
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
