package pasta

import (
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatIsMissingIsNamed(t *testing.T) {
	_, err := Open(Options{Command: "no-such-pasta"})
	if err == nil || !strings.Contains(err.Error(), "apt-get install passt") || !strings.Contains(err.Error(), "no-such-pasta") {
		t.Errorf("error %v", err)
	}
}

func TestTheLastWordsAreKept(t *testing.T) {
	var l last
	for _, s := range []string{"Failed to send 36 bytes to syslog\n", "External interface not usable\nNo \n", strings.Repeat("x", 9999)} {
		if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if got := l.String(); !strings.HasPrefix(got, "External interface not usable; No; xxx") || len(got) > 400 {
		t.Errorf("%q", got)
	}
	for range 100 {
		l.Write([]byte("again\n"))
	}
	if got := l.String(); got != strings.TrimSuffix(strings.Repeat("again; ", 10), "; ") {
		t.Errorf("%q", got)
	}
}

func TestANamespaceIsGivenBack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can make one here")
		return
	}
	n := &Network{}
	if err := n.settle(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(n.path); err != nil {
		t.Error(err)
	}
	n.leave()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(10 * time.Second); ; { // the thread is on its way out
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s is still there", n.path)
		}
		if _, err := os.Stat(n.path); err != nil {
			return
		}
	}
}
