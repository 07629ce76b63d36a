package vkvideo

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/h264"
	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

func TestRing(t *testing.T) {
	r := newRing(nil, make([]byte, 4*256), 4)
	var got []int
	for {
		s, mem, ok := r.Acquire()
		if !ok {
			break
		}
		if len(mem) != 256 || cap(mem) != 256 {
			t.Fatalf("a segment of %d bytes, capacity %d", len(mem), cap(mem))
		}
		mem[0] = byte(s + 1)
		got = append(got, s)
	}
	if len(got) != 4 || r.inUse() != 4 {
		t.Fatalf("%d segments, %d in use", len(got), r.inUse())
	}
	// Segments lie where they say.
	for _, s := range got {
		if r.mem[s*256] != byte(s+1) {
			t.Errorf("segment %d lies elsewhere", s)
		}
	}
	au := &media.AccessUnit{Data: r.mem[2*256 : 2*256+10], Owner: r, Native: r.Native(2)}
	if s, ok := r.holds(au); !ok || s != 2 {
		t.Errorf("the unit in segment 2 is in %d, %v", s, ok)
	}
	// The GPU reads it while its writer lets go.
	r.retain(2)
	au.Release()
	if _, _, ok := r.Acquire(); ok {
		t.Error("a segment that the GPU reads was given out")
	}
	r.release(2)
	if s, _, ok := r.Acquire(); !ok || s != 2 {
		t.Errorf("got segment %d, %v; want 2", s, ok)
	}
	// Units from elsewhere, and what only claims to lie here.
	for _, au := range []media.AccessUnit{
		{Data: make([]byte, 8)},
		{Data: make([]byte, 8), Owner: r, Native: r.Native(1)},
		{Data: r.mem[256:300], Owner: r, Native: r.Native(3)},
		{Data: r.mem[:8], Owner: r},
		{Owner: r, Native: r.Native(1)},
		{Data: r.mem[:8], Owner: r, Native: 99},
	} {
		if _, ok := r.holds(&au); ok {
			t.Errorf("%v: not in the ring", au)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		r.release(2)
		r.Acquire()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestH264Structures compares what the device is told of each picture of a stream with
// what was parsed.
func TestH264Structures(t *testing.T) {
	for _, name := range []string{"MR1_MW_A.264", "CVFC1_Sony_C.jsv", "BAMQ1_JVC_C.264"} {
		c, err := newH264(&media.Stream{Codec: "h264"})
		if err != nil {
			t.Fatal(err)
		}
		a := c.(*avc)
		units := cut(t, filepath.Join(avtest.Media(t), name))
		offsets := []uint32{0, 100}
		pictures, references := 0, 0
		for _, u := range units {
			if err := c.parse(u); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for p := c.next(); p != nil; p = c.next() {
				q := a.cur
				if p.refuse != nil || p.corrupt || len(p.slices) != len(q.Slices) || len(p.refs) != len(q.Refs) {
					t.Fatalf("%s, picture %d: %+v", name, pictures, p)
				}
				if err := c.inline(); err != nil {
					t.Fatal(err)
				}
				info := &vk.VideoDecodeInfoKHR{}
				slot := &vk.VideoReferenceSlotInfoKHR{}
				c.reference(-1, slot)
				c.attach(info, offsets)
				query := &vk.VideoInlineQueryInfoKHR{}
				c.chain(query)
				if info.PNext != vk.Pointer(&a.info) || a.info.PNext != vk.Pointer(&a.sets) || a.sets.PNext != vk.Pointer(query) || query.PNext != nil {
					t.Fatalf("%s, picture %d: the chain is broken", name, pictures)
				}
				if a.info.SliceCount != 2 || *a.info.PSliceOffsets != 0 {
					t.Errorf("%s: %+v", name, a.info)
				}
				s := &a.std
				if s.FrameNum != uint16(q.FrameNum) || s.PicOrderCnt != q.PicOrderCnt || s.IdrPicId != q.IdrPicID || s.PicParameterSetId != q.PPS.PicParameterSetID ||
					s.Flags.IdrPicFlag() != bit(q.IDR) || s.Flags.IsIntra() != bit(q.Intra) || s.Flags.IsReference() != bit(q.Reference) {
					t.Errorf("%s, picture %d: told %+v of %+v", name, pictures, s, q)
				}
				for i := range q.Refs {
					c.reference(i, slot)
					r := &a.refs[i+1]
					if slot.PNext != vk.Pointer(&a.slots[i+1]) || a.slots[i+1].PStdReferenceInfo != r || r.PicOrderCnt != q.Refs[i].PicOrderCnt {
						t.Errorf("%s, picture %d, reference %d: %+v", name, pictures, i, r)
					}
					want := uint16(q.Refs[i].FrameNum)
					if q.Refs[i].LongTerm {
						want = uint16(q.Refs[i].LongTermFrameIdx)
					}
					if r.FrameNum != want || r.Flags.UsedForLongTermReference() != bit(q.Refs[i].LongTerm) {
						t.Errorf("%s, picture %d, reference %d: %+v of %+v", name, pictures, i, r, q.Refs[i])
					}
					references++
				}
				checkSets(t, a.sets.PStdSPS, q.SPS, a.sets.PStdPPS, q.PPS)
				pictures++
			}
		}
		if pictures < 20 || references == 0 {
			t.Errorf("%s: %d pictures, %d references", name, pictures, references)
		}
		// Parsing and describing a picture allocates nothing once the stream has begun.
		i := 0
		info, slot := &vk.VideoDecodeInfoKHR{}, &vk.VideoReferenceSlotInfoKHR{}
		c.reset()
		if n := testing.AllocsPerRun(len(units)-2, func() {
			if err := c.parse(units[i]); err != nil {
				t.Error(err)
			}
			for p := c.next(); p != nil; p = c.next() {
				_ = c.inline()
				for k := range p.refs {
					c.reference(k, slot)
				}
				c.attach(info, offsets)
			}
			i++
		}); n > 1 { // parameter sets that change are translated anew
			t.Errorf("%s: %v allocations a picture", name, n)
		}
	}
}

// TestSetsOfThePicture: where a unit holds two pictures and changes a parameter set between
// them, each is decoded with its own.
func TestSetsOfThePicture(t *testing.T) {
	units := func(name string, args ...string) [][]byte {
		path := filepath.Join(t.TempDir(), name)
		argv := append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25"}, args...)
		if out, err := exec.Command("ffmpeg", append(argv, "-frames:v", "1", path)...).CombinedOutput(); err != nil {
			t.Skipf("needs ffmpeg with %v: %v: %s", args, err, out)
		}
		return cut(t, path)
	}
	t.Run("h264", func(t *testing.T) {
		x264 := func(cabac string) []byte {
			return units("a.264", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params", "aud=0:cabac="+cabac)[0]
		}
		c, err := newH264(&media.Stream{Codec: "h264"})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.parse(slices.Concat(x264("0"), x264("1"))); err != nil {
			t.Fatal(err)
		}
		n := uint32(0)
		for ; c.next() != nil; n++ {
			if sps, pps := c.(*avc).all(); len(sps) != 1 || len(pps) != 1 || pps[0].Flags.EntropyCodingModeFlag() != n {
				t.Errorf("picture %d: %d and %d sets, entropy_coding_mode_flag %d", n, len(sps), len(pps), pps[0].Flags.EntropyCodingModeFlag())
			}
		}
		if n != 2 {
			t.Errorf("%d pictures", n)
		}
	})
	t.Run("h265", func(t *testing.T) {
		x265 := func(signhide string) []byte {
			return units("a.265", "-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "log-level=none:info=0:aud=0:signhide="+signhide)[0]
		}
		c, err := newH265(&media.Stream{Codec: "hevc"})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.parse(slices.Concat(x265("0"), x265("1"))); err != nil {
			t.Fatal(err)
		}
		n := uint32(0)
		for ; c.next() != nil; n++ {
			if vps, sps, pps := c.(*hevc).all(); len(vps) != 1 || len(sps) != 1 || len(pps) != 1 || pps[0].Flags.SignDataHidingEnabledFlag() != n {
				t.Errorf("picture %d: %d, %d and %d sets, sign_data_hiding_enabled_flag %d", n, len(vps), len(sps), len(pps), pps[0].Flags.SignDataHidingEnabledFlag())
			}
		}
		if n != 2 {
			t.Errorf("%d pictures", n)
		}
	})
}

func checkSets(t *testing.T, s *vk.StdVideoH264SequenceParameterSet, q *h264.SPS, p *vk.StdVideoH264PictureParameterSet, r *h264.PPS) {
	t.Helper()
	if s.SeqParameterSetId != q.SeqParameterSetID || int(s.PicWidthInMbsMinus1+1)*16 != q.CodedWidth() || s.MaxNumRefFrames != q.MaxNumRefFrames ||
		s.Log2MaxFrameNumMinus4 != q.Log2MaxFrameNumMinus4 || uint8(s.PicOrderCntType) != q.PicOrderCntType || s.Flags.FrameMbsOnlyFlag() != bit(q.FrameMbsOnlyFlag) ||
		s.Flags.Direct8x8InferenceFlag() != bit(q.Direct8x8InferenceFlag) || s.FrameCropBottomOffset != q.FrameCropBottomOffset {
		t.Errorf("told %+v of %+v", s, q)
	}
	if p.PicParameterSetId != r.PicParameterSetID || p.PicInitQpMinus26 != r.PicInitQpMinus26 || p.ChromaQpIndexOffset != r.ChromaQpIndexOffset ||
		p.Flags.EntropyCodingModeFlag() != bit(r.EntropyCodingModeFlag) || p.Flags.WeightedPredFlag() != bit(r.WeightedPredFlag) ||
		uint8(p.WeightedBipredIdc) != r.WeightedBipredIdc || p.NumRefIdxL0DefaultActiveMinus1 != r.NumRefIdxL0DefaultActiveMinus1 {
		t.Errorf("told %+v of %+v", p, r)
	}
}

// TestScalingLists: what a parameter set carries arrives as it was sent, and the pointers
// to it only when it does.
func TestScalingLists(t *testing.T) {
	s := &h264.SPS{SeqScalingMatrixPresentFlag: true, NumRefFramesInPicOrderCntCycle: 2}
	s.ScalingLists.PresentMask, s.ScalingLists.UseDefaultMask = 0x41, 2
	s.ScalingLists.ScalingList4x4[0][3], s.ScalingLists.ScalingList8x8[0][63] = 17, 99
	s.OffsetForRefFrame[1] = -4
	o := avcSPS(s)
	l := o.PScalingLists
	if l == nil || l.ScalingListPresentMask != 0x41 || l.UseDefaultScalingMatrixMask != 2 || l.ScalingList4x4[0][3] != 17 || l.ScalingList8x8[0][63] != 99 {
		t.Errorf("lists: %+v", l)
	}
	if o.POffsetForRefFrame == nil || o.POffsetForRefFrame != &s.OffsetForRefFrame[0] {
		t.Error("no offsets for reference frames")
	}
	if o := avcSPS(&h264.SPS{}); o.PScalingLists != nil || o.POffsetForRefFrame != nil || o.PSequenceParameterSetVui != nil {
		t.Errorf("points to what there is not: %+v", o)
	}
	if o := avcPPS(&h264.PPS{PicScalingMatrixPresentFlag: true}); o.PScalingLists == nil {
		t.Error("no lists in the PPS")
	}
}

func TestLevels(t *testing.T) {
	for idc, want := range map[uint8]vk.StdVideoH264LevelIdc{9: 0, 10: 0, 11: 1, 30: 7, 41: 11, 52: 15, 62: 18, 55: 16, 0: 0, 255: 18} {
		if got := avcLevel(&h264.SPS{LevelIdc: idc}); got != want {
			t.Errorf("level_idc %d is level number %d, want %d", idc, got, want)
		}
	}
}

// TestChooseImages: how pictures are kept on devices of each kind.
func TestChooseImages(t *testing.T) {
	for _, c := range []struct {
		want                                Images
		coincide, distinct, unified, copies bool
		get                                 Images // ImagesAuto: refused
	}{
		{ImagesAuto, true, false, true, true, ImagesShared},
		{ImagesAuto, true, true, false, true, ImagesDistinct},
		{ImagesAuto, true, false, false, true, ImagesCopied},
		{ImagesAuto, true, false, false, false, ImagesAuto},
		{ImagesCopied, true, true, true, true, ImagesCopied},
		{ImagesDistinct, true, false, true, true, ImagesAuto},
		{ImagesShared, false, true, true, true, ImagesAuto},
	} {
		d := &gpu.Device{Info: gpu.Info{Name: "test", Decode: gpu.Video{Unified: c.unified, Copies: c.copies}}}
		got, err := chooseImages(c.want, d, &gpu.VideoCaps{Coincide: c.coincide, Distinct: c.distinct})
		if got != c.get || (err != nil) != (c.get == ImagesAuto) || err != nil && !errors.Is(err, media.ErrNotSupported) {
			t.Errorf("%+v: got %v, %v", c, got, err)
		}
	}
}

// TestRefused: streams and devices that this decoder is not for.
func TestRefused(t *testing.T) {
	d, err := gpu.OpenDevice(gpu.InstanceConfig{}, gpu.Config{Device: "llvmpipe", Video: true})
	if err != nil {
		t.Skipf("needs lavapipe: %v", err)
	}
	defer d.Close()
	for _, s := range []media.Stream{{Codec: "vp8"}, {Codec: ""}, {Codec: "h264", Width: 320, Height: 240}} {
		if err := Supports(d, &s); !errors.Is(err, media.ErrNotSupported) {
			t.Errorf("%q: %v", s.Codec, err)
		}
		if v, err := New(Config{Device: d, Stream: s}); !errors.Is(err, media.ErrNotSupported) {
			t.Errorf("%q: %v, %v", s.Codec, v, err)
		}
	}
	for _, cfg := range []Config{{}, {Device: d, Hold: 1000}, {Device: d, Hold: -1}, {Device: d, Images: 9}} {
		if _, err := New(cfg); err == nil || errors.Is(err, media.ErrNotSupported) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	for _, c := range []struct {
		sps  h264.SPS
		p    h264.Picture
		okay bool
	}{
		{sps: h264.SPS{ChromaFormatIdc: 1}, okay: true},
		{sps: h264.SPS{ChromaFormatIdc: 2}},
		{sps: h264.SPS{ChromaFormatIdc: 0}},
		{sps: h264.SPS{ChromaFormatIdc: 1, BitDepthLumaMinus8: 2}},
		{sps: h264.SPS{ChromaFormatIdc: 1}, p: h264.Picture{PPS: &h264.PPS{}, Slices: []h264.Slice{{PPS: &h264.PPS{PicInitQpMinus26: 1}}}}},
		{sps: h264.SPS{ChromaFormatIdc: 1}, p: h264.Picture{Refs: []h264.Ref{{NonExisting: true}}}},
		{sps: h264.SPS{ChromaFormatIdc: 1}, p: h264.Picture{Refs: []h264.Ref{{NonExisting: true, Corrupt: true}}}, okay: true},
	} {
		if err := avcRefuse(&c.sps, &c.p); (err == nil) != c.okay || err != nil && !errors.Is(err, media.ErrNotSupported) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// fakeCodec returns pictures that were made up.
type fakeCodec struct {
	codec
	pictures []*picture
	damaged  []bitstream.PictureID
}

func (c *fakeCodec) parse([]byte) error            { return nil }
func (c *fakeCodec) damage(id bitstream.PictureID) { c.damaged = append(c.damaged, id) }
func (c *fakeCodec) next() *picture {
	if len(c.pictures) == 0 {
		return nil
	}
	p := c.pictures[0]
	c.pictures = c.pictures[1:]
	return p
}

// TestPictureThatCannotBeHad: where there is no memory for a picture, those before it are
// shown and leave their slots all the same, and those behind it in the unit have their turn.
func TestPictureThatCannotBeHad(t *testing.T) {
	seq := &sequence{kind: kind{bits: 8, slots: 4}, caps: &gpu.VideoCaps{}, mode: ImagesShared}
	seq.refs.Store(1)
	im := &image{pic: &gpu.Picture{}, seq: seq, held: 2} // by slot 0 and the wait for output
	im.first.im = im
	c := &fakeCodec{pictures: []*picture{
		{id: 2, slot: 1, intra: true, reference: true, slices: make([]slice, 1), output: []bitstream.Output{{ID: 1}}},
		{id: 3, slot: 1, intra: true, slices: make([]slice, 1), freed: 1<<0 | 1<<1},
	}}
	v := &Video{seq: seq, done: &timeline{Timeline: &gpu.Timeline{}}, dev: &gpu.Device{}, codec: c,
		waiting: []waiting{{id: 1, image: im, show: true}}}
	v.slots[0] = im
	err := v.Send(&media.AccessUnit{Data: make([]byte, 1)})
	if err == nil || errors.Is(err, media.ErrNotSupported) || errors.Is(err, media.ErrDeviceLost) {
		t.Errorf("Send: %v", err)
	}
	if len(v.ready) != 1 || len(v.waiting) != 0 {
		t.Errorf("%d shown, %d wait", len(v.ready), len(v.waiting))
	}
	if im.held != 0 || v.slots[0] != nil || v.slots[1] != nil {
		t.Errorf("held by %d, slots %v", im.held, v.slots[:2])
	}
	if !slices.Equal(c.damaged, []bitstream.PictureID{2, 3}) {
		t.Errorf("damaged: %v", c.damaged)
	}
}

// TestStarts: a session is made anew for pictures that it was not made for.
func TestStarts(t *testing.T) {
	k := kind{profile: 77, bits: 8, width: 64, height: 64, slots: 5, references: 2}
	v := &Video{seq: &sequence{kind: k}}
	high, more, fewer, slots := k, k, k, k
	high.profile, more.references, fewer.references, slots.slots = 100, 4, 1, 6
	for _, c := range []struct {
		name string
		p    picture
		want bool
	}{
		{"the same", picture{kind: k}, false},
		{"a new sequence", picture{kind: k, newSequence: true}, true},
		{"another profile", picture{kind: high}, true},
		{"another profile, with references", picture{kind: high, refs: make([]reference, 1)}, false},
		{"another profile, of what is inferred", picture{kind: high, nonExisting: true}, false},
		{"more references", picture{kind: more}, true},
		{"fewer references", picture{kind: fewer}, false},
		{"more slots", picture{kind: slots, refs: make([]reference, 1)}, true},
	} {
		if got := v.starts(&c.p); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
