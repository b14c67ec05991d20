package native

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"fcd/invoker/sandbox"
)

// report adds the quantiles a caller feels.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	for _, q := range []int{50, 90} {
		b.ReportMetric(float64(took[len(took)*q/100].Microseconds()), fmt.Sprintf("p%d-µs", q))
	}
}

// BenchmarkStart is from the request to pid 1 running, in a sandbox with all its parts.
func BenchmarkStart(b *testing.B) {
	for _, mode := range []struct {
		name string
		opts Options
	}{{"cgroups", Options{}}, {"without cgroups", Options{NoCgroups: true}}} {
		b.Run(mode.name, func(b *testing.B) {
			d, err := New(mode.opts)
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			var start, kill []time.Duration
			for n := 0; b.Loop(); n++ {
				began := time.Now()
				i, err := d.Start(context.Background(), sandbox.Spec{
					ID: fmt.Sprint("bench-", n), Path: "/usr/bin/sleep", Args: []string{"sleep", "9"},
					Limits: sandbox.Limits{MemoryMB: 128, CPUMilli: 1000},
				})
				if err != nil {
					b.Fatal(err)
				}
				start = append(start, time.Since(began))
				began = time.Now()
				if err := i.Kill(); err != nil {
					b.Fatal(err)
				}
				kill = append(kill, time.Since(began))
			}
			report(b, start)
			slices.Sort(kill)
			b.ReportMetric(float64(kill[len(kill)/2].Microseconds()), "kill-p50-µs")
		})
	}
}

// BenchmarkForkExec is what the kernel and Go need for a process without any sandbox.
func BenchmarkForkExec(b *testing.B) {
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		cmd := exec.Command("/usr/bin/sleep", "9")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		cmd.Process.Kill()
		cmd.Wait()
	}
	report(b, took)
}

// BenchmarkClaim is the claim of a generic instance by itself.
func BenchmarkClaim(b *testing.B) {
	d, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	dir := b.TempDir()
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		i, err := d.Start(context.Background(), sandbox.Spec{
			ID: fmt.Sprint("bench-", n), Path: "/usr/bin/sleep", Args: []string{"sleep", "9"},
			Limits: sandbox.Limits{MemoryMB: 128},
		})
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if err := i.Claim(context.Background(), dir, sandbox.Limits{MemoryMB: 512}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		i.Kill()
	}
	report(b, took)
}
