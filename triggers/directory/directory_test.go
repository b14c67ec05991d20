package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/triggers"
	"fcd/triggers/triggertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const inbox = "acs:directory:cn-shanghai:123456:inbox"

func kind(dir string) triggers.Kind {
	return Kind(Options{Region: triggertest.Region, Account: triggertest.Account, Folders: map[string]string{"inbox": dir}})
}

func newTrigger(id string) *fc.Trigger {
	return &fc.Trigger{ServiceName: "s", FunctionName: "f", Name: "t", ID: id, Type: Type, Enabled: true, SourceARN: inbox,
		Config: []byte(`{"events":["FileCreated","FileChanged","FileRemoved"],"suffix":".csv"}`)}
}

// The suite's obligations, each with a folder of its own that a file appears in.
func TestObligations(t *testing.T) {
	dir := ""
	h := triggertest.Harness{
		Trigger: newTrigger,
		Unwanted: func(id string) *fc.Trigger {
			t := newTrigger(id)
			t.Config = []byte(`{"events":["FileCreated"],"suffix":".txt"}`)
			return t
		},
		Happen: func(_ context.Context, _ triggers.Source, n int) error {
			path := filepath.Join(dir, fmt.Sprint(n, ".csv"))
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				if err := os.WriteFile(path, []byte("a,b"), 0o600); err != nil {
					return err
				}
			}
			time.Sleep(3 * interval)
			return nil
		},
	}
	h.Setup = func(t *testing.T) {
		dir = t.TempDir()
	}
	h.Kind = Kind(Options{Region: triggertest.Region, Account: triggertest.Account})
	h.Kind.New = func(env triggers.Env) (triggers.Source, error) { return kind(dir).New(env) }
	triggertest.Run(t, h)
}

func TestConfigurations(t *testing.T) {
	triggertest.Configs(t, kind("/srv/inbox"), []triggertest.ConfigCase{
		{Name: "nothing said", ARN: inbox, Raw: `{}`, Want: `{"events":["FileCreated","FileChanged","FileRemoved"],"suffix":""}`},
		{Name: "some events", ARN: inbox, Raw: `{"Events":["FileRemoved"],"suffix":".csv"}`, Want: `{"events":["FileRemoved"],"suffix":".csv"}`},
		{Name: "an unknown event", ARN: inbox, Raw: `{"events":["FileEaten"]}`, Want: "!FileEaten"},
		{Name: "no events", ARN: inbox, Raw: `{"events":[]}`, Want: "!Events"},
		{Name: "a folder that was not opened", ARN: inbox + "2", Raw: `{}`, Want: "!SourceArn"},
		{Name: "a path", ARN: "acs:directory:cn-shanghai:123456:/etc", Raw: `{}`, Want: "!SourceArn"},
	})
}

func TestFilesThatAppearChangeAndGo(t *testing.T) {
	dir := t.TempDir()
	env, seen := triggertest.Recorder(func(triggers.Event) error { return nil })
	synctest.Test(t, func(t *testing.T) {
		s, err := kind(dir).New(env)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(t.Context(), newTrigger("t1")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.Run(ctx) }()
		at := time.Unix(1767600000, 0)
		for _, step := range []func() error{
			func() error { return write(dir, "a.csv", "1", at) },
			func() error { return write(dir, "a.csv", "22", at) },
			func() error { return write(dir, "a.txt", "not wanted", at) },
			func() error { return write(dir, ".hidden.csv", "not wanted", at) },
			func() error { return os.Mkdir(filepath.Join(dir, "folder.csv"), 0o700) },
			func() error { return os.Remove(filepath.Join(dir, "a.csv")) },
		} {
			if err := step(); err != nil {
				t.Error(err)
			}
			time.Sleep(3 * interval)
		}
		cancel()
		<-ended
	})
	var got []string
	for _, ev := range *seen {
		got = append(got, string(ev.Payload))
	}
	const rest = `"modifiedTime":"2026-01-05T08:00:00.000Z"}]}`
	want := []string{
		`{"events":[{"eventName":"FileCreated","directory":"inbox","file":"a.csv","size":1,` + rest,
		`{"events":[{"eventName":"FileChanged","directory":"inbox","file":"a.csv","size":2,` + rest,
		`{"events":[{"eventName":"FileRemoved","directory":"inbox","file":"a.csv","size":2,` + rest,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func write(dir, name, content string, at time.Time) error {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Chtimes(path, at, at)
}
