package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// whyConfig is a daemon with a role whose policy stands in a file of its own. Each version has a user of its own, by whom the
// test sees that it is in force.
const whyConfig = `
region: %[1]s
account: {id: "%[2]s", accessKeyId: %[3]s, accessKeySecret: %[4]s}
async: {retryBase: 10ms}
ram:
  users: [%[5]s]
  roles:
  - name: events
    trust: {Version: "1", Statement: [{Effect: Allow, Action: "sts:AssumeRole", Principal: {Service: [oss.aliyuncs.com]}}]}
    policies: [./invoke.json]
`

const mayInvoke = `{"Version":"1","Statement":[{"Effect":"Allow","Action":"fc:InvokeFunction","Resource":"*"}]}`
const mayNot = `{"Version":"1","Statement":[{"Effect":"Allow","Action":"fc:InvokeFunction","Resource":"*"},
	{"Effect":"Deny","Action":"fc:*","Resource":"*/functions/ok"}]}`

// why is the daemon of the test and its configuration on disk.
type why struct {
	*process
	config, policy string
}

// write writes both files.
func (w *why) write(t testing.TB, policy, user string) {
	t.Helper()
	write(t, w.policy, policy)
	users := fmt.Sprintf("{name: %s, accessKeyId: AK%[1]s, accessKeySecret: SK, policies: [AliyunFCReadOnlyAccess]}", user)
	write(t, w.config, fmt.Sprintf(whyConfig, region, account, rootKey, rootPass, users))
}

// reload writes both files, sends SIGHUP and waits until they are in force.
func (w *why) reload(policy, user string) {
	w.t.Helper()
	w.write(w.t, policy, user)
	if err := w.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, "the configuration is read again", func() bool {
		return w.do("GET", "/services", nil, as("AK"+user, "SK", "")).status == 200
	})
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs the program beside the daemon.
func (w *why) run(args ...string) string {
	w.t.Helper()
	var out, errOut bytes.Buffer
	cmd := exec.Command(fcd(w.t), append(args, "--data-dir", w.dir)...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		w.t.Errorf("fcd %s: %v: %s", strings.Join(args, " "), err, errOut.String())
	}
	return out.String()
}

// event is the id of the one event about the key on its way to the trigger, once it has come to the state.
func (w *why) event(key, trigger, state string) (id string) {
	w.t.Helper()
	eventually(w.t, key+" is "+state, func() bool {
		var all []struct{ EventID, Subject, Trigger, State string }
		if err := json.Unmarshal([]byte(w.run("event", "list", "-o", "json", "--trigger", trigger)), &all); err != nil {
			w.t.Fatal(err)
		}
		for _, e := range all {
			if strings.HasSuffix(e.Subject, "/"+key) && e.State == state {
				id = e.EventID
				return true
			}
		}
		return false
	})
	return id
}

// holds checks that one line of the text holds all the words, in their order.
func (w *why) holds(text string, words ...string) {
	w.t.Helper()
	for line := range strings.Lines(text) {
		rest, ok := line, true
		for _, word := range words {
			var found bool
			_, rest, found = strings.Cut(rest, word)
			ok = ok && found
		}
		if ok {
			return
		}
	}
	w.t.Errorf("no line holds %q:\n%s", words, text)
}

// TestWhyAnEventDidNotFire asks the commands about an object whose key does not match, one whose role lost its policy and
// one whose function failed four times, and has the second delivered again.
func TestWhyAnEventDidNotFire(t *testing.T) {
	files := t.TempDir()
	w := &why{config: filepath.Join(files, "fcd.yaml"), policy: filepath.Join(files, "invoke.json")}
	w.write(t, mayInvoke, "first")
	w.process = serve(t, t.TempDir(), func(cmd *exec.Cmd) { cmd.Args = append(cmd.Args, "--config", w.config) })
	b := w.makeBucket(bucket)
	w.service("svc", "")
	w.python("svc/ok", "def handler(event, context):\n    return 'fine'\n")
	w.python("svc/bad", "def handler(event, context):\n    raise ValueError('no such album')\n")
	role := roleARN("events")
	w.must("POST", "/services/svc/functions/ok/triggers", ossTrigger("texts", bucket, role, "in/", ".txt"))
	w.must("POST", "/services/svc/functions/bad/triggers", ossTrigger("albums", bucket, role, "albums/", ""))

	w.put(b, "in/photo.jpg", "x")
	w.put(b, "in/a.txt", "x")
	w.put(b, "albums/1", "x")
	w.event("in/a.txt", "svc/ok/texts", "succeeded")
	unmatched, failed := w.event("in/photo.jpg", "svc/ok/texts", "unmatched"), w.event("albums/1", "svc/bad/albums", "failed")
	w.reload(mayNot, "second")
	w.put(b, "in/b.txt", "x")
	denied := w.event("in/b.txt", "svc/ok/texts", "denied")

	list := w.run("event", "list")
	t.Logf("fcd event list\n%s", list)
	w.holds(list, "RECEIVED", "EVENT", "ABOUT", "TRIGGER", "STATE", "WHY")
	w.holds(list, unmatched, "ObjectCreated:PutObject photos/in/photo.jpg", "svc/ok/texts", "unmatched", "suffix: the key 'in/photo.jpg' does not end with '.txt'")
	w.holds(list, denied, "svc/ok/texts", "denied", "policy: role '"+role+"' does not allow")
	w.holds(list, failed, "svc/bad/albums", "failed", "attempt 4: UnhandledInvocationError", "no such album")
	if only := w.run("event", "list", "--state", "failed"); strings.Count(only, "\n") != 2 {
		t.Errorf("those that failed:\n%s", only)
	}
	show := w.run("event", "show", denied)
	w.holds(show, "about", "ObjectCreated:PutObject photos/in/b.txt")
	w.holds(show, "denied", "fc:InvokeFunction", "/functions/ok': statement 2 of policy './invoke.json' denies it")
	w.holds(show, `"key":"in/b.txt"`)
	t.Logf("fcd event show\n%s", show)
	show = w.run("event", "show", failed)
	t.Logf("fcd event show\n%s", show)
	for _, step := range []string{"queued", "attempt", "attempt", "attempt", "failed"} {
		w.holds(show, step)
	}
	w.holds(show, "attempt", "attempt 1, status 200: UnhandledInvocationError", "no such album")

	w.reload(mayInvoke, "third")
	w.holds(w.run("event", "replay", denied), "svc/ok/texts", "queued", "request ")
	w.event("in/b.txt", "svc/ok/texts", "succeeded")
	show = w.run("event", "show", denied)
	t.Logf("fcd event show\n%s", show)
	w.holds(show, "redriven")

	// A configuration that is wrong changes nothing.
	write(t, w.policy, "{")
	if err := w.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	w.put(b, "in/c.txt", "x")
	w.event("in/c.txt", "svc/ok/texts", "succeeded")
	if a := w.do("GET", "/services", nil, as("AKthird", "SK", "")); a.status != 200 {
		t.Errorf("the user of the good file: %d %s", a.status, a.body)
	}
}
