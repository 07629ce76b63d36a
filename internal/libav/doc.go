// Package libav binds FFmpeg's libraries at run time. It translates and decides nothing.
//
// [Open] loads libavutil, libavcodec, libavformat, libswresample and, when it is there,
// libswscale by soname, newest first: FFmpeg 9, 8, 7, 6, 5.1. Fields of public structs are
// reached through a table of offsets for each major version (offsets_gen.go, generated
// from gen/offsets.txt), and Open checks on a real codec context that the table is right
// before anybody relies on it.
//
// Objects of FFmpeg are addresses with a type of their own: [Packet], [Frame],
// [CodecContext]… A [Calls] is one goroutine's way of calling: it owns the argument block
// and the out-parameters, so that nothing is allocated on the hot path.
//
// [Allocator] lets decoders write their pictures into memory that the caller provides.
//
// Concurrency: a Lib from any goroutine; a Calls from one at a time.
// Errors: [Error] is FFmpeg's own code with FFmpeg's own text; FFmpeg's log is off.
package libav

//go:generate go run gen/main.go
