// Package bitstream reads coded video without decoding it: bits, exp-Golomb codes and
// NAL units. Its sub-packages av1, h264, h265 and vp9 parse parameter sets and the headers of
// slices and frames and run the decoding process without its pixels: picture order,
// reference marking, output order.
//
// Whatever the data are, nothing here panics, loops or reads outside them: a damaged
// unit gives an error.
//
// Ownership: data is borrowed for the length of a call, unless the call says otherwise.
// Concurrency: a value belongs to one goroutine.
// Errors: [SyntaxError] for what a standard forbids, [UnsupportedError] for what it allows
// and scanout leaves to another decoder.
package bitstream
