package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// floors is the plan of docs/architecture.md: a package imports packages of lower floors only. A package not named here
// stands on the floor of the longest prefix that is; every new room is added by hand, which is the point.
var floors = map[string]int{
	"fcd/fc":                          0,
	"fcd/sign":                        1,
	"fcd/ram":                         1,
	"fcd/store":                       1,
	"fcd/store/packages":              1,
	"fcd/store/catalog":               1,
	"fcd/logsink":                     1,
	"fcd/logsink/spool":               1,
	"fcd/invoker/sandbox":             1,
	"fcd/invoker/sandbox/nat":         1,
	"fcd/invoker/sandbox/ready":       1,
	"fcd/invoker/runtimes":            1,
	"fcd/triggers":                    2,
	"fcd/ram/sts":                     2,
	"fcd/invoker":                     2,
	"fcd/invoker/sandbox/native":      2,
	"fcd/invoker/sandbox/oci":         2,
	"fcd/invoker/sandbox/process":     2,
	"fcd/api":                         3,
	"fcd/console":                     3,
	"fcd/triggers/oss":                3,
	"fcd/triggers/timer":              3,
	"fcd/triggers/directory":          3,
	"fcd/triggers/logs":               3,
	"fcd/triggers/mnstopic":           3,
	"fcd/triggers/ways":               3,
	"fcd/triggers/ways/waystest":      5,
	"fcd/triggers/cdn":                3,
	"fcd/triggers/http":               3,
	"fcd/triggers/tablestore":         3,
	"fcd/triggers/rds":                3,
	"fcd/triggers/eventbridge":        3,
	"fcd/invoker/async":               3,
	"fcd/localcloud":                  3,
	"fcd/logsink/sls":                 3,
	"fcd/store/sqlite":                3,
	"fcd/config":                      4,
	"fcd/cmd":                         5,
	"fcd/examples":                    5,
	"fcd/e2e/disk":                    1, // for tests
	"fcd/e2e/trap":                    1, // for tests
	"fcd/e2e/npm":                     1, // for tests
	"fcd/e2e":                         6, // looks at the whole house from outside, as does bench
	"fcd/bench":                       6,
	"fcd/store/storetest":             5,
	"fcd/triggers/triggertest":        5,
	"fcd/invoker/sandbox/sandboxtest": 5,
	"fcd/logsink/sinktest":            5,
}

// within lists the imports that stay inside one room: a folder and the parts it is cut into.
var within = []string{"fcd/fc", "fcd/store", "fcd/logsink", "fcd/invoker/runtimes", "fcd/api", "fcd/localcloud/oss",
	"fcd/localcloud/sls", "fcd/triggers/ways", "fcd/cmd", "fcd/invoker/sandbox", "fcd/e2e", "fcd/bench"}

func TestLayers(t *testing.T) {
	for _, p := range listPackages(t) {
		from, ok := floorOf(p.ImportPath)
		if !ok {
			t.Errorf("%s stands on no floor: add it to the plan", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if !strings.HasPrefix(imp, "fcd/") {
				continue
			}
			to, ok := floorOf(imp)
			if !ok || to < from || sameRoom(p.ImportPath, imp, from, to) {
				continue
			}
			t.Errorf("%s (floor %d) imports %s (floor %d): an arrow points down only", p.ImportPath, from, imp, to)
		}
	}
}

// sameRoom allows arrows on one floor between the parts of one room, like logsink/spool and logsink.
func sameRoom(a, b string, from, to int) bool {
	if from != to {
		return false
	}
	for _, room := range within {
		if inside(a, room) && inside(b, room) {
			return true
		}
	}
	return false
}

func inside(path, room string) bool { return path == room || strings.HasPrefix(path, room+"/") }

func floorOf(path string) (int, bool) {
	for path != "." && path != "" {
		if f, ok := floors[path]; ok {
			return f, true
		}
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			break
		}
		path = path[:i]
	}
	return 0, false
}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "fcd/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listedPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
