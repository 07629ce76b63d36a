// Package h264 parses H.264 streams and runs their decoding process without pixels.
//
// [Decoder] takes access units and says for each picture what a decoder needs that has
// only the block layer, such as a GPU's: parameter sets, slices, picture order count, the
// decoded picture buffer (DPB) with its reference pictures, and which pictures are to be
// shown now.
//
// Fields of syntax structures carry the names of the standard in Go's spelling:
// log2_max_frame_num_minus4 is Log2MaxFrameNumMinus4.
//
// Frames and MBAFF frames are decoded. Field pictures, slice groups, arbitrary slice
// order, data partitioning and SP/SI slices are recognized and answered with a
// bitstream.UnsupportedError. Redundant slices are left out, as the standard allows.
// Of a scalable or multiview stream the base layer is decoded.
//
// Source: ITU-T H.264 (08/2021).
package h264
