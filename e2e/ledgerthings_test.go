package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// thing is a resource of the API and what it may be: what was acknowledged last, or was asked for since and got no answer.
// A service is its description, a function its description and the code that goes with it, a trigger its payload; "" is
// one that is not there.
type thing struct {
	path  string
	may   []string
	acked bool // something of it was acknowledged
}

func (x *thing) kind() string {
	parts := strings.Split(x.path, "/")
	return strings.TrimSuffix(parts[len(parts)-2], "s")
}

// codeOf is the code of a function that is to be what.
func codeOf(path, what string) ([]byte, error) {
	return zipFiles(map[string]string{"index.py": fmt.Sprintf("# %s\nwhat = %q\n", path, what)})
}

// body is a request that makes the thing what.
func (x *thing) body(what string) (m, error) {
	name := x.path[strings.LastIndexByte(x.path, '/')+1:]
	switch x.kind() {
	case "service":
		return m{"serviceName": name, "description": what}, nil
	case "trigger":
		return m{"triggerName": name, "triggerType": "timer",
			"triggerConfig": m{"cronExpression": "@every 60m", "payload": what, "enable": false}}, nil
	}
	code, err := codeOf(x.path, what)
	return m{"functionName": name, "runtime": "python3", "handler": "index.handler", "description": what, "code": m{"zipFile": code}}, err
}

// change makes services, functions with code, and triggers, changes them and deletes some.
func (l *ledger) change(ctx context.Context, p *process, round int) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ask := func(method string, x *thing, what string) bool {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		return l.ask(ctx, p, method, x, what)
	}
	service := l.newThing(fmt.Sprintf("/services/things-%d", round))
	if !ask("POST", service, "made") {
		return
	}
	for i := 0; ; i++ {
		function := l.newThing(fmt.Sprintf("%s/functions/f%d", service.path, i))
		trigger := l.newThing(function.path + "/triggers/t")
		if !ask("POST", function, "made") || !ask("POST", trigger, "made") || !ask("PUT", service, fmt.Sprint("changed ", i)) ||
			!ask("PUT", function, "changed") || !ask("PUT", trigger, "changed") {
			return
		}
		if i%2 == 1 && (!ask("DELETE", trigger, "") || !ask("DELETE", function, "")) {
			return
		}
	}
}

func (l *ledger) newThing(path string) *thing {
	x := &thing{path: path, may: []string{""}}
	l.things = append(l.things, x)
	return x
}

// ask asks for one change and notes the answer; false if there was none, or none that says what the thing is now.
func (l *ledger) ask(ctx context.Context, p *process, method string, x *thing, what string) bool {
	body, err := x.body(what)
	if err != nil {
		l.t.Error(err)
		return false
	}
	path := x.path
	var content any = body
	switch method {
	case "POST":
		path = path[:strings.LastIndexByte(path, '/')]
	case "DELETE":
		content = nil
	}
	asked := l.supply()
	a, err := p.try(ctx, method, path, content)
	if err == nil && a.status >= 400 && a.status < 500 {
		l.t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
		return false
	}
	if err == nil && a.status < 300 && l.counts(asked, method+" of "+x.path) {
		x.may, x.acked = []string{what}, true
		return true
	}
	x.may = append(x.may, what)
	return false
}

// checkThings holds what there is against what was acknowledged, and counts what is not as it must be.
func (l *ledger) checkThings(p *process) (acked, lost int) {
	l.t.Helper()
	for _, x := range l.things {
		if x.acked {
			acked++
		}
		is, code := p.look(x)
		if !slices.Contains(x.may, is) {
			l.t.Errorf("%s is %q, and must be one of %q", x.path, is, x.may)
			lost++
			continue
		}
		want, err := codeOf(x.path, is)
		if err != nil {
			l.t.Fatal(err)
		}
		if x.kind() == "function" && is != "" && code != string(want) {
			l.t.Errorf("%s, %s, has the code of another, or a part of it: %d bytes", x.path, is, len(code))
			lost++
		}
	}
	return acked, lost
}

// look reads what a thing is, and a function's code.
func (p *process) look(x *thing) (is, code string) {
	p.t.Helper()
	a := p.do("GET", x.path, nil)
	if a.status == http.StatusNotFound {
		return "", ""
	}
	var got struct {
		Description   string
		TriggerConfig struct{ Payload string }
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
		p.t.Fatalf("GET %s: %d %s", x.path, a.status, a.body)
	}
	switch x.kind() {
	case "trigger":
		return got.TriggerConfig.Payload, ""
	case "service":
		return got.Description, ""
	}
	var link struct{ URL string }
	if err := json.Unmarshal([]byte(p.must("GET", x.path+"/code", nil).body), &link); err != nil {
		p.t.Fatal(err)
	}
	res, err := p.http.Get(link.URL)
	if err != nil {
		p.t.Fatal(err)
	}
	return got.Description, readAll(p.t, res)
}
