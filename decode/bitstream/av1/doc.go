// Package av1 parses AV1 streams and runs their decoding process without pixels.
//
// [Decoder] takes temporal units and says for each frame what a decoder needs that has
// only the block layer, such as a GPU's: sequence and frame header with all that is
// derived from them or loaded from earlier frames, where the tiles lie, which frames are
// referred to and where they are kept, and which are to be shown now.
//
// Fields of syntax structures carry the names of the standard in Go's spelling:
// max_frame_width_minus_1 is MaxFrameWidthMinus1.
//
// Streams are sequences of OBUs with their sizes (section 5.2, "low overhead"), as in
// files and RTP; the length-delimited form of annex B is not read. Large scale tile
// coding is recognized and answered with a bitstream.UnsupportedError. Of a scalable
// stream one operating point is decoded, and of its spatial layers the highest shown.
//
// Source: AV1 Bitstream & Decoding Process Specification, version 1.0.0 with errata 1.
// Numbers of sections in comments are this document's.
package av1
