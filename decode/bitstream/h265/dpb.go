package h265

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

// entry is what a slot holds.
type entry struct {
	id         bitstream.PictureID
	poc        int32
	marking    marking
	needOutput bool
	corrupt    bool
	latency    int32 // PicLatencyCount
}

func (e *entry) occupied() bool { return e.marking != unused || e.needOutput }

// dpb is the decoded picture buffer.
type dpb struct {
	slot    [MaxSlots]entry
	size    int   // sps_max_dec_pic_buffering_minus1 + 1
	reorder int   // sps_max_num_reorder_pics
	latency int32 // SpsMaxLatencyPictures, −1 for no limit
}

func (d *dpb) configure(s *SPS) {
	top := s.SpsMaxSubLayersMinus1
	d.size = s.MaxDecPicBuffering()
	d.reorder = int(s.Ordering.MaxNumReorderPics[top])
	d.latency = -1
	if inc := s.Ordering.MaxLatencyIncreasePlus1[top]; inc > 0 && inc < 1<<30 {
		d.latency = int32(d.reorder) + int32(inc) - 1
	}
}

func (d *dpb) occupied() (m bitstream.Slots) {
	for i := range d.slot {
		if d.slot[i].occupied() {
			m |= 1 << i
		}
	}
	return m
}

// find returns the slot of a reference picture with an order count, −1 for none. mask
// selects the bits that are compared.
func (d *dpb) find(poc, mask int32, short bool) int {
	for i := range d.slot {
		e := &d.slot[i]
		if e.marking != unused && (!short || e.marking == shortTerm) && e.poc&mask == poc&mask {
			return i
		}
	}
	return -1
}

// bump outputs the waiting picture with the smallest order count; false when none waits.
func (d *dpb) bump(out []bitstream.Output) ([]bitstream.Output, bool) {
	best := -1
	for i := range d.slot {
		e := &d.slot[i]
		if e.needOutput && (best < 0 || e.poc < d.slot[best].poc) {
			best = i
		}
	}
	if best < 0 {
		return out, false
	}
	e := &d.slot[best]
	e.needOutput = false
	return append(out, bitstream.Output{ID: e.id, PicOrderCnt: e.poc, Slot: int8(best)}), true
}

// flush outputs all pictures that wait.
func (d *dpb) flush(out []bitstream.Output) []bitstream.Output {
	for ok := true; ok; {
		out, ok = d.bump(out)
	}
	return out
}

// clear empties the buffer.
func (d *dpb) clear() { d.slot = [MaxSlots]entry{} }

// crowded reports whether more pictures wait than the stream reorders, or one too long.
func (d *dpb) crowded() bool {
	n, late := 0, false
	for i := range d.slot {
		if e := &d.slot[i]; e.needOutput {
			n++
			late = late || d.latency >= 0 && e.latency >= d.latency
		}
	}
	return n > d.reorder || late && n > 0
}

// makeRoom outputs pictures before the current one takes its slot (C.5.2.2).
func (d *dpb) makeRoom(out []bitstream.Output) []bitstream.Output {
	for ok := true; ok && (d.crowded() || bits.OnesCount32(uint32(d.occupied())) >= d.size); {
		out, ok = d.bump(out)
	}
	return out
}

// store takes in the current picture, which is decoded (C.5.2.3).
func (d *dpb) store(out []bitstream.Output, slot int, e entry) []bitstream.Output {
	if e.needOutput {
		for i := range d.slot {
			if o := &d.slot[i]; o.needOutput && o.poc > e.poc {
				o.latency++
			}
		}
	}
	d.slot[slot] = e
	for ok := true; ok && d.crowded(); {
		out, ok = d.bump(out)
	}
	return out
}
