// Package pattern is a built-in source: a moving test picture with a flash and a beep
// every second. It needs nothing installed.
//
// The picture has colour bars (75 % and 100 %), a luma ramp, a hue sweep, a zone plate and
// fine gratings that show scaling, a bar that moves by the same distance every frame, a
// timecode, the frame's number, and a block code of that number which [ReadFrameNumber]
// and [ReadFrameNumberRGBA] read back, so that latency, repeats and drops can be measured
// on what reached the screen.
//
// The picture's static part is painted once for each slot of the pool; after that a frame
// costs only what has changed since the slot was last used.
package pattern
