package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"fcd/fc/nonblock"
)

// lean is a load that costs little, because it runs on the cores of what it measures: the request is rendered and signed
// once (a signature holds for 15 minutes), of an answer only status and length are looked at, and one thread serves all
// connections, woken by the kernel for whatever has come meanwhile. Go's own network poller would wake two. The scheduler
// is told of no system call, even of the wait: its monitor would take the thread's place away and look again and again.
type lean struct {
	epoll    int
	conns    []*kept // by their place, which their events carry
	request  []byte
	want     int // status
	events   [64]unix.EpollEvent
	answered []*kept
	took     []float64 // milliseconds of the answers of the run at hand
}

// kept is one connection and what has come of its next answer.
type kept struct {
	fd    int
	buf   []byte
	sent  time.Time
	total int // bytes of the answer, 0 while its head is not whole
}

// newLoad opens lean connections to the request's host, an address of IPv4.
func newLoad(connections, want int, request *http.Request) (load, error) {
	raw, err := render(request)
	if err != nil {
		return nil, err
	}
	to, err := net.ResolveTCPAddr("tcp4", request.URL.Host)
	if err != nil {
		return nil, err
	}
	l := &lean{request: raw, want: want}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	for range connections {
		if err := l.open(to); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *lean) open(to *net.TCPAddr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	l.conns = append(l.conns, &kept{fd: fd, buf: make([]byte, 0, 4<<10)})
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())})
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		err = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(l.conns) - 1)})
	}
	return os.NewSyscallError("connection to "+to.String(), err)
}

func (l *lean) close() {
	for _, c := range l.conns {
		unix.Close(c.fd)
	}
	unix.Close(l.epoll)
}

func (l *lean) run(ctx context.Context, d time.Duration) (sample, error) {
	begin := time.Now()
	end := begin.Add(d)
	for _, c := range l.conns {
		if err := c.send(l.request); err != nil {
			return sample{}, err
		}
	}
	l.took = l.took[:0]
	for running := len(l.conns); running > 0; {
		answered, err := l.wait(ctx)
		if err != nil {
			return sample{}, err
		}
		now := time.Now()
		for _, c := range answered {
			l.took = append(l.took, milliseconds(now.Sub(c.sent)))
			if running--; now.After(end) {
				continue
			}
			if err := c.send(l.request); err != nil {
				return sample{}, err
			}
			running++
		}
	}
	return sampled(l.took, time.Since(begin)), ctx.Err()
}

func (l *lean) once() (float64, error) {
	c := l.conns[0]
	if err := c.send(l.request); err != nil {
		return 0, err
	}
	for {
		answered, err := l.wait(context.Background())
		if err != nil || len(answered) > 0 {
			return milliseconds(time.Since(c.sent)), err
		}
	}
}

// wait takes what has come and gives the connections whose answer is whole, until it is called again.
func (l *lean) wait(ctx context.Context) ([]*kept, error) {
	deadline := time.Now().Add(callTime)
	for l.answered = l.answered[:0]; len(l.answered) == 0; {
		n, err := l.come()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, err
		case n == 0 && time.Now().After(deadline):
			return nil, fmt.Errorf("no answer within %v", callTime)
		}
		for _, e := range l.events[:n] {
			c := l.conns[e.Fd]
			whole, err := c.receive(l.want)
			if err != nil {
				return nil, err
			}
			if whole {
				l.answered = append(l.answered, c)
			}
		}
	}
	return l.answered, nil
}

// come waits for events, for a tenth of a second at most. The signal by which the scheduler asks for the thread, after 10
// ms of running or to stop the world, ends the wait as well.
func (l *lean) come() (int, error) {
	const atMost = 100 // milliseconds
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&l.events[0])),
		uintptr(len(l.events)), atMost, 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, os.NewSyscallError("epoll_wait", errno)
}

func (c *kept) send(request []byte) error {
	c.sent, c.buf, c.total = time.Now(), c.buf[:0], 0
	for len(request) > 0 {
		n, err := nonblock.Write(c.fd, request)
		if err == unix.EAGAIN {
			_, err = unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLOUT}}, int(callTime.Milliseconds()))
		}
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("write", err)
		}
		request = request[n:]
	}
	return nil
}

// receive reads what there is and tells whether the answer is whole.
func (c *kept) receive(want int) (whole bool, err error) {
	if len(c.buf) == cap(c.buf) {
		c.buf = append(make([]byte, 0, 2*cap(c.buf)), c.buf...)
	}
	n, err := nonblock.Read(c.fd, c.buf[len(c.buf):cap(c.buf)])
	switch {
	case err == unix.EAGAIN:
		return false, nil
	case err != nil:
		return false, os.NewSyscallError("read", err)
	case n == 0:
		return false, errors.New("the connection ended in place of an answer")
	}
	c.buf = c.buf[:len(c.buf)+n]
	if c.total == 0 {
		status, head, length, err := parseHead(c.buf)
		if err != nil || head == 0 {
			return false, err
		}
		if c.total = head + length; status != want {
			return false, unexpected(status, want, c.buf[head:])
		}
	}
	return len(c.buf) >= c.total, nil
}

// parseHead reads the head of an answer, once it is whole: its status, its length and that of the body.
func parseHead(b []byte) (status, head, length int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, 0, 0, nil
	}
	if len(b) < len("HTTP/1.1 200") {
		return 0, 0, 0, fmt.Errorf("not an HTTP answer: %q", b[:end])
	}
	if status, err = strconv.Atoi(string(b[9:12])); err != nil {
		return 0, 0, 0, fmt.Errorf("not an HTTP answer: %q", b[:end])
	}
	const name = "content-length:"
	for line, rest := b[:0], b[:end+2]; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n')
		line, rest = rest[:n], rest[n+1:]
		if len(line) > len(name) && line[0]|' ' == name[0] && bytes.EqualFold(line[:len(name)], []byte(name)) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(name):]))); err != nil {
				return 0, 0, 0, fmt.Errorf("length of the answer: %w", err)
			}
		}
	}
	return status, end + 4, length, nil
}
