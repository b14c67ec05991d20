package local_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"fcd/cmd/fcd/local"
	"fcd/config"
)

const javaCode = `package example;
import com.aliyun.fc.runtime.*;
import java.io.*;
public class App implements StreamRequestHandler {
    public void handleRequest(InputStream in, OutputStream out, Context c) throws IOException { out.write("done".getBytes()); }
}`

// TestJavaIsDebuggedByItsWireProtocol asks the virtual machine for its version, as debuggers do first.
func TestJavaIsDebuggedByItsWireProtocol(t *testing.T) {
	dir := folder(t, map[string]string{"App.java": javaCode})
	javac := exec.Command("javac", "--release", "8", "-Xlint:-options", "-cp", "../../../invoker/runtimes/java/bootstrap.jar",
		"-d", dir, filepath.Join(dir, "App.java"))
	javac.Stderr = os.Stderr
	if err := javac.Run(); err != nil {
		t.Fatal(err)
	}
	debug, err := local.OpenDebugPort(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	defer debug.Close()
	c := config.Default()
	c.Runtimes = map[string]config.Runtime{"java8": {AllowNewer: true}}
	f := function(t, dir, func(f *local.Function) { f.Handler, f.MemoryMB = "example.App::handleRequest", 256 })
	r, err := local.NewRunner(local.RunnerOptions{Config: c, Function: f, DebugPort: debug})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	debug.Wake(r.Warm)
	answer := make(chan string, 1)
	go func() {
		res, err := r.InvokeDebugged(withTimeout(t), nil)
		answer <- fmt.Sprint(string(res.Body), res.ErrorType, err)
	}()
	conn, err := net.Dial("tcp", debug.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const hello = "JDWP-Handshake"
	version := []byte{0, 0, 0, 11, 0, 0, 0, 1, 0, 1, 1} // length, id 1, no flags, VirtualMachine.Version
	if _, err := io.WriteString(conn, hello); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, len(hello))
	if _, err := io.ReadFull(conn, reply); err != nil || string(reply) != hello {
		t.Fatalf("%q, %v", reply, err)
	}
	if _, err := conn.Write(version); err != nil {
		t.Fatal(err)
	}
	reply = make([]byte, 11) // an event of the start may come first; either has such a head
	if _, err := io.ReadFull(conn, reply); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "done<nil>" {
		t.Errorf("got %s", got)
	}
}
