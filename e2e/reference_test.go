package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// given are the members of an answer that the service makes up.
var given = []string{"serviceId", "functionId", "codeSize", "codeChecksum", "createdTime", "lastModifiedTime"}

// The answers that the reference of the API shows: a resource made with their values is answered with every member shown,
// of the type shown, by create, get and list.
func TestAnswersShownInTheReference(t *testing.T) {
	h := boot(t)
	for _, c := range []struct{ file, collection, name string }{
		{"service", "/services", "serviceName"},
		{"function", "/services/service_name/functions", "functionName"},
		{"trigger", "/services/service_name/functions/function_name/triggers", "triggerName"},
	} {
		shown := sample(t, c.file)
		body := m{}
		for k, v := range shown {
			body[k] = v
		}
		for _, k := range given {
			delete(body, k)
		}
		if c.file == "function" {
			body["code"] = m{"zipFile": zipOf(t, map[string]string{"index.py": "def handler(event, context): pass"})}
		}
		compareShown(t, c.file, shown, h.must("POST", c.collection, body).object(t))
		compareShown(t, c.file, shown, h.must("GET", fmt.Sprint(c.collection, "/", shown[c.name]), nil).object(t))
		list := h.must("GET", c.collection, nil).object(t)[c.file+"s"].([]any)
		compareShown(t, c.file, shown, list[0].(map[string]any))
	}
}

func sample(t *testing.T, name string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "guide", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var shown map[string]any
	if err := json.Unmarshal(b, &shown); err != nil {
		t.Fatal(err)
	}
	return shown
}

// compareShown ignores members that the reference of that day did not have yet.
func compareShown(t *testing.T, what string, shown, got map[string]any) {
	t.Helper()
	want, have := m{}, m{}
	for k, v := range shown {
		want[k], have[k] = v, got[k]
	}
	for _, k := range given {
		if want[k] != nil && reflect.TypeOf(want[k]) == reflect.TypeOf(have[k]) {
			want[k] = have[k]
		}
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("%s (-shown +answered):\n%s", what, d)
	}
}
