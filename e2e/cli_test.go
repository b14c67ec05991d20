package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"fcd/api/client"
	"fcd/cmd/fcd/daemon"
)

// TestCommands runs the scripts of testdata/script over the built program. Beside testscript's own commands there are
//
//	await DIR                           wait until a daemon on DIR is ready
//	deploy DIR SERVICE/FUNCTION FILE    make a python3 function of a file, and its service with a logstore
//	timer DIR SERVICE/FUNCTION/NAME CRON ENABLE   make a timer trigger; ENABLE is true or false
//	retry TEXT PROGRAM...               run the program until its output holds the text
//	mode -rw------- FILE                check a file's permissions
func TestCommands(t *testing.T) {
	binary := fcd(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			bin := filepath.Join(e.WorkDir, "bin")
			if err := os.Mkdir(bin, 0o755); err != nil {
				return err
			}
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			return os.Symlink(binary, filepath.Join(bin, "fcd"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":  await,
			"deploy": deployFile,
			"timer":  makeTimer,
			"retry":  retry,
			"mode":   mode,
		},
	})
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	if !soon(20*time.Second, func() bool { _, err := daemon.ReadEndpoint(ts.MkAbs(args[0])); return err == nil }) {
		ts.Fatalf("no daemon became ready on %s", args[0])
	}
}

func deployFile(ts *testscript.TestScript, _ bool, args []string) {
	e, err := daemon.ReadEndpoint(ts.MkAbs(args[0]))
	ts.Check(err)
	service, function, _ := strings.Cut(args[1], "/")
	c := client.New(e.API, e.AccessKeyID, e.AccessKeySecret)
	_, err = c.Do(context.Background(), "POST", "/services", nil,
		m{"serviceName": service, "logConfig": m{"project": project, "logstore": logstore}})
	if err != nil && !strings.Contains(err.Error(), "already exists") {
		ts.Fatalf("%v", err)
	}
	code, err := zipFiles(map[string]string{"index.py": ts.ReadFile(args[2])})
	ts.Check(err)
	_, err = c.Do(context.Background(), "POST", "/services/"+service+"/functions", nil, m{"functionName": function,
		"runtime": "python3", "handler": "index.handler", "code": m{"zipFile": code}})
	ts.Check(err)
}

// makeTimer makes a timer trigger.
func makeTimer(ts *testscript.TestScript, _ bool, args []string) {
	e, err := daemon.ReadEndpoint(ts.MkAbs(args[0]))
	ts.Check(err)
	name := strings.Split(args[1], "/")
	_, err = client.New(e.API, e.AccessKeyID, e.AccessKeySecret).Do(context.Background(), "POST",
		"/services/"+name[0]+"/functions/"+name[1]+"/triggers", nil, m{"triggerName": name[2], "triggerType": "timer",
			"triggerConfig": m{"cronExpression": args[2], "payload": "", "enable": args[3] == "true"}})
	ts.Check(err)
}

// retry runs a program, whose exit code does not matter, until its output holds the text.
func retry(ts *testscript.TestScript, _ bool, args []string) {
	if !soon(20*time.Second, func() bool {
		ts.Exec(args[1], args[2:]...)
		return strings.Contains(ts.ReadFile("stdout"), args[0])
	}) {
		ts.Fatalf("%q never printed %q but %s%s", args[1:], args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// mode checks a file's permissions.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := info.Mode().Perm().String(); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
