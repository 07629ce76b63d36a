package vkvideo

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/av1"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// TestAV1Structures compares what the device is told of each frame of a stream with what
// was parsed.
func TestAV1Structures(t *testing.T) {
	for _, name := range []string{"grain", "tiles", "resize", "superres", "switch", "tenbit"} {
		c, err := newAV1(&media.Stream{Codec: "av1"})
		if err != nil {
			t.Fatal(err)
		}
		a := c.(*aom)
		units := cut(t, filepath.Join("..", "bitstream", "av1", "testdata", name+".obu"))
		pictures, references, shown, existing := 0, 0, 0, 0
		var offsets []uint32
		for _, u := range units {
			if err := c.parse(u); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for p := c.next(); p != nil; p = c.next() {
				q := a.cur
				shown += len(p.output)
				if p.existing {
					existing++
					continue
				}
				f := &q.Frame
				if p.refuse != nil || p.corrupt || len(p.slices) != len(q.Tiles) || len(p.refs) != len(q.Refs) || !p.raw || !p.keep || p.view.sar.Num != p.view.sar.Den && name != "resize" {
					t.Fatalf("%s, picture %d: %+v", name, pictures, p)
				}
				if err := c.inline(); err != nil {
					t.Fatal(err)
				}
				offsets = offsets[:0]
				for _, s := range p.slices {
					offsets = append(offsets, uint32(s.begin-p.head))
				}
				info, slot, query := &vk.VideoDecodeInfoKHR{}, &vk.VideoReferenceSlotInfoKHR{}, &vk.VideoInlineQueryInfoKHR{}
				c.reference(-1, slot)
				c.attach(info, offsets)
				c.chain(query)
				if info.PNext != vk.Pointer(&a.info) || a.info.PNext != vk.Pointer(&a.set) || a.set.PNext != vk.Pointer(query) || query.PNext != nil || slot.PNext != vk.Pointer(&a.slots[0]) {
					t.Fatalf("%s, picture %d: the chain is broken", name, pictures)
				}
				// The header is read from where it is said to begin, and so are the tiles.
				head := p.head + int(a.info.FrameHeaderOffset)
				if head != q.Header || u[head]>>7 != 0 || av1.FrameType(u[head]>>5&3) != f.FrameType {
					t.Errorf("%s, picture %d: a header at %d, want %d", name, pictures, head, q.Header)
				}
				if int(a.info.TileCount) != len(q.Tiles) || *a.info.PTileSizes != uint32(q.Tiles[0].End-q.Tiles[0].Begin) || *a.info.PTileOffsets != offsets[0] {
					t.Errorf("%s, picture %d: tiles %+v", name, pictures, a.info)
				}
				s := &a.std
				if uint8(s.FrameType) != uint8(f.FrameType) || s.OrderHint != f.OrderHint || s.RefreshFrameFlags != f.RefreshFrameFlags || s.PrimaryRefFrame != f.PrimaryRefFrame ||
					s.Flags.ErrorResilientMode() != bit(f.ErrorResilientMode) || s.Flags.UseSuperres() != bit(f.UseSuperres) || s.CodedDenom != f.CodedDenom ||
					s.Flags.ApplyGrain() != bit(p.grain) || (s.PFilmGrain != nil) != p.grain || s.PTileInfo.TileCols != f.TileInfo.TileCols ||
					s.PQuantization.BaseQIdx != f.Quantization.BaseQIdx || s.PLoopFilter.LoopFilterLevel != f.LoopFilter.LoopFilterLevel {
					t.Errorf("%s, picture %d: told %+v of %+v", name, pictures, s, f)
				}
				for i := range f.TileInfo.TileCols - 1 {
					if a.starts[0][i+1] != a.starts[0][i]+f.TileInfo.WidthInSbsMinus1[i]+1 {
						t.Errorf("%s, picture %d: columns at %v", name, pictures, a.starts[0][:f.TileInfo.TileCols])
					}
				}
				for i := range av1.RefsPerFrame {
					got := a.info.ReferenceNameSlotIndices[i]
					if k := q.RefIndex[i]; k < 0 != (got < 0) || k >= 0 && (int(got) != q.Refs[k].Slot || s.OrderHints[1+i] != q.Refs[k].OrderHint) {
						t.Errorf("%s, picture %d: name %d is in slot %d; %+v", name, pictures, i, got, q)
					}
				}
				for i := range q.Refs {
					c.reference(i, slot)
					r := &a.refs[i+1]
					if slot.PNext != vk.Pointer(&a.slots[i+1]) || a.slots[i+1].PStdReferenceInfo != r || r.OrderHint != q.Refs[i].OrderHint || r.FrameType != uint8(q.Refs[i].FrameType) {
						t.Errorf("%s, picture %d, reference %d: %+v", name, pictures, i, r)
					}
					references++
				}
				h, w := a.set.PStdSequenceHeader, q.Sequence
				if int(h.MaxFrameWidthMinus1)+1 != w.MaxWidth() || h.OrderHintBitsMinus1 != w.OrderHintBitsMinus1 || int(h.PColorConfig.BitDepth) != w.ColorConfig.BitDepth() ||
					h.Flags.EnableCdef() != bit(w.EnableCdef) || h.Flags.FilmGrainParamsPresent() != bit(w.FilmGrainParamsPresent) {
					t.Errorf("%s: told %+v of %+v", name, h, w)
				}
				pictures++
			}
		}
		if shown != len(units) || references == 0 {
			t.Errorf("%s: %d pictures, %d shown of %d, %d references", name, pictures, shown, len(units), references)
		}
		t.Logf("%s: %d pictures, %d shown later", name, pictures, existing)
	}
}

// TestAV1Refused: what of AV1 is left to another decoder.
func TestAV1Refused(t *testing.T) {
	yes := av1.ColorConfig{SubsamplingX: true, SubsamplingY: true}
	twelve, mono, high := yes, yes, yes
	twelve.HighBitdepth, twelve.TwelveBit, mono.MonoChrome, high.SubsamplingY = true, true, true, false
	for _, c := range []av1.ColorConfig{yes, twelve, mono, high} {
		if err := aomRefuse(&av1.Sequence{ColorConfig: c}); (err == nil) != (c == yes) || err != nil && !errors.Is(err, media.ErrNotSupported) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	s := &av1.Sequence{}
	s.OperatingPoints[0].SeqLevelIdx, s.OperatingPoints[1].SeqLevelIdx = 13, 31
	if aomLevel(s, 0) != int32(vk.STD_VIDEO_AV1_LEVEL_5_1) || aomLevel(s, 1) != 0 {
		t.Error("levels")
	}
	if r := sampleAspect(720*1280, 960*720); r != (media.Rational{Num: 4, Den: 3}) {
		t.Errorf("sample aspect %v", r)
	}
}

// TestKept: pictures that are shown later, or again while they are on the screen, and when
// their images are free.
func TestKept(t *testing.T) {
	seq := &sequence{kind: kind{bits: 8, slots: 9}}
	seq.refs.Store(1)
	v := &Video{seq: seq, done: &timeline{Timeline: &gpu.Timeline{}}}
	im := &image{pic: &gpu.Picture{}, seq: seq, held: 1}
	im.first.im = im
	v.waiting = append(v.waiting, waiting{id: 7, image: im, show: true, keep: true, slot: 3, stamp: stamp{pts: 1}})
	hidden := &picture{id: 7, keep: true, slot: 3}
	v.settle(hidden, &stamp{pts: 1})
	if len(v.ready) != 0 || im.free() {
		t.Fatalf("a hidden picture: %d shown", len(v.ready))
	}
	shown := &picture{keep: true, existing: true, output: []bitstream.Output{{ID: 7, Slot: 3}}}
	v.settle(shown, &stamp{pts: 5, key: true})
	v.settle(shown, &stamp{pts: 6})
	if len(v.ready) != 2 || v.ready[0] == v.ready[1] || v.ready[0].PTS != 5 || v.ready[1].PTS != 6 || !v.ready[0].Key || v.ready[1].Key {
		t.Fatalf("%d shown", len(v.ready))
	}
	v.settle(&picture{id: 8, keep: true, slot: 2, freed: 1 << 3}, &stamp{})
	if len(v.waiting) != 0 || im.held != 0 || im.free() {
		t.Errorf("%d wait, held by %d, free is %v", len(v.waiting), im.held, im.free())
	}
	first := v.ready[0]
	for _, f := range v.ready {
		f.Release()
	}
	if !im.free() || seq.refs.Load() != 1 || im.handle() != &im.first || &im.first.frame != first || v.stats.stats().Frames != 2 {
		t.Errorf("free is %v, %d references", im.free(), seq.refs.Load())
	}
}
