// Package render draws frames with Vulkan: one triangle over the whole target, samples
// converted to RGB in the shader.
//
// The way of a frame, in [Offscreen.Present] and [Window.Present]:
//
//  1. Begin has found an entry whose last work the GPU has finished; nothing waits after
//     that.
//  2. The frame's planes lie in the pool's mapping, which the GPU has imported. The copy
//     engine fetches them into the entry's own buffer or images ([UploadMode] says how);
//     frames from elsewhere are copied by the CPU first, and counted.
//  3. The draw waits for the copy on the GPU and goes to the entry's target.
//  4. When the timeline says that the planes have been read, the frame is released.
//
// Several entries are in flight, so that copying one frame and drawing another overlap.
//
// Exactness: samples are fetched as integers and interpolated in the shader in 32-bit
// floats, because texture units interpolate with weights of 8 bits. Chroma is bilinear
// at its proper siting; the matrix is [media.Color.Conversion].
//
// What a target does not cover by the picture is black. Pictures keep their aspect ratio
// and are turned upright.
package render

//go:generate sh shader/compile.sh
