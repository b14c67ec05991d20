package native

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"fcd/invoker/sandbox"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

func TestAnInstanceReachesAListenerOfTheDaemon(t *testing.T) {
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in, release, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	const script = `import os,socket
os.read(3,1)
s=socket.create_connection(("127.100.0.1",80)); print(s.recv(99).decode())`
	i, err := d.Start(context.Background(), sandbox.Spec{
		ID: "a", Path: "/usr/bin/python3", Args: []string{"python3", "-I", "-c", script},
		FrameIn: in, Stdout: w, Stderr: w, Limits: sandbox.Limits{MemoryMB: 128},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	l, err := i.(sandbox.Listener).Listen("tcp", "127.100.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			fmt.Fprint(c, "hello from outside")
			c.Close()
		}
	}()
	release.Close()
	out, _ := io.ReadAll(r)
	if string(out) != "hello from outside\n" {
		t.Errorf("the function printed %q", out)
	}
	if exit, _ := i.Wait(); exit != (sandbox.Exit{}) {
		t.Errorf("exit %+v", exit)
	}
	if err := i.Kill(); err != nil {
		t.Error(err)
	}
}
