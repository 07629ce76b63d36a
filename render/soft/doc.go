// Package soft draws frames on the CPU, for machines without a GPU: into a window's own
// memory ([Window]), into an image ([Offscreen]), or into images of the caller's ([Raster]).
//
// The way of a frame, in Present:
//
//  1. The geometry is looked up; it is made anew when the picture or the target changed.
//     Only then are borders painted and tables allocated.
//  2. A picture that fits pixel for pixel is converted straight into the target by
//     package yuv.
//  3. Any other picture is converted a few rows at a time into a scratch that stays in
//     the cache, and scaled, mirrored or turned from there into the target.
//  4. A window waits for the picture's moment and hands over the rectangle that changed.
//  5. The frame is released: no sink holds a frame beyond Present.
//
// # Colour
//
// Every [media.PixelFormat] is drawn. BT.601, BT.709 and BT.2020 go through package yuv
// where it has the layout; SMPTE 240M, FCC, YCgCo and the layouts that it lacks (12 bits,
// 4:4:4 of 10 bits) go through an exact but slower loop in Go. Either is within 1/255 of
// [media.Color.Conversion]. Chroma is interpolated between its samples, at their siting:
// pictures that are not scaled come within 2/255 of the Vulkan renderer's. Transfer
// functions and primaries are not converted.
//
// # Scaling
//
// Bilinear scaling takes two samples each way, in RGB, with weights of 8 bits: like a
// GPU's texture unit. What lies beyond black and white is cut off before scaling, and a
// GPU cuts it off after, so that scaled noise differs. Pictures keep their shape: sample aspect ratio, mirroring and
// rotation are applied, and what they leave of the target is black.
//
// Stores are ordinary ones: window systems read the picture at once, and non-temporal
// stores gained nothing in a window of any size up to 1080p.
//
// # Time
//
// A window system tells nothing about when these pictures appear. A window takes the
// moment after the picture was handed over for it (media.PresentFence: estimated); an
// offscreen target has a simulated vblank.
package soft
