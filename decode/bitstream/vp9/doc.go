// Package vp9 parses VP9 streams and runs their decoding process without pixels.
//
// [Decoder] takes what a container holds as one unit, a frame or a superframe, and says
// for each frame what a decoder needs that has everything behind the uncompressed header,
// such as a GPU's: that header with what is kept from earlier frames, where the compressed
// header and the tiles lie, which frames are referred to and where they are kept, and
// which are to be shown now.
//
// Fields of syntax structures carry the names of the standard in Go's spelling:
// refresh_frame_flags is RefreshFrameFlags. The compressed header is not read.
//
// Source: VP9 Bitstream & Decoding Process Specification, version 0.6. Numbers of sections
// in comments are this document's.
package vp9
