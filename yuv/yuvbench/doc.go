// Package yuvbench measures package yuv beside what else there is: naive Go, image/draw,
// and, when they are installed, libyuv and swscale through their shared libraries, with
// the machine's own limit (the same loads and stores without arithmetic) in the same run.
//
// Machines are shared and change their clock, so everything runs in interleaved rounds:
// each round runs every contestant once, ratios are taken within a round, and what is
// reported is their median. Before each measured slice a contestant runs unmeasured, so
// that it finds the caches as it leaves them itself: the first pictures after one that
// wrote past the caches would take twice as long.
//
// Concurrency: everything runs on the calling goroutine. libyuv's CPU flags are those of
// the process; they are left as libyuv chooses them.
package yuvbench
