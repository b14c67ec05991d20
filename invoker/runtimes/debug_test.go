package runtimes

import (
	"slices"
	"testing"

	"fcd/fc"
)

func TestDebuggersListenOnLoopbackAndHoldNothingUp(t *testing.T) {
	table, err := New(Options{BootstrapDir: t.TempDir(), HostDirs: []string{t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		runtime string
		args    []string
		want    []string
	}{
		{"nodejs6", []string{"node", "bootstrap.js"}, []string{"node", "--inspect=127.0.0.1:9229", "bootstrap.js"}},
		{"python3", []string{"python3", "-X", "utf8", "bootstrap.py"},
			[]string{"python3", "-X", "utf8", "-m", "debugpy", "--listen", "127.0.0.1:9229", "bootstrap.py"}},
		{"java8", []string{"java", "-Xmx80m", "Main"},
			[]string{"java", "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=127.0.0.1:9229", "-Xmx80m", "Main"}},
		{"custom", []string{"/code/bootstrap"}, nil},
	} {
		rt, err := table.Get(c.runtime)
		if err != nil {
			t.Fatal(err)
		}
		given := slices.Clone(c.args)
		got, err := rt.Debug(given, 9229)
		if !slices.Equal(got, c.want) || (c.want == nil) != (fc.CodeOf(err) == fc.InvalidArgument) || !slices.Equal(given, c.args) {
			t.Errorf("%s: %q, %v", c.runtime, got, err)
		}
	}
}

func TestOnlyTheNamedRuntimesAreLookedFor(t *testing.T) {
	table, err := New(Options{BootstrapDir: t.TempDir(), Only: []string{"nodejs4.4"},
		Settings: map[string]Settings{"nodejs6": {Fallbacks: []string{"python3"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table.Statuses() {
		notLookedFor := s.Reason == "runtime "+s.Name+" was not looked for"
		if wanted := s.Name == "nodejs6" || s.Name == "python3"; notLookedFor == wanted {
			t.Errorf("%+v", s)
		}
	}
}
