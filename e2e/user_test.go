package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAsAnOrdinaryUser runs the program as a user without any privilege: it deploys, invokes, handles an object and
// contains functions as the root's one does.
func TestAsAnOrdinaryUser(t *testing.T) {
	dir, asNobody := nobody(t)
	p := serve(t, dir, asNobody)
	b := p.makeBucket(bucket)
	p.service("plain", p.role("AliyunFCDefaultRole"))
	p.node("plain/node", nodeEcho)
	if got := p.returns("plain/node", "hello"); got != "hello" {
		t.Errorf("node returned %q", got)
	}
	// Functions that nobody has called claim an interpreter that waits, without root too.
	made := 0
	eventually(t, "a first call claims", func() bool {
		made++
		name := fmt.Sprint("plain/new", made)
		p.node(name, nodeEcho)
		p.returns(name, "x")
		return p.scraped("fcd_invoker_claim_seconds_count") > 0
	})
	p.python("plain/mark", objects+`
def handler(event, context):
    key = json.loads(event)['events'][0]['oss']['object']['key']
    send('PUT', 'photos', 'out/' + key, context.credentials, send('GET', 'photos', key, context.credentials))
`)
	body := ossTrigger("t", bucket, p.role("AliyunOSSEventNotificationRole"), "in/", "")
	body["sourceArn"] = "acs:oss:" + region + ":" + p.e.AccountID + ":" + bucket
	p.must("POST", "/services/plain/functions/mark/triggers", body)
	p.put(b, "in/a", "content")
	eventually(t, "the object is handled", func() bool { content, _ := get(b, "out/in/a"); return content == "content" })

	const marker = "86414.86420"
	p.python("plain/slow", "import subprocess, time\ndef handler(event, context):\n    subprocess.Popen(['sleep', '"+marker+"'], start_new_session=True)\n    time.sleep(60)\n", m{"timeout": 1})
	if got := p.invoke("plain/slow", "").field("errorMessage"); got != "Task timed out after 1 seconds" {
		t.Errorf("got %q", got)
	}
	eventually(t, "no process of the call is left", func() bool { return len(processes(t, marker)) == 0 })
	contained(t, p.house, pry(t, p.house, p.role("AliyunFCDefaultRole")))

	p.kill()
	eventually(t, "nothing of the killed daemon is left", func() bool { return len(processes(t, dir)) == 0 && !answers(p.e.API) })
	again := serve(t, dir, asNobody)
	if got := again.returns("plain/node", "after the kill"); got != "after the kill" {
		t.Errorf("after a kill and a restart: %q", got)
	}
	if err := again.terminate(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// nobody is a data directory and what makes the program a user's that has no privilege.
func nobody(t *testing.T) (dir string, asNobody func(*exec.Cmd)) {
	t.Helper()
	const uid = 65534
	dir = publicDir(t, uid)
	binary := filepath.Join(filepath.Dir(dir), "fcd")
	copyFile(t, binary, fcd(t))
	return dir, func(c *exec.Cmd) {
		c.Path, c.Args[0], c.Dir = binary, binary, dir
		c.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir}
		if os.Geteuid() == 0 {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		}
	}
}

// scraped is the value of a metric without labels, as the process tells it.
func (p *process) scraped(name string) (value float64) {
	p.t.Helper()
	res, err := p.http.Get(p.e.Admin + "/metrics")
	must(p.t, err)
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if n, _ := fmt.Sscanf(lines.Text(), name+" %g", &value); n == 1 {
			return value
		}
	}
	p.t.Fatalf("there is no metric %s", name)
	return 0
}

// answers tells whether somebody listens at the URL.
func answers(url string) bool {
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// publicDir makes a data directory that the user owns, in a folder that everybody can reach.
func publicDir(t *testing.T, uid int) string {
	t.Helper()
	top, err := os.MkdirTemp("/tmp", "fcd-e2e-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	dir := filepath.Join(top, "data")
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}
