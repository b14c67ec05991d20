package comparators

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// unpacked is a directory with the files.
func unpacked(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "files")
	if err := os.CopyFS(dir, Files); err != nil {
		t.Fatal(err)
	}
	return dir
}

const order, answer = `{"id": "7", "items": [1, 2, 3]}`, `{"id":"7","items":3}`

// ask posts an order and gives the answer without spaces.
func ask(t *testing.T, port string) string {
	t.Helper()
	res, err := http.Post("http://127.0.0.1:"+strings.TrimSpace(port)+"/", "application/json", strings.NewReader(order))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s %v", res.Status, b, err)
	}
	return strings.ReplaceAll(string(b), " ", "")
}

func TestBareNodeRunsTheHandlerAndEndsWithItsInput(t *testing.T) {
	dir := unpacked(t)
	cmd := exec.Command("node", filepath.Join(dir, "server.js"), filepath.Join(dir, "hello.js"))
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, port); got != answer {
		t.Errorf("answer %s", got)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestHopRunsTheHandlerInItsWorkersAndEndsWithItsInput(t *testing.T) {
	dir := unpacked(t)
	in, closeIn := io.Pipe()
	out, outWriter := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Hop(2, in, outWriter, "python3", filepath.Join(dir, "worker.py"), filepath.Join(dir, "hello.py"))
	}()
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := ask(t, port); got != answer {
				t.Errorf("answer %s", got)
			}
		})
	}
	wg.Wait()
	closeIn.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestLogKeepsWhatManyAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := NewLog(path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				if err := l.Append(fmt.Appendf(nil, "record %d of %d;", i, w)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(b, []byte(";")); got != 160 {
		t.Errorf("%d records", got)
	}
}
