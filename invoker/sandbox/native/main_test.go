package native

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// ordinaryEnv marks a run of this test binary that TestAsAnOrdinaryUser started.
const ordinaryEnv = "FCD_TEST_ORDINARY"

func TestMain(m *testing.M) {
	Main()
	if err := EnterRootless(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// TestAsAnOrdinaryUser runs the whole suite again as a user without any privilege.
func TestAsAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 || os.Getenv(ordinaryEnv) != "" {
		t.Log("this run is one already")
		return
	}
	out, err := ordinary(t, "TestEscapes|TestCloseEnds.*|TestWithoutCgroupsInstances.*|TestAnEarlierLife|TestLimitsCan.*")
	if err != nil || !strings.Contains(out, "--- PASS: TestEscapes ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// ordinary runs tests once more as a user without any privilege.
func ordinary(t *testing.T, tests string) (string, error) {
	t.Helper()
	const nobody = 65534
	dir := publicDir(t)
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "native.test")
	copyFile(t, binary, "/proc/self/exe")
	cmd := exec.Command(binary, "-test.run=^("+tests+")$", "-test.v")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "HOME=" + dir, ordinaryEnv + "=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// publicDir makes a directory that every user can reach, which those of the testing package are not.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "fcd-native-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
}
