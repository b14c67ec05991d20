#!/bin/sh
# fuzz.sh TIME: runs every fuzz target of the tree for TIME each; stops at the first that finds something.
set -eu
time=${1:-4s}
go list -f '{{if .TestGoFiles}}{{.ImportPath}}{{end}}{{if .XTestGoFiles}} {{.ImportPath}}{{end}}' ./... |
	tr ' ' '\n' | grep . | sort -u | while read -r package; do
	dir=$(go list -f '{{.Dir}}' "$package")
	targets=$(cat "$dir"/*_test.go | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' | sort -u)
	for target in $targets; do
		printf 'fuzz %s %s for %s\n' "$package" "$target" "$time"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "$package" >/dev/null || {
			go test -run "^$target\$" "$package" || true
			echo "fuzz target $target of $package found an input that fails; it is kept in its testdata" >&2
			exit 1
		}
	done
done
