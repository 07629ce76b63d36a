// Package h265 parses H.265 streams and runs their decoding process without pixels.
//
// [Decoder] takes access units and says for each picture what a decoder needs that has
// only the block layer, such as a GPU's: parameter sets, slice segments, picture order
// count, the decoded picture buffer (DPB) with the reference picture set, and which
// pictures are to be shown now.
//
// Fields of syntax structures carry the names of the standard in Go's spelling:
// log2_max_pic_order_cnt_lsb_minus4 is Log2MaxPicOrderCntLsbMinus4.
//
// The range extensions' syntax is read; whether their tools are supported is up to who
// decodes. Screen content coding and fields (field_seq_flag) are recognized and answered
// with a bitstream.UnsupportedError. Of a layered stream the base layer is decoded.
//
// Source: ITU-T H.265 (08/2021).
package h265
