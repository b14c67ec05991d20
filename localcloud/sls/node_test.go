package sls_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNodeClient runs @alicloud/log 1.2.6 from the folder that FCD_TEST_NPM names.
func TestNodeClient(t *testing.T) {
	dir := os.Getenv("FCD_TEST_NPM")
	if dir == "" {
		t.Skip("FCD_TEST_NPM names no folder with node_modules")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@alicloud", "log")); err != nil {
		t.Skipf("@alicloud/log is not installed: %v", err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skipf("node is not installed: %v", err)
	}
	for name, keys := range map[string][]string{"own keys": {testKey, testSecret}, "temporary keys": {stsKey, stsSecret, stsToken}} {
		t.Run("with "+name, func(t *testing.T) {
			s := serve(t, t.TempDir(), nil)
			_, port, err := net.SplitHostPort(s.addr)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(node, append([]string{filepath.Join("testdata", "client.js"), "http://sls.fcd.local:" + port}, keys...)...)
			cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
			out, err := cmd.CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != "ok" {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
