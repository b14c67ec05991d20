#!/bin/sh
# fuzz.sh TIME: runs every fuzz target of the tree for TIME each; stops at the first that finds something.
set -eu
time=${1:-4s}
output=$(mktemp)
trap 'rm -f "$output"' EXIT

fuzz() { # fuzz PACKAGE TARGET
	go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 10x "$1" >"$output" 2>&1
}

# cut tells whether the run was merely cut off: go test now and then calls the end of its own time a failure, without an
# input that fails.
cut() { grep -q 'context deadline exceeded' "$output" && ! grep -q 'Failing input written' "$output"; }

go list -f '{{if .TestGoFiles}}{{.ImportPath}}{{end}}{{if .XTestGoFiles}} {{.ImportPath}}{{end}}' ./... |
	tr ' ' '\n' | grep . | sort -u | while read -r package; do
	dir=$(go list -f '{{.Dir}}' "$package")
	targets=$(cat "$dir"/*_test.go | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' | sort -u)
	for target in $targets; do
		printf 'fuzz %s %s for %s\n' "$package" "$target" "$time"
		fuzz "$package" "$target" || { cut && fuzz "$package" "$target"; } || {
			cat "$output"
			echo "fuzz target $target of $package failed; an input it found is kept in its testdata" >&2
			exit 1
		}
	done
done
