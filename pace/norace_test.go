//go:build !race

package pace

// minutes is how long each pair of the rate matrix plays.
const minutes = 10
