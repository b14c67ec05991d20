// Command bench measures fcd against the least that could do the same work on the same machine: `make bench`, or
// `make bench QUICK=1` for less than a minute. It needs what the demo needs and nothing prepared.
//
// It starts `fcd serve` as a child on scratch directories, drives it by signed HTTP over kept connections, and measures
// fcd and a comparator (package comparators) in turn, A B B A. A row of the table is the median of the ratios of the
// turns; absolute figures are shown beside it. The bounds are those of docs/performance.md; a row that misses them is
// "short", which fails nothing, since a machine may be busy. The program fails when a row could not be measured.
//
// A full run measures every row at three sizes and draws the curves. Standard output has a line for each row,
//
//	row NAME ratio R must M strive S ok|short
//
// and, in a full run, the table; standard error tells what is being done. latest.json and the plots, SVG and PNG, are
// written to the directory of -out. With -profile the daemon is profiled during a further turn of the rows about calls, objects and lines.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"fcd/bench/comparators"
)

// experimentTime bounds one experiment at one size.
const experimentTime = 10 * time.Minute

// hopWorkers are the processes behind the bare hop: as many as a function of fcd has instances.
const hopWorkers = 2

func main() {
	if len(os.Args) > 1 && os.Args[1] == "hop" {
		exit(comparators.Hop(hopWorkers, os.Stdin, os.Stdout, os.Args[2:]...))
	}
	var o options
	flag.BoolVar(&o.quick, "quick", false, "one small size of each row, short turns")
	flag.StringVar(&o.only, "only", "", "only experiments with a row whose name matches the regular expression")
	flag.StringVar(&o.bin, "fcd", "bin/fcd", "the program to measure")
	flag.StringVar(&o.out, "out", "bench/results", "where results and plots go")
	flag.StringVar(&o.scratch, "scratch", ".cache", "where scratch directories are made and removed; on a real disk")
	flag.StringVar(&o.profiles, "profile", "", "directory for processor profiles of the daemon")
	flag.Parse()
	// A reader of the lines that goes away ends the run in order too, not by its signal.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
	defer stop()
	exit(bench(ctx, o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// options are the flags.
type options struct {
	quick                             bool
	only, bin, out, scratch, profiles string
}

func bench(ctx context.Context, o options) (err error) {
	chosen, err := choose(o.only, o.quick)
	if err != nil {
		return err
	}
	l, err := newLab(o.bin, o.scratch, o.quick)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, l.close()) }()
	if l.profiles = o.profiles; l.profiles != "" {
		if err := os.MkdirAll(l.profiles, 0o755); err != nil {
			return err
		}
	}
	rep := report{Started: time.Now().UTC(), Quick: o.quick, Commit: commit(), Machine: thisMachine(l)}
	var results []result
	for i, e := range chosen {
		say := func(format string, args ...any) {
			fmt.Fprintf(os.Stderr, "%4.0fs  [%d/%d] %s\n", time.Since(rep.Started).Seconds(), i+1, len(chosen), fmt.Sprintf(format, args...))
		}
		for _, r := range e.measure(ctx, l, say) {
			fmt.Println(r.line())
			results, rep.Rows = append(results, r), append(rep.Rows, reported(r))
		}
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
	}
	rep.Seconds = time.Since(rep.Started).Seconds()
	if !o.quick {
		if err := table(os.Stdout, results); err != nil {
			return err
		}
	}
	if err := save(o.out, rep, results); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%4.0fs  results and plots are in %s\n", rep.Seconds, o.out)
	return failures(results)
}

// choose gives the experiments that have a row whose name matches, in a quick run those that it can have.
func choose(only string, quick bool) ([]experiment, error) {
	re, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	chosen := slices.DeleteFunc(experiments(), func(e experiment) bool {
		return quick && e.quick == fullOnly || !slices.ContainsFunc(e.rows, func(r row) bool { return re.MatchString(r.name) })
	})
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no row's name matches %q", only)
	}
	return chosen, nil
}

// measure runs the experiment at its sizes. If one fails, so do all its rows.
func (e experiment) measure(ctx context.Context, l *lab, say func(string, ...any)) []result {
	results, names := make([]result, len(e.rows)), make([]string, len(e.rows))
	for i, r := range e.rows {
		results[i], names[i] = result{row: r, axis: e.axis}, r.name
	}
	todo, shown := e.sizes[:], e.base
	if l.quick {
		todo, shown = []int{e.quick}, 0
	}
	for _, size := range todo {
		say("%s, %s %s", strings.Join(names, ", "), thousands(size), e.axis)
		pairs, err := e.at(ctx, l, size)
		for i := range results {
			if err != nil {
				results[i].Error = fmt.Sprintf("at %d %s: %v", size, e.axis, err)
				continue
			}
			results[i].Shown = shown
			results[i].Points = append(results[i].Points, point{Size: size, Ratio: pairs[i].ratio(), pair: pairs[i]})
		}
		if err != nil {
			break
		}
	}
	return results
}

func (e experiment) at(ctx context.Context, l *lab, size int) ([]pair, error) {
	ctx, cancel := context.WithTimeout(ctx, experimentTime)
	defer cancel()
	l.begin()
	return e.run(ctx, l, size)
}

// failures is an error that names the rows that were not measured.
func failures(results []result) error {
	var names []string
	for _, r := range results {
		if r.Error != "" {
			names = append(names, r.name)
		}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("not measured: %s", strings.Join(names, ", "))
}
