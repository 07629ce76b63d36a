package h264

import (
	"math/bits"

	"github.com/scanout-av/scanout/decode/bitstream"
)

type marking uint8

const (
	unused marking = iota
	shortTerm
	longTerm
)

// frame is what a slot holds.
type frame struct {
	id           bitstream.PictureID
	marking      marking
	needOutput   bool
	nonExisting  bool
	corrupt      bool
	frameNum     uint32
	frameNumWrap int32
	longTermIdx  uint32
	fieldPOC     [2]int32
}

func (f *frame) occupied() bool { return f.marking != unused || f.needOutput }
func (f *frame) poc() int32     { return min(f.fieldPOC[0], f.fieldPOC[1]) }

// dpb is the decoded picture buffer. Between pictures at most `frames` of its slots are
// occupied, so that the next picture always finds one.
type dpb struct {
	slot    [MaxSlots]frame
	frames  int // capacity
	refs    int // max_num_ref_frames, 1 at least
	reorder int // frames that may wait for output
	maxLong int // MaxLongTermFrameIdx, −1 for "no long-term frame indices"
}

func (d *dpb) configure(s *SPS) {
	d.frames = s.DpbFrames()
	d.refs = max(int(s.MaxNumRefFrames), 1)
	d.reorder = s.ReorderFrames()
}

func (d *dpb) occupied() (m bitstream.Slots) {
	for i := range d.slot {
		if d.slot[i].occupied() {
			m |= 1 << i
		}
	}
	return m
}

// free returns a slot that is not in the set.
func (d *dpb) free(taken bitstream.Slots) int {
	return bits.TrailingZeros32(^uint32(taken))
}

// updateNums sets FrameNumWrap for a picture with frame_num cur (8.2.4.1).
func (d *dpb) updateNums(cur, maxFrameNum uint32) {
	for i := range d.slot {
		f := &d.slot[i]
		if f.marking == shortTerm {
			f.frameNumWrap = int32(f.frameNum)
			if f.frameNum > cur {
				f.frameNumWrap -= int32(maxFrameNum)
			}
		}
	}
}

// slide is the sliding window (8.2.5.3): it makes room for one more reference frame
// beside cur's own slot.
func (d *dpb) slide(cur int) {
	for {
		n, oldest := 0, -1
		for i := range d.slot {
			f := &d.slot[i]
			if i == cur || f.marking == unused {
				continue
			}
			n++
			if f.marking == shortTerm && (oldest < 0 || f.frameNumWrap < d.slot[oldest].frameNumWrap) {
				oldest = i
			}
		}
		if n < d.refs || oldest < 0 {
			return
		}
		d.slot[oldest].marking = unused
	}
}

// limit unmarks the oldest frames while there are more than the stream promised:
// damaged operations must not overfill the DPB.
func (d *dpb) limit(cur int) (removed int) {
	for {
		n, oldest := 0, -1
		for i := range d.slot {
			f := &d.slot[i]
			if f.marking == unused {
				continue
			}
			n++
			if i != cur && (oldest < 0 || f.id < d.slot[oldest].id) {
				oldest = i
			}
		}
		if n <= d.refs || oldest < 0 {
			return removed
		}
		d.slot[oldest].marking = unused
		removed++
	}
}

// short finds the short-term frame with a PicNum, −1 for none.
func (d *dpb) short(picNum int32, cur int) int {
	for i := range d.slot {
		if f := &d.slot[i]; i != cur && f.marking == shortTerm && f.frameNumWrap == picNum {
			return i
		}
	}
	return -1
}

// long finds the long-term frame with an index, −1 for none.
func (d *dpb) long(idx uint32, cur int) int {
	for i := range d.slot {
		if f := &d.slot[i]; i != cur && f.marking == longTerm && f.longTermIdx == idx {
			return i
		}
	}
	return -1
}

// mark is the decoded reference picture marking of slot cur, by header h (8.2.5). It
// returns how many operations named pictures that are not there.
func (d *dpb) mark(cur int, h *SliceHeader) (missing int) {
	f := &d.slot[cur]
	f.marking = shortTerm
	switch {
	case h.IdrPicFlag:
		d.maxLong = -1
		if h.LongTermReferenceFlag {
			f.marking, f.longTermIdx, d.maxLong = longTerm, 0, 0
		}
	case h.AdaptiveRefPicMarkingModeFlag:
		for i := range h.NumMMCO {
			if !d.operate(cur, &h.MMCO[i], int32(h.FrameNum)) {
				missing++
			}
		}
	default:
		d.slide(cur)
	}
	// A frame number that is used twice cannot be told apart any more.
	for i := range d.slot {
		o := &d.slot[i]
		if i != cur && f.marking == shortTerm && o.marking == shortTerm && o.frameNum == f.frameNum {
			o.marking = unused
			missing++
		}
	}
	return missing + d.limit(cur)
}

// operate carries out a memory management control operation (8.2.5.4); false says that
// the frame it names is not there.
func (d *dpb) operate(cur int, m *MMCO, picNum int32) bool {
	switch m.Op {
	case 1, 3:
		i := d.short(picNum-int32(m.DifferenceOfPicNumsMinus1)-1, cur)
		if m.Op == 3 {
			if j := d.long(m.LongTermFrameIdx, cur); j >= 0 && j != i {
				d.slot[j].marking = unused
			}
		}
		if i < 0 {
			return false
		}
		f := &d.slot[i]
		if f.marking = unused; m.Op == 3 {
			f.marking, f.longTermIdx = longTerm, m.LongTermFrameIdx
		}
	case 2:
		i := d.long(m.LongTermPicNum, cur)
		if i < 0 {
			return false
		}
		d.slot[i].marking = unused
	case 4:
		d.maxLong = int(m.MaxLongTermFrameIdxPlus1) - 1
		for i := range d.slot {
			if f := &d.slot[i]; i != cur && f.marking == longTerm && int(f.longTermIdx) > d.maxLong {
				f.marking = unused
			}
		}
	case 5:
		for i := range d.slot {
			if i != cur {
				d.slot[i].marking = unused
			}
		}
		d.maxLong = -1
	case 6:
		if j := d.long(m.LongTermFrameIdx, cur); j >= 0 {
			d.slot[j].marking = unused
		}
		d.slot[cur].marking, d.slot[cur].longTermIdx = longTerm, m.LongTermFrameIdx
	}
	return true
}

// first returns the slot that is next in output order, −1 when none waits; without
// `but`, which may be −1.
func (d *dpb) first(but int) int {
	best := -1
	for i := range d.slot {
		f := &d.slot[i]
		if f.needOutput && i != but && (best < 0 || f.poc() < d.slot[best].poc()) {
			best = i
		}
	}
	return best
}

// waiting returns how many frames wait for output.
func (d *dpb) waiting() (n int) {
	for i := range d.slot {
		if d.slot[i].needOutput {
			n++
		}
	}
	return n
}

// bump outputs one frame; false when none waits.
func (d *dpb) bump(out []bitstream.Output, but int) ([]bitstream.Output, bool) {
	i := d.first(but)
	if i < 0 {
		return out, false
	}
	f := &d.slot[i]
	f.needOutput = false
	return append(out, bitstream.Output{ID: f.id, PicOrderCnt: f.poc(), Slot: int8(i)}), true
}

// flush outputs all frames that wait, but not that in slot `but`.
func (d *dpb) flush(out []bitstream.Output, but int) []bitstream.Output {
	for ok := true; ok; {
		out, ok = d.bump(out, but)
	}
	return out
}

// store puts slot cur, which is decoded and marked, into the DPB: frames are output
// until no more wait than the stream reorders, and until there is room (C.4.5).
func (d *dpb) store(out []bitstream.Output, cur int) []bitstream.Output {
	for n := d.waiting(); n > d.reorder; n-- {
		out, _ = d.bump(out, -1)
	}
	for ok := true; ok && bits.OnesCount32(uint32(d.occupied())) > d.frames; {
		out, ok = d.bump(out, -1)
	}
	return out
}
