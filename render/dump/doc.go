// Package dump has video sinks that write frames instead of showing them: checksums in
// FFmpeg's framemd5 format, Y4M, PNG files, or nothing at all. They have the method set of
// the player's VideoSink.
//
// A sink that cannot write (disk full, reader gone) says so from Present, releases what it
// is given all the same, and does not try again: every later Present returns the same error.
package dump
