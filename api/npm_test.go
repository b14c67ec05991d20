package api_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestNodeSDK runs testdata/npm/suite.js with the Node client @alicloud/fc2 against a server.
func TestNodeSDK(t *testing.T) {
	dir := os.Getenv("FCD_TEST_NPM")
	if dir == "" {
		t.Skip("FCD_TEST_NPM does not name a directory in which 'npm install @alicloud/fc2' was run")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "npm", "suite.js"))
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"), "FCD_ENDPOINT="+s.url, "FCD_KEY="+rootKey,
		"FCD_SECRET="+rootSecret, "FCD_ROLE="+role, "FCD_BUCKET="+bucket,
		"FCD_ZIP="+base64.StdEncoding.EncodeToString(zipFile(t, "index.js")))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
