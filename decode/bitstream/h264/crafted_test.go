package h264

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/media"
)

// bitWriter writes the payload of a NAL unit.
type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) u(n int, v uint32) {
	for i := n - 1; i >= 0; i-- {
		if w.n&7 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[len(w.b)-1] |= byte(v>>i&1) << (7 - w.n&7)
		w.n++
	}
}

func (w *bitWriter) flag(f bool) {
	if f {
		w.u(1, 1)
	} else {
		w.u(1, 0)
	}
}

func (w *bitWriter) ue(v uint32) {
	n := 0
	for (v+1)>>n > 1 {
		n++
	}
	w.u(n, 0)
	w.u(n+1, v+1)
}

func (w *bitWriter) se(v int32) {
	if v > 0 {
		w.ue(uint32(2*v - 1))
	} else {
		w.ue(uint32(-2 * v))
	}
}

// nal ends the payload and returns it as a unit with start code and header.
func (w *bitWriter) nal(header byte) []byte {
	w.u(1, 1)
	out := []byte{0, 0, 0, 1, header}
	zeros := 0
	for _, c := range w.b {
		if zeros >= 2 && c <= 3 {
			out, zeros = append(out, 3), 0
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}

// craft makes streams of 48x48 samples whose pictures are grey or repeat their first
// reference: nine macroblocks, of which an intra slice codes each in eleven bits and a P
// slice skips all. Headers are free.
type craft struct {
	profile   uint32
	pocType   uint32
	refs      uint32
	gaps      bool
	fields    bool // frame_mbs_only_flag is 0
	groups    bool // two slice groups
	redundant bool
}

func (c craft) sets() []byte {
	var w bitWriter
	w.u(8, c.profile)
	w.u(8, 0)
	w.u(8, 40)
	w.ue(0)
	w.ue(0) // log2_max_frame_num_minus4
	w.ue(c.pocType)
	switch c.pocType {
	case 0:
		w.ue(4)
	case 1:
		w.flag(false)
		w.se(-1) // offset_for_non_ref_pic
		w.se(1)
		w.ue(2)
		w.se(2)
		w.se(4)
	}
	w.ue(c.refs)
	w.flag(c.gaps)
	w.ue(2)
	if c.fields {
		w.ue(1)
	} else {
		w.ue(2)
	}
	if w.flag(!c.fields); c.fields {
		w.flag(false)
	}
	w.flag(true)
	w.flag(false)
	w.flag(false)
	sps := w.nal(0x67)
	w = bitWriter{}
	w.ue(0)
	w.ue(0)
	w.flag(false)
	w.flag(true)
	if c.groups {
		w.ue(1)
		w.ue(0)
		w.ue(0)
		w.ue(0)
	} else {
		w.ue(0)
	}
	w.ue(0)
	w.ue(0)
	w.flag(false)
	w.u(2, 0)
	w.se(0)
	w.se(0)
	w.se(0)
	w.flag(true)
	w.flag(false)
	w.flag(c.redundant)
	return append(sps, w.nal(0x68)...)
}

// craftSlice is what a slice header says.
type craftSlice struct {
	idr, intra, reference bool
	long                  bool // long_term_reference_flag
	field, bottom         bool
	first                 uint32
	redundant             uint32
	frameNum, idrID       uint32
	lsb                   uint32
	delta                 [2]int32
	active                int
	mods                  []ListModification
	mmco                  []MMCO
	count                 uint32 // macroblocks
}

func (c craft) slice(s craftSlice) []byte {
	var w bitWriter
	w.ue(s.first)
	if s.intra {
		w.ue(2)
	} else {
		w.ue(0)
	}
	w.ue(0)
	w.u(4, s.frameNum&15)
	if c.fields {
		if w.flag(s.field); s.field {
			w.flag(s.bottom)
		}
	}
	if s.idr {
		w.ue(s.idrID)
	}
	switch c.pocType {
	case 0:
		w.u(8, s.lsb&255)
		if !s.field {
			w.se(0)
		}
	case 1:
		w.se(s.delta[0])
		if !s.field {
			w.se(s.delta[1])
		}
	}
	if c.redundant {
		w.ue(s.redundant)
	}
	if !s.intra {
		w.flag(true)
		w.ue(uint32(s.active - 1))
		if w.flag(len(s.mods) > 0); len(s.mods) > 0 {
			for _, m := range s.mods {
				w.ue(uint32(m.ModificationOfPicNumsIdc))
				w.ue(m.Value)
			}
			w.ue(3)
		}
	}
	header := byte(1)
	if s.idr {
		header = 5
	}
	if s.reference {
		header |= 0x60
		if s.idr {
			w.flag(false)
			w.flag(s.long)
		} else if w.flag(len(s.mmco) > 0); len(s.mmco) > 0 {
			for _, m := range s.mmco {
				w.ue(uint32(m.Op))
				switch m.Op {
				case 1:
					w.ue(m.DifferenceOfPicNumsMinus1)
				case 2:
					w.ue(m.LongTermPicNum)
				case 3:
					w.ue(m.DifferenceOfPicNumsMinus1)
					w.ue(m.LongTermFrameIdx)
				case 4:
					w.ue(m.MaxLongTermFrameIdxPlus1)
				case 6:
					w.ue(m.LongTermFrameIdx)
				}
			}
			w.ue(0)
		}
	}
	w.se(0)
	w.ue(1)
	if s.intra {
		for range s.count {
			w.ue(3) // I_16x16_2_0_0
			w.ue(0)
			w.se(0)
			w.u(1, 1) // no coefficients
		}
	} else {
		w.ue(s.count)
	}
	return w.nal(header)
}

// random makes a stream whose pictures are marked, numbered and reordered at random, in
// the ways that the standard allows.
func (c craft) random(rng *rand.Rand, pictures int) []byte {
	out := c.sets()
	var short []uint32 // frame_num, oldest first
	long := map[uint32]bool{}
	maxLong, frameNum, lsb, idrID := uint32(0), uint32(0), uint32(0), uint32(0)
	prevRef := false
	for i := range pictures {
		s := craftSlice{count: 9, active: 1, reference: rng.IntN(4) > 0 || c.pocType != 0 && !prevRef}
		if i == 0 || rng.IntN(25) == 0 {
			s.idr, s.intra, s.reference, s.long, s.idrID = true, true, true, rng.IntN(2) == 0, idrID&1
			idrID++
			frameNum, lsb, short, maxLong = 0, 0, nil, 0
			clear(long)
		} else {
			if prevRef {
				frameNum = (frameNum + 1) & 15
			}
			lsb += 2
			if c.gaps && prevRef && rng.IntN(5) == 0 {
				for range 1 + rng.IntN(3) {
					short = append(short, frameNum)
					frameNum = (frameNum + 1) & 15
					for len(short)+len(long) > int(c.refs) {
						if len(short) == 0 {
							break
						}
						short = short[1:]
					}
				}
				s.intra = true // what was inferred may not be referred to
			}
		}
		s.frameNum, s.lsb = frameNum, lsb
		if n := len(short) + len(long); n == 0 {
			s.intra = true
		} else {
			s.active = n
		}
		pred := frameNum
		for range rng.IntN(3) {
			if s.intra || c.gaps || len(s.mods) >= s.active {
				break
			}
			if idx := rng.Uint32N(16); long[idx] {
				s.mods = append(s.mods, ListModification{2, idx})
			} else if len(short) > 0 {
				to := short[rng.IntN(len(short))]
				if rng.IntN(2) == 0 {
					s.mods = append(s.mods, ListModification{0, (pred - to - 1) & 15})
				} else {
					s.mods = append(s.mods, ListModification{1, (to - pred - 1) & 15})
				}
				pred = to
			}
		}
		if s.reference && !s.idr {
			cur := frameNum
			isLong := false
			if rng.IntN(3) == 0 && !c.gaps {
				if maxLong == 0 || rng.IntN(8) == 0 {
					maxLong = 1 + rng.Uint32N(min(c.refs, 3))
					s.mmco = append(s.mmco, MMCO{Op: 4, MaxLongTermFrameIdxPlus1: maxLong})
					for k := range long {
						if k >= maxLong {
							delete(long, k)
						}
					}
				}
				switch idx := rng.Uint32N(maxLong); rng.IntN(5) {
				case 0:
					if len(short) > 0 {
						k := rng.IntN(len(short))
						s.mmco = append(s.mmco, MMCO{Op: 3, DifferenceOfPicNumsMinus1: (cur - short[k] - 1) & 15, LongTermFrameIdx: idx})
						short = slices.Delete(short, k, k+1)
						long[idx] = true
					}
				case 1:
					s.mmco = append(s.mmco, MMCO{Op: 6, LongTermFrameIdx: idx})
					long[idx], isLong = true, true
				case 2:
					if long[idx] {
						s.mmco = append(s.mmco, MMCO{Op: 2, LongTermPicNum: idx})
						delete(long, idx)
					}
				case 3:
					if len(short) > 1 {
						k := rng.IntN(len(short))
						s.mmco = append(s.mmco, MMCO{Op: 1, DifferenceOfPicNumsMinus1: (cur - short[k] - 1) & 15})
						short = slices.Delete(short, k, k+1)
					}
				case 4:
					if c.pocType == 0 && rng.IntN(3) == 0 {
						s.mmco = append(s.mmco[:0], MMCO{Op: 5})
						short, maxLong, cur, lsb = nil, 0, 0, 0
						if frameNum == 1 && s.lsb == 2 {
							lsb = 2 // or the next header would be the same
						}
						clear(long)
					}
				}
			}
			// A frame number comes again after 16 frames.
			if len(short) > 0 && len(s.mmco) == 0 && (cur-short[0])&15 > 12 {
				s.mmco = append(s.mmco, MMCO{Op: 1, DifferenceOfPicNumsMinus1: (cur - short[0] - 1) & 15})
				short = short[1:]
			}
			limit := int(c.refs)
			if !isLong {
				limit--
			}
			for len(short)+len(long) > limit && len(s.mmco) > 0 {
				if len(short) > 0 {
					s.mmco = slices.Insert(s.mmco, 0, MMCO{Op: 1, DifferenceOfPicNumsMinus1: (cur - short[0] - 1) & 15})
					short = short[1:]
					continue
				}
				k := slices.Min(slices.Collect(maps.Keys(long)))
				s.mmco = append(s.mmco, MMCO{Op: 2, LongTermPicNum: k})
				delete(long, k)
			}
			if len(s.mmco) == 0 {
				for len(short) > 0 && len(short)+len(long) >= int(c.refs) {
					short = short[1:]
				}
				if len(short)+len(long) >= int(c.refs) { // nothing can slide
					for _, k := range slices.Sorted(maps.Keys(long))[:1] {
						s.mmco = append(s.mmco, MMCO{Op: 2, LongTermPicNum: k})
						delete(long, k)
					}
				}
			}
			if frameNum = cur; !isLong && s.reference {
				short = append(short, cur)
			}
		} else if s.idr {
			if s.long {
				long[0], maxLong = true, 1
			} else {
				short = append(short, 0)
			}
		}
		prevRef = s.reference
		out = append(out, c.slice(s)...)
	}
	return out
}

// crafted are streams that no encoder at hand makes.
func crafted() (out [][]byte) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, c := range []craft{{profile: 77, refs: 4}, {profile: 77, refs: 3, pocType: 1}, {profile: 77, refs: 2, pocType: 2}, {profile: 77, refs: 4, gaps: true}} {
		out = append(out, c.random(rng, 12))
	}
	f := craft{profile: 77, refs: 2, fields: true}
	s := craftSlice{idr: true, intra: true, reference: true, field: true, count: 6}
	return append(out, append(f.sets(), f.slice(s)...))
}

// TestCrafted compares streams with long-term references, all marking operations, all
// types of picture order count and gaps of frame_num with FFmpeg.
func TestCrafted(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, c := range []craft{
		{profile: 77, refs: 1}, {profile: 77, refs: 4}, {profile: 77, refs: 7}, {profile: 77, refs: 11},
		{profile: 77, refs: 3, pocType: 1}, {profile: 77, refs: 4, pocType: 2}, {profile: 77, refs: 4, gaps: true}, {profile: 77, refs: 5, gaps: true, pocType: 2},
	} {
		t.Run(fmt.Sprintf("refs%d-poc%d-gaps%v", c.refs, c.pocType, c.gaps), func(t *testing.T) {
			data := c.random(rng, 120)
			path := filepath.Join(t.TempDir(), "crafted.264")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			checkHeaders(t, path, data)
			if c.gaps && c.pocType == 2 {
				checkRising(t, data)
				return
			}
			checkMarking(t, path, data)
			if !c.gaps { // FFmpeg counts what it infers, too
				checkOrder(t, path, data)
			}
		})
	}
}

// checkRising checks that order counts rise from IDR picture to IDR picture, as they must
// when the POC type is 2, also where frame_num wraps within a gap: FFmpeg 5.1 misses that.
func checkRising(t *testing.T, data []byte) {
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	last, inferred := int32(-1), 0
	for _, au := range accessUnits(t, data) {
		pics, err := d.Decode(au)
		if err != nil {
			t.Fatal(err)
		}
		for i := range pics {
			p := &pics[i]
			if p.IDR {
				last = -1
			}
			if p.PicOrderCnt[0] <= last {
				t.Errorf("picture %d (frame_num %d): order count %d after %d", p.ID, p.FrameNum, p.PicOrderCnt[0], last)
			}
			if last = p.PicOrderCnt[0]; p.NonExisting {
				inferred++
			}
		}
	}
	if inferred == 0 {
		t.Error("no frame was inferred")
	}
}

// TestUnsupported finds what only software decodes.
func TestUnsupported(t *testing.T) {
	plain := craft{profile: 66, refs: 2}
	idr := craftSlice{idr: true, intra: true, reference: true, count: 9}
	fields, groups := plain, plain
	fields.fields, groups.groups = true, true
	field := craftSlice{idr: true, intra: true, reference: true, field: true, count: 6}
	low, high := idr, idr
	low.count, high.first, high.count = 4, 4, 5
	redundant := plain
	redundant.redundant = true
	again := idr
	again.redundant = 1
	for _, c := range []struct {
		name     string
		data     []byte
		want     bitstream.Feature
		pictures int
		slices   int
	}{
		{"plain", append(plain.sets(), plain.slice(idr)...), bitstream.FeatureNone, 1, 1},
		{"two slices", slices.Concat(plain.sets(), plain.slice(low), plain.slice(high)), bitstream.FeatureNone, 1, 2},
		{"fields", append(fields.sets(), fields.slice(field)...), bitstream.Interlaced, 0, 0},
		{"frames among fields", append(fields.sets(), fields.slice(craftSlice{idr: true, intra: true, reference: true, count: 12})...), bitstream.FeatureNone, 1, 1},
		{"slice groups", append(groups.sets(), groups.slice(idr)...), bitstream.SliceGroups, 1, 1},
		{"slice order", slices.Concat(plain.sets(), plain.slice(high), plain.slice(low)), bitstream.ArbitrarySliceOrder, 1, 2},
		{"partitions", append(plain.sets(), 0, 0, 1, 0x62, 0x80, 0x80), bitstream.DataPartitioning, 0, 0},
		{"redundant slices", slices.Concat(redundant.sets(), redundant.slice(idr), redundant.slice(again)), bitstream.FeatureNone, 1, 1},
	} {
		d, err := NewDecoder(Config{})
		if err != nil {
			t.Fatal(err)
		}
		pics, err := d.Decode(c.data)
		var u *bitstream.UnsupportedError
		got := bitstream.FeatureNone
		if errors.As(err, &u) {
			got = u.Feature
			if !errors.Is(err, media.ErrNotSupported) {
				t.Errorf("%s: %v is not media.ErrNotSupported", c.name, err)
			}
		} else if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		n := 0
		for i := range pics {
			n += len(pics[i].Slices)
		}
		if got != c.want || len(pics) != c.pictures || n != c.slices {
			t.Errorf("%s: %v (want %v), %d pictures, %d slices", c.name, got, c.want, len(pics), n)
		}
		if len(pics) > 0 && c.want != pics[0].Unsupported {
			t.Errorf("%s: the picture says %v", c.name, pics[0].Unsupported)
		}
	}
}
