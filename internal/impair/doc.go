// Package impair makes a bad network out of a good one: packets of UDP that pass through
// a [Proxy] are lost (singly or in bursts), delayed, jittered, reordered, duplicated,
// damaged, throttled and cut off, in each direction for itself.
//
// What happens to a packet is decided by a [Link], which is pure: the time is an argument
// and chance comes from a seed. The fate of the n-th packet in a direction depends on the
// seed and n alone, never on when it came, so that two runs lose the same packets.
//
// Concurrency: a proxy reads each of its sockets on a goroutine and sends what was held
// back on another.
package impair
