#!/bin/sh
# fuzz.sh TIME: runs every fuzz target of the tree for TIME each; stops at the first that finds something. What they find
# interesting is kept where go test -fuzz keeps it.
set -eu
time=${1:-4s}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
corpus=$(go env GOCACHE)/fuzz

fuzz() { # fuzz DIRECTORY PACKAGE TARGET, with the program that was built of the package
	(cd "$1" && "$work/test" -test.run '^$' -test.fuzz "^$3\$" -test.fuzztime "$time" -test.fuzzminimizetime 10x \
		-test.fuzzcachedir "$corpus/$2") >"$work/output" 2>&1 </dev/null
}

# cut tells whether the run was merely cut off: testing now and then calls the end of its own time a failure, without an
# input that fails.
cut() { grep -q 'context deadline exceeded' "$work/output" && ! grep -q 'Failing input written' "$work/output"; }

go list -f '{{.ImportPath}} {{.Dir}}' ./... >"$work/packages"
while read -r package dir; do
	targets=$(cat "$dir"/*_test.go 2>/dev/null | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' | sort -u)
	[ -n "$targets" ] || continue
	go test -c -fuzz . -o "$work/test" "$package"
	for target in $targets; do
		printf 'fuzz %s %s for %s\n' "$package" "$target" "$time"
		fuzz "$dir" "$package" "$target" || { cut && fuzz "$dir" "$package" "$target"; } || {
			cat "$work/output"
			echo "fuzz target $target of $package failed; an input it found is kept in its testdata" >&2
			exit 1
		}
	done
done <"$work/packages"
