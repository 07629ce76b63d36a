// Package media holds the values that flow through scanout: packets become
// [AccessUnit], decoders turn those into [Frame] and [AudioBlock], the pacer turns
// a frame into [Scheduled], a renderer answers with [Presented].
//
// The package holds values only: no I/O, no goroutines, no clocks. Reading its
// documentation is reading the data path.
//
// # Time
//
// A [Timestamp] counts ticks of a [Timebase] and is never a float. An [Instant] is
// nanoseconds of the machine's monotonic clock. Spans are [time.Duration].
//
// # Ownership
//
// A frame is born with one reference. Passing a frame to a function gives that
// reference away, even when the function fails; a frame that is returned belongs to
// the caller. Functions whose name starts with With lend a frame for the length of
// the call. Whoever drops a frame releases it and counts it.
package media
