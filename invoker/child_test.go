package invoker

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox"
)

// childVariable makes the test binary a bootstrap: a child that needs no interpreter and does what the event says.
const childVariable = "FCD_TEST_CHILD"

// plainDriver starts such children as plain processes of a group of their own.
type plainDriver struct {
	started atomic.Int64
	fail    atomic.Bool
	claims  bool         // instances can be claimed, which changes nothing of them
	claimed atomic.Int64 // how many were
	refuse  atomic.Bool  // claims fail
	mode    atomic.Value // what the child does instead of saying READY

	beforeKill func() // nil: nothing
}

func (d *plainDriver) Name() string                 { return "plain" }
func (d *plainDriver) Probe() (sandbox.Caps, error) { return sandbox.Caps{Claim: d.claims}, nil }
func (d *plainDriver) Close() error                 { return nil }

func (d *plainDriver) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	if d.fail.Load() {
		return nil, errors.New("no more sandboxes")
	}
	d.started.Add(1)
	mode, _ := d.mode.Load().(string)
	if mode == "" {
		mode = "serve"
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(spec.Env, childVariable+"="+mode, "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = spec.Stdout, spec.Stderr
	cmd.ExtraFiles = []*os.File{spec.FrameIn, spec.FrameOut}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &plainInstance{driver: d, cmd: cmd, generic: spec.CodeDir == "", done: make(chan struct{})}, nil
}

type plainInstance struct {
	driver  *plainDriver
	cmd     *exec.Cmd
	generic bool
	once    sync.Once
	done    chan struct{}
	exit    sandbox.Exit
}

func (i *plainInstance) Claim(context.Context, string, sandbox.Limits) error {
	if !i.generic || i.driver.refuse.Load() {
		return errors.New("a claim that is refused")
	}
	i.driver.claimed.Add(1)
	return nil
}

func (i *plainInstance) Stats() (sandbox.Usage, error) {
	return sandbox.Usage{PeakMemoryBytes: 31 << 20}, nil
}
func (i *plainInstance) Peak() (int64, error) {
	u, err := i.Stats()
	return u.PeakMemoryBytes, err
}
func (i *plainInstance) ResetPeak() error { return sandbox.ErrNotSupported }

func (i *plainInstance) Signal(s syscall.Signal) error {
	_ = syscall.Kill(-i.cmd.Process.Pid, s)
	return nil
}

func (i *plainInstance) Kill() error {
	if i.driver.beforeKill != nil {
		i.driver.beforeKill()
	}
	_ = syscall.Kill(-i.cmd.Process.Pid, syscall.SIGKILL)
	_, err := i.Wait()
	return err
}

func (i *plainInstance) Wait() (sandbox.Exit, error) {
	i.once.Do(func() {
		_ = i.cmd.Wait()
		status := i.cmd.ProcessState.Sys().(syscall.WaitStatus)
		i.exit = sandbox.Exit{Code: status.ExitStatus()}
		if status.Signaled() {
			i.exit.Signal = status.Signal()
		}
		close(i.done)
	})
	<-i.done
	return i.exit, nil
}

// child is the bootstrap. Events are "word rest"; an initializer's name is its event.
type child struct {
	in      *frame.Reader
	out     *frame.Writer
	raw     *os.File
	hello   frame.Hello
	token   frame.Token
	keys    frame.Credentials
	request frame.Request
	inits   int
	calls   int
	deaf    bool // the end of the input is no reason to go
}

func runChild(mode string) {
	switch mode {
	case "mute":
		select {}
	case "fail":
		fmt.Fprintln(os.Stderr, "cannot find libfoo")
		os.Exit(127)
	}
	c := &child{in: frame.NewReader(os.NewFile(3, "in")), raw: os.NewFile(4, "out")}
	c.out = frame.NewWriter(c.raw)
	c.send(frame.TypeReady, frame.Ready{V: 1, PID: os.Getpid(), Version: "1"}, nil)
	for {
		f, err := c.in.Read()
		if err != nil {
			if c.deaf {
				select {}
			}
			if errors.Is(err, io.EOF) {
				os.Exit(0)
			}
			os.Exit(3)
		}
		c.handle(f)
	}
}

func (c *child) send(t frame.Type, header any, body []byte) {
	if err := c.out.Write(frame.Message{Type: t, Header: header, Body: body}); err != nil {
		os.Exit(4)
	}
}

func (c *child) handle(f frame.Frame) {
	if f.Type == frame.TypeHello {
		check(json.Unmarshal(f.Header, &c.hello))
		fmt.Sscanf(c.hello.Token, "%x", (*hexToken)(&c.token))
		c.keys = c.hello.Credentials
		return
	}
	c.request = frame.Request{}
	check(json.Unmarshal(f.Header, &c.request))
	if c.request.Credentials != nil {
		c.keys = *c.request.Credentials
	}
	c.fence(frame.FenceStart)
	event := string(f.Body)
	switch f.Type {
	case frame.TypeInit:
		c.inits++
		event = c.hello.Initializer
	case frame.TypePreFreeze:
		event = c.hello.PreFreeze
	case frame.TypePreStop:
		event = c.hello.PreStop
	default:
		c.calls++
	}
	word, rest, _ := strings.Cut(event, " ")
	c.do(word, rest)
}

type hexToken frame.Token

func (h *hexToken) Scan(s fmt.ScanState, _ rune) error {
	text, err := s.Token(true, nil)
	if err != nil {
		return err
	}
	for i := range h {
		n, err := strconv.ParseUint(string(text[2*i:2*i+2]), 16, 8)
		if err != nil {
			return err
		}
		h[i] = byte(n)
	}
	return nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(5)
	}
}

func (c *child) fence(mark byte) {
	b := c.token.AppendFence(nil, mark, c.request.ID)
	os.Stdout.Write(b)
	os.Stderr.Write(b)
}

func (c *child) answer(t frame.Type, a frame.Answer, body string) {
	a.ID = c.request.ID
	c.fence(frame.FenceEnd)
	c.send(t, a, []byte(body))
}

func (c *child) ok(body string) { c.answer(frame.TypeResult, frame.Answer{}, body) }

func (c *child) do(word, rest string) {
	switch word {
	case "echo", "init":
		c.ok(rest)
	case "deaf":
		c.deaf = true
		c.ok("")
	case "calls":
		c.ok(strconv.Itoa(c.calls))
	case "init-fails-once":
		if c.inits == 1 {
			c.answer(frame.TypeUnhandled, frame.Answer{Class: frame.ClassUnhandled}, `{"errorMessage":"not yet"}`)
			return
		}
		c.ok("")
	case "inits":
		c.ok(strconv.Itoa(c.inits))
	case "keys":
		c.ok(c.keys.AccessKeyID + "/" + c.keys.AccessKeySecret + "/" + c.keys.SecurityToken)
	case "sent-keys":
		c.ok(strconv.FormatBool(c.request.Credentials != nil))
	case "retry":
		c.ok(strconv.Itoa(c.request.RetryCount))
	case "sleep":
		d, err := time.ParseDuration(rest)
		check(err)
		time.Sleep(d)
		c.ok("slept")
	case "wait": // for a file
		for _, err := os.Stat(rest); err != nil; _, err = os.Stat(rest) {
			time.Sleep(time.Millisecond)
		}
		c.ok("waited")
	case "print-wait":
		fmt.Println("early")
		c.do("wait", rest)
	case "handled":
		c.answer(frame.TypeHandled, frame.Answer{}, `{"errorMessage":"`+rest+`"}`)
	case "unhandled":
		c.answer(frame.TypeUnhandled, frame.Answer{Class: rest}, `{"errorMessage":"x"}`)
	case "throw":
		c.answer(frame.TypeUnhandled, frame.Answer{Class: frame.ClassUnhandled, Exit: true}, `{"errorMessage":"x"}`)
		os.Exit(1)
	case "exit":
		n, _ := strconv.Atoi(rest)
		os.Exit(n)
	case "heap":
		fmt.Fprintln(os.Stderr, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory")
		os.Exit(134)
	case "print":
		fmt.Print(rest)
		c.ok("")
	case "print-both":
		fmt.Println("out " + rest)
		fmt.Fprintln(os.Stderr, "err "+rest)
		c.ok("")
	case "late":
		c.ok("")
		fmt.Println(rest)
	case "lines":
		n, _ := strconv.Atoi(rest)
		fmt.Print(strings.Repeat("a line of the flood\n", n))
		c.ok("")
	case "long":
		n, _ := strconv.Atoi(rest)
		fmt.Println(strings.Repeat("é", n/2))
		c.ok("")
	case "forge":
		os.Stdout.Write(frame.NewToken().AppendFence(nil, frame.FenceEnd, c.request.ID))
		os.Stdout.Write(c.token.AppendFence(nil, frame.FenceStart, "another"))
		fmt.Println("after")
		c.ok("")
	case "size":
		n, _ := strconv.Atoi(rest)
		c.ok(strings.Repeat("r", n))
	case "big-error":
		n, _ := strconv.Atoi(rest)
		fmt.Println("2016-08-18T05:38:41.401Z " + c.request.ID + ` error {"errorMessage":"` + strings.Repeat("e", n) + `"}`)
		c.answer(frame.TypeHandled, frame.Answer{}, `{}`)
	case "wrong-id":
		c.request.ID = "another"
		c.ok("")
		select {}
	case "acts": // "acts VICTIM HEX": acts of a hostile function, whose words name another request, then an honest answer
		victim, text, _ := strings.Cut(rest, " ")
		script, err := hex.DecodeString(text)
		check(err)
		c.act(script, victim)
		c.ok("said")
	case "garbage":
		c.raw.Write([]byte(strings.Repeat("\xff", 4096)))
		select {}
	case "close-out":
		c.raw.Close()
		select {}
	case "stubborn":
		heard := make(chan os.Signal, 1)
		signal.Notify(heard, syscall.SIGTERM)
		fmt.Println("deaf to SIGTERM")
		for sig := range heard {
			fmt.Println(sig.String() + ", and goes on")
		}
	case "spawn":
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{childVariable + "=mute"}
		check(cmd.Start())
		fmt.Println("child " + strconv.Itoa(cmd.Process.Pid))
		select {}
	default:
		c.answer(frame.TypeUnhandled, frame.Answer{}, `{"errorMessage":"no such word"}`)
	}
}
