package vp9

// maxFrames is how many frames a superframe has at most.
const maxFrames = 8

// Frames finds the frames of a superframe; any other unit is one frame. n of the parts
// hold offsets in data: frame i is data[parts[i]:parts[i+1]]. The index is not part of
// them.
// Source: annex B.
func Frames(data []byte) (parts [maxFrames + 1]int, n int) {
	parts[1] = len(data)
	if len(data) == 0 {
		return parts, 0
	}
	last := data[len(data)-1]
	if last&0xe0 != 0xc0 {
		return parts, 1
	}
	frames, size := int(last&7)+1, int(last>>3&3)+1
	index := len(data) - 2 - frames*size
	if index < 0 || data[index] != last {
		return parts, 1
	}
	at := 0
	for i := range frames {
		length := 0
		for k := range size {
			length |= int(data[index+1+i*size+k]) << (8 * k)
		}
		if length == 0 {
			continue // a frame that was left out
		}
		if length > index-at {
			length = index - at // damaged: what there is of it
		}
		at += length
		n++
		parts[n] = at
		if at == index {
			break
		}
	}
	return parts, n
}
