package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/config"
	"fcd/invoker/sandbox/sandboxtest"
)

// dialing tells what answers at each [host, port] of the event, and what the embedded object storage says to nonsense.
const dialing = `
import errno, json, os, socket

def dial(host, port, say=b''):
    try:
        c = socket.create_connection((host, port), timeout=5)
        c.sendall(say)
        return c.recv(64).decode()
    except OSError as e:
        return errno.errorcode.get(e.errno, type(e).__name__)

def handler(event, context):
    return json.dumps({h: dial(h, p) for h, p in json.loads(event)} | {'oss': dial('127.100.0.1', 80, b'x\r\n\r\n')[:8]})
`

// TestInternetAccess: a service has the internet or has it not, and the embedded services in any case.
func TestInternetAccess(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	world := sandboxtest.NewInternet(t)
	h := boot(t, func(c *config.Config) {
		c.Network.Mode, c.Network.Resolvers = "nat", []string{world.Resolver.String()}
	})
	h.reachTheInternetOrNot()
}

// TestInternetAccessOfAnOrdinaryUser: the same without privileges, by pasta, which ends with the daemon.
func TestInternetAccessOfAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 || !sandboxtest.InOwnNetwork(t) {
		return
	}
	world := sandboxtest.NewInternet(t)
	sandboxtest.ShareTun(t)
	dir, asNobody := nobody(t)
	file := filepath.Join(filepath.Dir(dir), "fcd.yaml")
	must(t, os.WriteFile(file, fmt.Appendf(nil, "network: {mode: nat, resolvers: [%s]}\n", world.Resolver), 0o644))
	p := serve(t, dir, asNobody, func(c *exec.Cmd) { c.Env = append(c.Env, "FCD_CONFIG="+file) })
	p.reachTheInternetOrNot()
	ours := func() []string {
		here, err := os.Readlink("/proc/self/ns/net")
		must(t, err)
		return slices.DeleteFunc(processes(t, "--ns-ifname"), func(line string) bool {
			pid, _, _ := strings.Cut(line, " ")
			there, err := os.Readlink("/proc/" + pid + "/ns/net")
			return err != nil || there != here
		})
	}
	if n := len(ours()); n != 1 {
		t.Errorf("%d processes of pasta", n)
	}
	if err := p.terminate(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if left := ours(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// reachTheInternetOrNot has functions of services with and without internetAccess try what there is.
func (h *house) reachTheInternetOrNot() {
	h.t.Helper()
	for name, want := range map[string]map[string]string{
		"online": {"public.example": "192.0.2.1", "198.51.100.7": "192.0.2.1", "metadata.example": "ECONNREFUSED",
			"169.254.169.254": "ECONNREFUSED", "192.0.2.1": "ECONNREFUSED", "oss": "HTTP/1.1"},
		"offline": {"public.example": "gaierror", "198.51.100.7": "ENETUNREACH", "metadata.example": "gaierror",
			"169.254.169.254": "ENETUNREACH", "192.0.2.1": "ENETUNREACH", "oss": "HTTP/1.1"},
	} {
		h.must("POST", "/services", m{"serviceName": name, "internetAccess": name == "online"})
		h.python(name+"/f", dialing)
		result := h.returns(name+"/f", []any{[]any{"public.example", 80}, []any{"198.51.100.7", 80}, []any{"metadata.example", 80},
			[]any{"169.254.169.254", 80}, []any{"192.0.2.1", 8080}})
		var got map[string]string
		if err := json.Unmarshal([]byte(result), &got); err != nil {
			h.t.Fatalf("%v in %s", err, result)
		}
		if d := cmp.Diff(want, got); d != "" {
			h.t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
