package main

import (
	"strings"
	"testing"

	"fcd/config"
)

// TestTheDoctorTellsOfEachRuntime holds what the doctor says of the interpreters against what `fcd runtimes list` says, with
// nothing installed and the host's newer Java allowed or not.
func TestTheDoctorTellsOfEachRuntime(t *testing.T) {
	for _, newer := range []bool{false, true} {
		c := config.Default()
		c.DataDir, c.RuntimesDir = t.TempDir(), t.TempDir()
		c.Runtimes = map[string]config.Runtime{"java8": {AllowNewer: newer}}
		statuses, err := runtimeStatuses(c)
		if err != nil {
			t.Fatal(err)
		}
		said := map[string]finding{}
		for _, f := range examineRuntimes(c) {
			said[strings.TrimPrefix(f.What, "runtime ")] = f
		}
		for _, s := range statuses {
			f := said[s.Name]
			if s.Ready {
				if f.State != findingOK || f.Detail != strings.TrimPrefix(s.Version+", "+s.Origin+", "+s.Path, ", ") {
					t.Errorf("%+v is told as %+v", s, f)
				}
			} else if f.State != findingWarn || f.Detail != s.Reason || f.Detail == "" {
				t.Errorf("%+v is told as %+v", s, f)
			}
		}
		java, want := said["java8"], "runtime java8 is not installed on this host; run: fcd runtimes install java8"
		if newer {
			want = "host (stands in for java8)"
		}
		if !strings.Contains(java.Detail, want) {
			t.Errorf("java8, newer ones allowed %v: %q lacks %q", newer, java.Detail, want)
		}
		if python := said["python2.7"]; !strings.Contains(python.Detail, "run: fcd runtimes install python2.7") {
			t.Errorf("python2.7: %+v", python)
		}
	}
}
