package vp9

import "testing"

// writer writes a header.
type writer struct {
	data []byte
	n    int
}

func (b *writer) put(n int, v uint32) *writer {
	for n--; n >= 0; n-- {
		if b.n&7 == 0 {
			b.data = append(b.data, 0)
		}
		b.data[b.n>>3] |= byte(v>>n&1) << (7 - b.n&7)
		b.n++
	}
	return b
}

// end writes what comes behind the frame size of a frame without anything special, a
// compressed header of one byte and one tile of one byte. width is the frame's.
func (b *writer) end(width int, inter bool) []byte {
	b.put(1, 0) // render_and_frame_size_different
	if inter {
		b.put(1, 1).put(1, 1) // allow_high_precision_mv, is_filter_switchable
	}
	b.put(2, 3).put(2, 1)           // refresh_frame_context, frame_parallel_decoding_mode, frame_context_idx
	b.put(6, 9).put(3, 0).put(1, 0) // loop filter
	b.put(8, 50).put(3, 0)          // quantizer
	b.put(1, 0)                     // segmentation_enabled
	if width > 7*64 {
		b.put(1, 0) // no more tile columns
	}
	b.put(1, 0).put(16, 1) // tile rows, header_size_in_bytes
	return append(b.data, 0x55, 0xaa)
}

func key(w, h int) []byte {
	b := (&writer{}).put(2, 2).put(2, 0).put(1, 0).put(1, 0).put(1, 1).put(1, 0).put(24, frameSyncCode).put(3, 1).put(1, 0)
	return b.put(16, uint32(w-1)).put(16, uint32(h-1)).end(w, false)
}

// inter refers to places 0, 1 and 2 and has the size of one of them, or its own.
func inter(refresh uint32, shown bool, ref, w, h int) []byte {
	b := (&writer{}).put(2, 2).put(2, 0).put(1, 0).put(1, 1)
	if shown {
		b.put(1, 1).put(1, 0)
	} else {
		b.put(1, 0).put(1, 0).put(1, 0) // intra_only
	}
	b.put(2, 0).put(8, refresh)
	for i := range uint32(RefsPerFrame) {
		b.put(3, i).put(1, i&1)
	}
	for i := range RefsPerFrame {
		if b.put(1, map[bool]uint32{true: 1}[i == ref]); i == ref {
			return b.end(w, true)
		}
	}
	return b.put(16, uint32(w-1)).put(16, uint32(h-1)).end(w, true)
}

func intraOnly(refresh uint32, w, h int) []byte {
	b := (&writer{}).put(2, 2).put(2, 0).put(1, 0).put(1, 1).put(1, 0).put(1, 0).put(1, 1).put(2, 2).put(24, frameSyncCode).put(8, refresh)
	return b.put(16, uint32(w-1)).put(16, uint32(h-1)).end(w, false)
}

// TestSizes decodes what no encoder at hand makes: inter frames of other sizes than their
// references, and intra-only frames.
func TestSizes(t *testing.T) {
	d := NewDecoder()
	var check contract
	for n, c := range []struct {
		data  []byte
		w, h  int
		prev  bool // UsePrevFrameMvs
		shown bool
		fails bool
	}{
		{data: key(320, 240), w: 320, h: 240, shown: true},
		{data: inter(1, true, 0, 320, 240), w: 320, h: 240, prev: true, shown: true},
		{data: inter(1<<1, true, -1, 160, 120), w: 160, h: 120, shown: true},
		{data: inter(0, true, 1, 160, 120), w: 160, h: 120, prev: true, shown: true}, // of place 1, half the size
		{data: inter(1<<2, false, 0, 320, 240), w: 320, h: 240, shown: false},        // of place 0 again, hidden
		{data: inter(0, true, 2, 320, 240), w: 320, h: 240, shown: true},             // behind a hidden frame
		{data: inter(1, true, -1, 100, 240), fails: true},                            // less than half of place 0
		{data: intraOnly(1<<5|1, 320, 240), w: 320, h: 240},                          // replaces what was lost
		{data: inter(1, true, 0, 320, 240), w: 320, h: 240, shown: true},             // behind an intra-only frame
		{data: key(640, 360), w: 640, h: 360, shown: true},                           // another sequence
		{data: inter(1, true, -1, 1280, 720), w: 1280, h: 720, shown: true},          // larger than its key frame
		{data: []byte{0x80, 0x49}, fails: true},                                      // a key frame that is cut
	} {
		pics, err := d.Decode(c.data)
		if (err != nil) != c.fails || len(pics) != 1 && !c.fails {
			t.Fatalf("frame %d: %d pictures, %v", n, len(pics), err)
		}
		if c.fails {
			continue
		}
		p := &pics[0]
		if err := check.picture(p); err != nil {
			t.Fatalf("frame %d: %v", n, err)
		}
		f := &p.Frame
		if f.FrameWidth != c.w || f.FrameHeight != c.h || f.UsePrevFrameMvs != c.prev || (len(p.Output) == 1) != c.shown {
			t.Errorf("frame %d: %dx%d, previous vectors %v, shows %v", n, f.FrameWidth, f.FrameHeight, f.UsePrevFrameMvs, p.Output)
		}
		if p.NewSequence != f.KeyFrame || f.KeyFrame && (p.MaxWidth != c.w || p.MaxHeight != c.h) {
			t.Errorf("frame %d: new sequence %v, %dx%d", n, p.NewSequence, p.MaxWidth, p.MaxHeight)
		}
		if want := n == 8; p.Corrupt != want {
			t.Errorf("frame %d: corrupt is %v", n, p.Corrupt)
		}
	}
}
