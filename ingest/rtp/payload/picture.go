package payload

import (
	"bytes"

	"github.com/scanout-av/scanout/media"
)

// Picture is what a stream's headers say about its pictures.
type Picture struct {
	Width, Height int
	Profile       int
	BitDepth      int
	// Chroma is chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
	Chroma int
}

// maxSize bounds a picture's width and height.
const maxSize = 16384

func (p Picture) valid() bool {
	return p.Width > 0 && p.Height > 0 && p.Width <= maxSize && p.Height <= maxSize
}

// FindPicture looks in a unit, or in parameter sets, for the size of pictures. Ok is false
// when there is none in it.
func FindPicture(c media.Codec, unit []byte) (p Picture, ok bool) {
	switch c {
	case "h264":
		for nal := range nalsOf(unit) {
			if len(nal) > 4 && nal[0]&31 == 7 {
				if p, ok = h264SPS(nal[1:]); ok {
					return p, true
				}
			}
		}
	case "hevc":
		for nal := range nalsOf(unit) {
			if len(nal) > 6 && nal[0]>>1&63 == 33 {
				if p, ok = h265SPS(nal[2:]); ok {
					return p, true
				}
			}
		}
	case "vp8":
		// RFC 6386, 9.1.
		if len(unit) >= 10 && unit[0]&1 == 0 && unit[3] == 0x9d && unit[4] == 1 && unit[5] == 0x2a {
			p = Picture{Width: (int(unit[7])<<8 | int(unit[6])) & 0x3fff, Height: (int(unit[9])<<8 | int(unit[8])) & 0x3fff, BitDepth: 8, Chroma: 1}
			return p, p.valid()
		}
	case "vp9":
		return vp9Header0(unit)
	case "av1":
		return av1Unit(unit)
	}
	return Picture{}, false
}

// nalsOf iterates over the NAL units of a byte stream.
func nalsOf(b []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		mark := startCode[1:]
		i := bytes.Index(b, mark)
		for i >= 0 {
			b = b[i+3:]
			i = bytes.Index(b, mark)
			nal := b
			if i >= 0 {
				nal = bytes.TrimRight(b[:i], "\x00")
			}
			if !yield(nal) {
				return
			}
		}
	}
}

// unescaped returns a reader of b without emulation prevention bytes.
func unescaped(b []byte) bits {
	if len(b) > 1024 {
		b = b[:1024]
	}
	out := make([]byte, 0, len(b))
	zeros := 0
	for _, v := range b {
		if zeros >= 2 && v == 3 {
			zeros = 0
			continue
		}
		if v == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, v)
	}
	return bits{b: out, n: len(out) * 8}
}

// h264SPS reads a sequence parameter set. Source: ITU-T H.264, 7.3.2.1.1.
func h264SPS(b []byte) (Picture, bool) {
	r := unescaped(b)
	profile := r.read(8)
	r.skip(16) // constraints, level
	r.ue()     // id
	p := Picture{Profile: int(profile), BitDepth: 8, Chroma: 1}
	separate := false
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		p.Chroma = int(r.ue())
		if p.Chroma == 3 {
			separate = r.flag()
		}
		p.BitDepth = 8 + int(r.ue())
		r.ue()
		r.skip(1)
		if r.flag() { // scaling matrices
			n := 8
			if p.Chroma == 3 {
				n = 12
			}
			for i := range n {
				if !r.flag() {
					continue
				}
				size := 16
				if i >= 6 {
					size = 64
				}
				last, next := int32(8), int32(8)
				for range size {
					if next != 0 {
						next = (last + r.se() + 256) % 256
					}
					if next != 0 {
						last = next
					}
				}
			}
		}
	}
	r.ue() // log2_max_frame_num
	switch r.ue() {
	case 0:
		r.ue()
	case 1:
		r.skip(1)
		r.se()
		r.se()
		n := r.ue()
		for i := uint32(0); i < n && i < 256 && !r.bad; i++ {
			r.se()
		}
	}
	r.ue() // max_num_ref_frames
	r.skip(1)
	w, h := int(r.ue())+1, int(r.ue())+1
	frames := r.flag()
	if w > maxSize/16 || h > maxSize/16 {
		return p, false
	}
	if !frames {
		h *= 2
		r.skip(1)
	}
	r.skip(1)
	w, h = w*16, h*16
	if r.flag() {
		x, y := 1, 1
		if !separate && (p.Chroma == 1 || p.Chroma == 2) {
			x = 2
		}
		if !separate && p.Chroma == 1 {
			y = 2
		}
		if !frames {
			y *= 2
		}
		w -= x * int(min(r.ue(), maxSize))
		w -= x * int(min(r.ue(), maxSize))
		h -= y * int(min(r.ue(), maxSize))
		h -= y * int(min(r.ue(), maxSize))
	}
	p.Width, p.Height = w, h
	return p, !r.bad && p.valid() && p.Chroma <= 3 && p.BitDepth <= 14
}

// h265SPS reads a sequence parameter set. Source: ITU-T H.265, 7.3.2.2.
func h265SPS(b []byte) (Picture, bool) {
	r := unescaped(b)
	r.skip(4)
	layers := int(r.read(3))
	r.skip(1)
	// profile_tier_level
	r.skip(3)
	p := Picture{Profile: int(r.read(5))}
	r.skip(32 + 48 + 8)
	var has [8][2]bool
	for i := range layers {
		has[i] = [2]bool{r.flag(), r.flag()}
	}
	if layers > 0 {
		r.skip(2 * (8 - layers))
	}
	for i := range layers {
		if has[i][0] {
			r.skip(88)
		}
		if has[i][1] {
			r.skip(8)
		}
	}
	r.ue() // id
	p.Chroma = int(r.ue())
	separate := p.Chroma == 3 && r.flag()
	p.Width, p.Height = int(min(r.ue(), 1<<20)), int(min(r.ue(), 1<<20))
	if r.flag() {
		x, y := 1, 1
		if !separate && (p.Chroma == 1 || p.Chroma == 2) {
			x = 2
		}
		if !separate && p.Chroma == 1 {
			y = 2
		}
		p.Width -= x * int(min(r.ue(), maxSize))
		p.Width -= x * int(min(r.ue(), maxSize))
		p.Height -= y * int(min(r.ue(), maxSize))
		p.Height -= y * int(min(r.ue(), maxSize))
	}
	p.BitDepth = 8 + int(min(r.ue(), 100))
	return p, !r.bad && p.valid() && p.Chroma <= 3 && p.BitDepth <= 16
}

// vp9Header0 reads the uncompressed header of a key frame. Source: VP9 bitstream
// specification, 6.2.
func vp9Header0(b []byte) (Picture, bool) {
	r := bits{b: b, n: min(len(b), 64) * 8}
	p := Picture{BitDepth: 8, Chroma: 1}
	if r.read(2) != 2 {
		return p, false
	}
	low := r.read(1)
	p.Profile = int(r.read(1)<<1 | low)
	if p.Profile == 3 {
		r.skip(1)
	}
	if r.flag() { // show_existing_frame
		return p, false
	}
	key := !r.flag()
	r.skip(2)
	if !key || r.read(24) != 0x498342 {
		return p, false
	}
	if p.Profile >= 2 {
		p.BitDepth = 10
		if r.flag() {
			p.BitDepth = 12
		}
	}
	space := r.read(3)
	if space != 7 {
		r.skip(1)
		if p.Profile == 1 || p.Profile == 3 {
			sub := r.read(2)
			r.skip(1)
			if sub == 0 {
				p.Chroma = 3
			} else if sub == 2 {
				p.Chroma = 2
			}
		}
	} else {
		p.Chroma = 3
		if p.Profile == 1 || p.Profile == 3 {
			r.skip(1)
		}
	}
	p.Width, p.Height = int(r.read(16))+1, int(r.read(16))+1
	return p, !r.bad && p.valid()
}

// av1Unit looks for a sequence header. Source: AV1 bitstream specification, 5.5.
func av1Unit(b []byte) (Picture, bool) {
	for len(b) > 1 {
		header := b[0]
		b = b[1:]
		if header&0x04 != 0 {
			if len(b) == 0 {
				break
			}
			b = b[1:]
		}
		n := len(b)
		if header&0x02 != 0 {
			size, used, ok := leb128(b)
			if !ok || size > uint64(len(b)-used) {
				break
			}
			b, n = b[used:], int(size)
		}
		if header>>3&15 == obuSequence {
			return av1Sequence(b[:n])
		}
		b = b[n:]
	}
	return Picture{}, false
}

func av1Sequence(b []byte) (Picture, bool) {
	r := bits{b: b, n: min(len(b), 256) * 8}
	p := Picture{Profile: int(r.read(3)), BitDepth: 8, Chroma: 1}
	r.skip(1)
	if reduced := r.flag(); reduced {
		r.skip(5)
	} else {
		decoderModel, delayBits := false, 0
		if r.flag() { // timing info
			r.skip(64)
			if r.flag() {
				r.ue()
			}
			if decoderModel = r.flag(); decoderModel {
				delayBits = int(r.read(5)) + 1
				r.skip(32 + 5 + 5)
			}
		}
		display := r.flag()
		n := int(r.read(5)) + 1
		for range n {
			r.skip(12)
			if r.read(5) > 7 {
				r.skip(1)
			}
			if decoderModel && r.flag() {
				r.skip(2*delayBits + 1)
			}
			if display && r.flag() {
				r.skip(4)
			}
		}
	}
	wb, hb := int(r.read(4))+1, int(r.read(4))+1
	p.Width, p.Height = int(r.read(wb))+1, int(r.read(hb))+1
	if p.Profile == 2 {
		p.Chroma = 2
	} else if p.Profile == 1 {
		p.Chroma = 3
	}
	return p, !r.bad && p.valid()
}
