// Package ffmpeg decodes video and sound with FFmpeg, found at run time.
//
// Pictures are written by the decoder straight into the slots of a frame pool
// (get_buffer2), where a GPU reads them: no plane is copied, and in steady state nothing
// is allocated on the Go heap. What cannot go that way is counted, never hidden: a
// Fallback is a picture in memory of FFmpeg's own (no slot free, slot too small, a
// decoder such as libdav1d that brings its own memory), a Copy is a picture that had to
// be converted because package media does not know its format.
//
// Without FFmpeg the constructors fail with media.ErrNotSupported and say what to
// install.
package ffmpeg
