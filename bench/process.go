package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds how long a child may take to start or to end.
const patience = 60 * time.Second

// A process is a child that says on its standard output when it is ready and ends with its standard input or by
// SIGTERM. It is in a process group of its own, so that an interrupt at the terminal reaches only the benchmark, which
// then ends its children in order.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	first string     // the first line that it printed
	exit  chan error // one value, when it has ended
	log   *os.File
}

// start starts a command and waits for its first line. What it says on standard error goes to a file below dir.
func start(ctx context.Context, dir, name string, command ...string) (*process, error) {
	return startHeard(ctx, dir, name, func(string) {}, command...)
}

// startHeard is start for a command whose further lines are given to hear.
func startHeard(ctx context.Context, dir, name string, hear func(line string), command ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(command[0], command[1:]...), exit: make(chan error, 1), log: log}
	p.cmd.Stderr = log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		log.Close()
		return nil, err
	}
	first := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		lines.Scan()
		first <- lines.Text()
		for lines.Scan() {
			hear(lines.Text())
		}
		p.exit <- p.cmd.Wait()
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case p.first = <-first:
		if p.first != "" {
			return p, nil
		}
		err = fmt.Errorf("%s did not start: %s", name, p.lastWords())
	case <-ctx.Done():
		err = fmt.Errorf("%s did not become ready: %w", name, ctx.Err())
	}
	return nil, errors.Join(err, p.stop())
}

// stop ends the child in good order, or by force where that takes too long.
func (p *process) stop() error {
	defer p.log.Close()
	p.stdin.Close()
	p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-p.exit:
		var code *exec.ExitError
		if errors.As(err, &code) && code.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM {
			return nil // one that knows no signals
		}
		return err
	case <-timer.C:
		p.cmd.Process.Kill()
		<-p.exit
		return fmt.Errorf("process %d did not end by SIGTERM", p.cmd.Process.Pid)
	}
}

// lastWords are the end of what the child said on standard error.
func (p *process) lastWords() string {
	b, _ := os.ReadFile(p.log.Name())
	return strings.TrimSpace(string(b[max(0, len(b)-600):]))
}

// cpu is the processor time that the process itself has used, without its children.
func (p *process) cpu() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

// cpuBelow is the processor time that the living descendants of the process have used.
func (p *process) cpuBelow() (sum time.Duration, err error) {
	parents, err := parents()
	for pid := range parents {
		if pid == p.cmd.Process.Pid || !descends(parents, pid, p.cmd.Process.Pid) {
			continue
		}
		used, err := cpuOf(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, err
}

func cpuOf(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED: the clock of a whole process, by its id
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &t); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// pss is the memory of the process and all its descendants, shared pages divided by who shares them, in MiB.
func (p *process) pss() (float64, error) {
	parents, err := parents()
	if err != nil {
		return 0, err
	}
	var total float64
	for pid := range parents {
		if !descends(parents, pid, p.cmd.Process.Pid) {
			continue
		}
		kb, err := pssOf(pid)
		if err != nil {
			return 0, err
		}
		total += kb / 1024
	}
	return total, nil
}

// parents maps every process to its parent.
func parents() (map[int]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	all := map[int]int{}
	for _, path := range dirs {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // gone meanwhile
		}
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		all[pid], _ = strconv.Atoi(fields[1])
	}
	return all, nil
}

func descends(parents map[int]int, pid, root int) bool {
	for ; pid > 0; pid = parents[pid] {
		if pid == root {
			return true
		}
	}
	return false
}

func pssOf(pid int) (kb float64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			_, err := fmt.Sscanf(rest, "%f kB", &kb)
			return kb, err
		}
	}
	return 0, fmt.Errorf("memory of process %d: no Pss", pid)
}
