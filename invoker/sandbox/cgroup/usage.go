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
	if u.PeakMemoryBytes, err = g.Peak(); err != nil {
		return u, err
	}
	u.CPU, err = g.cpu()
	return u, err
}

// Peak reads the peak of memory since the last ResetPeak, where the kernel cannot reset it since the start. Before Linux
// 5.19, v2 has none, and it is what is used now.
func (g *Group) Peak() (int64, error) {
	if g.peak != nil {
		var b [32]byte
		n, err := g.peak.ReadAt(b[:], 0)
		if n == 0 {
			return 0, err
		}
		return strconv.ParseInt(strings.TrimSpace(string(b[:n])), 10, 64)
	}
	n, err := readInt(g.peakPath())
	if err != nil && g.tree.v2 {
		return readInt(filepath.Join(g.Unified, "memory.current"))
	}
	return n, err
}

// cpu is zero where nothing counts it.
func (g *Group) cpu() (time.Duration, error) {
	if !g.tree.v2 {
		dir := g.V1["cpuacct"]
		if dir == "" {
			return 0, nil
		}
		ns, err := readInt(filepath.Join(dir, "cpuacct.usage"))
		return time.Duration(ns), err
	}
	stat, err := os.ReadFile(filepath.Join(g.Unified, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(stat)) {
		if value, ok := strings.CutPrefix(line, "usage_usec "); ok {
			us, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return time.Duration(us) * time.Microsecond, err
		}
	}
	return 0, nil
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
	if g.peak == nil {
		return sandbox.ErrNotSupported
	}
	_, err := g.peak.WriteAt([]byte("0"), 0) // v2 takes anything
	if err != nil && g.tree.v2 {
		return fmt.Errorf("%w: memory.peak cannot be reset before Linux 6.12 (%w)", sandbox.ErrNotSupported, err)
	}
	return err
}

func readInt(path string) (int64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}
