//go:build race

package pace

// minutes is how long each pair of the rate matrix plays: the race detector makes arithmetic
// ten times as slow, and finds nothing in it.
const minutes = 1
