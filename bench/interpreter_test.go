package main

import "testing"

func TestChooseInterpreter(t *testing.T) {
	all := []interpreter{
		{Name: "nodejs16", Origin: "host", Path: "/usr/bin/node"},
		{Name: "nodejs6", Origin: "host (stands in for nodejs6)", Path: "/usr/bin/node", Ready: true},
		{Name: "nodejs8", Origin: "installed (npm)", Path: "/usr/bin/node", Ready: true},
		{Name: "nodejs20", Origin: "host", Path: "/usr/bin/node", Ready: true},
		{Name: "python3", Origin: "host (stands in for python3)", Path: "/usr/bin/python3", Ready: true},
	}
	for _, c := range []struct{ name, language, want string }{
		{"the host's own runtime comes first", "nodejs", "nodejs20"},
		{"one that the host's stands in for will do", "python3", "python3"},
		{"an interpreter in a root of its own cannot be started bare", "nodejs8", ""},
		{"none at all", "java", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := chooseInterpreter(all, c.language)
			if got.Name != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
