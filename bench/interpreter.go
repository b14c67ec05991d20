package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// An interpreter runs functions of a runtime in fcd and, bare, the comparators.
type interpreter struct {
	Name, Version, Origin, Path string // as `fcd runtimes list` says
	Ready                       bool
}

// onHost is the origin of an interpreter that can be started by its path.
const onHost = "host"

// findInterpreters asks fcd what it would run functions with, so that both sides run in the same.
func (l *lab) findInterpreters() error {
	out, err := exec.Command(l.bin, "runtimes", "list", "-o", "json", "--data-dir", l.dir).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return fmt.Errorf("fcd runtimes list: %w: %s", err, failed.Stderr)
	}
	if err != nil {
		return err
	}
	var all []interpreter
	if err := json.Unmarshal(out, &all); err != nil {
		return fmt.Errorf("fcd runtimes list: %w", err)
	}
	if l.node, err = chooseInterpreter(all, "nodejs"); err != nil {
		return err
	}
	l.python, err = chooseInterpreter(all, "python3")
	return err
}

// chooseInterpreter takes the first runtime of a language whose own interpreter is on the host, or else one that the
// host's stands in for.
func chooseInterpreter(all []interpreter, language string) (interpreter, error) {
	for _, exact := range []bool{true, false} {
		for _, i := range all {
			if i.Ready && strings.HasPrefix(i.Name, language) && (i.Origin == onHost || !exact && strings.HasPrefix(i.Origin, onHost+" ")) {
				return i, nil
			}
		}
	}
	return interpreter{}, fmt.Errorf("the host has no interpreter for any %s runtime", language)
}
