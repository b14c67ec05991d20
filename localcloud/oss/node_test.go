package oss_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestNodeSDK runs testdata/alioss.js with the real client where it is installed: FCD_TEST_NPM names the directory that
// holds node_modules/ali-oss.
func TestNodeSDK(t *testing.T) {
	dir := os.Getenv("FCD_TEST_NPM")
	if dir == "" {
		t.Skip("FCD_TEST_NPM does not name a directory with node_modules/ali-oss")
	}
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "ali-oss", "package.json")); err != nil {
		t.Skipf("ali-oss is not installed: %v", err)
	}
	s, url := start(t)
	must(t, s.CreateBucket(t.Context(), "bucket"))
	cmd := exec.CommandContext(t.Context(), "node", "testdata/alioss.js", url, "bucket")
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
