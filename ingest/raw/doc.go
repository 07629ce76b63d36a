// Package raw reads uncompressed video, YUV4MPEG2 (Y4M) or headerless, from any
// io.Reader: standard input, a file, a pipe, a connection.
//
// Pictures are read straight into slots of a pool. Where the rows of a picture cannot lie
// without padding (widths whose rows are no multiple of four bytes), a plane is still read
// in one go, to the end of its place, and its rows are then moved apart.
package raw
