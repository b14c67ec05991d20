//go:build !race

package storetest

// hotMessages is how many messages of one function stand before another's; the race detector makes each slow.
const hotMessages = 100_000
