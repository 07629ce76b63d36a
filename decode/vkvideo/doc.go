// Package vkvideo decodes H.264, H.265, AV1 and VP9 (see [Proven]) with Vulkan Video: the bitstream goes to a
// video queue of the GPU and the picture stays in its memory. No plane is ever seen by
// the CPU.
//
// The way of a picture, in [Video.Send]:
//
//  1. Package bitstream parses the access unit and says for each picture what the GPU
//     must know: parameter sets, slices, reference pictures and their slots, and which
//     pictures are due for output. What it does not accept is not submitted.
//  2. The slices are copied to a [Ring] in memory that the GPU reads, unless the access
//     unit lies there already.
//  3. One command buffer decodes the picture to an image of the pool and goes to the
//     decoder's queue in one submission. Nothing waits for it: the frame carries the
//     semaphore and the value that the renderer's draw waits for on the GPU.
//  4. How decoding went is asked for when a later picture needs the same command buffer.
//
// Images, by what the device offers:
//
//   - shared: reference pictures are sampled where they lie, in the general layout
//     (VK_KHR_unified_image_layouts). The pool has the slots of the decoded picture buffer
//     and the frames that the consumer holds at once.
//   - distinct: the device writes the picture once more, to an image that belongs to the
//     consumer.
//   - copied: reference pictures are copied, by a command of its own, to an image that
//     belongs to the consumer; others are handed on as they are.
//
// Pictures of AV1 with film grain are written twice, too: without grain for reference. They
// are not decoded where pictures are copied.
//
// In each a frame may stay on the screen as long as it likes: the decoder takes another
// image. When all are out the pool grows, which is counted ([Stats.Grown]).
//
// Ownership: a frame's last release gives its image back. Images, session and device
// outlive the decoder until the last frame is back.
//
// Concurrency: one goroutine; Stats and the release of frames from any. Decoders of one
// device spread over its video queues.
//
// Errors: media.ErrNotSupported says that another decoder must take over, from this unit
// or the next keyframe on; media.ErrDeviceLost; anything else is one damaged unit.
package vkvideo
