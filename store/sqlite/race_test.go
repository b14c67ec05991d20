//go:build race

package sqlite_test

// crashRounds is how often a writing process is killed.
const crashRounds = 5
