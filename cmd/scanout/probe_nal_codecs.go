package main

import (
	"bufio"
	"fmt"

	"github.com/scanout-av/scanout/decode/bitstream"
	avc "github.com/scanout-av/scanout/decode/bitstream/h264"
	hevc "github.com/scanout-av/scanout/decode/bitstream/h265"
)

// nalH264 is H.264 for probe --nal.
type nalH264 struct {
	d   *avc.Decoder
	sps *avc.SPS
}

var nalNamesH264 = map[int]string{
	avc.NALSlice: "slice", avc.NALPartitionA: "partition A", avc.NALPartitionB: "partition B", avc.NALPartitionC: "partition C",
	avc.NALIDR: "IDR slice", avc.NALSEI: "SEI", avc.NALSPS: "SPS", avc.NALPPS: "PPS", avc.NALAUD: "AUD",
	avc.NALEndOfSequence: "end of sequence", avc.NALEndOfStream: "end of stream", avc.NALFiller: "filler",
	avc.NALSPSExtension: "SPS extension", avc.NALPrefix: "prefix", avc.NALSubsetSPS: "subset SPS",
	avc.NALAuxiliarySlice: "auxiliary slice", avc.NALSliceExtension: "slice extension", avc.NALSliceExtension3: "slice extension (3D)",
}

func (c *nalH264) flush() []bitstream.Output { return c.d.Flush() }
func (c *nalH264) splitter() bufio.SplitFunc { return avc.NewSplitter().Split }

func (c *nalH264) next(data []byte, pos int) (bitstream.NAL, bool) {
	n, ok, _ := c.d.Framing().Next(data, pos)
	return n, ok
}

func (c *nalH264) describe(nal []byte) (kind int, name string, header any, err error) {
	kind = int(nal[0] & 31)
	if name = nalNamesH264[kind]; name == "" {
		name = "reserved"
	}
	switch kind {
	case avc.NALSPS:
		s, e := avc.ParseSPS(nal)
		if header, err = s, e; e == nil {
			c.sps = s
		}
	case avc.NALPPS:
		header, err = avc.ParsePPS(nal, c.d.SPS)
	case avc.NALSEI:
		var s avc.SEI
		err = s.Parse(nal, c.sps)
		header = &s
	}
	return kind, name, header, err
}

func (c *nalH264) decode(unit []byte) (out []nalPicture, err error) {
	pictures, err := c.d.Decode(unit)
	for i := range pictures {
		p := &pictures[i]
		r := nalPicture{
			ID: p.ID, POC: int(min(p.PicOrderCnt[0], p.PicOrderCnt[1])), Reference: p.Reference, NonExisting: p.NonExisting,
			Slot: p.Slot, Slots: p.DpbSlots, Output: outputs(p.Output), Freed: slots(p.Freed), Missing: elementsOf(&p.Missing),
			Corrupt: p.Corrupt, headers: map[int]nalUnit{},
		}
		r.Kind = fmt.Sprintf("frame_num %d", p.FrameNum)
		switch {
		case p.NonExisting:
			r.Kind = "inferred, " + r.Kind
		case p.IDR:
			r.Kind = "IDR"
		case p.SEI.RecoveryPoint:
			r.Kind += fmt.Sprintf(", recovery point after %d frames", p.SEI.RecoveryFrameCnt)
		}
		if p.NewSequence {
			crop := p.SPS.Crop()
			r.NewSequence = fmt.Sprintf("%dx%d (coded %dx%d), %d bit, chroma format %d, %d frames in the DPB, %d reordered", crop.Width, crop.Height,
				p.SPS.CodedWidth(), p.SPS.CodedHeight(), p.SPS.BitDepthLumaMinus8+8, p.SPS.ChromaFormatIdc, p.SPS.DpbFrames(), p.SPS.ReorderFrames())
		}
		if p.Unsupported != bitstream.FeatureNone {
			r.Unsupported = p.Unsupported.String()
		}
		for _, f := range p.Refs {
			poc := int(min(f.PicOrderCnt[0], f.PicOrderCnt[1]))
			r.Refs = append(r.Refs, nalRef{f.ID, f.Slot, poc, f.LongTerm, f.NonExisting})
		}
		for j := range p.Slices {
			s := &p.Slices[j]
			// What lies behind the counts is of earlier slices.
			h := &s.Header
			clear(h.MMCO[h.NumMMCO:])
			for l, n := range h.NumModifications {
				clear(h.Modifications[l][n:])
				clear(h.PredWeights[l][h.NumRefIdxActive[l]:])
				if !(s.PPS.WeightedPredFlag && h.SliceType != avc.SliceB || s.PPS.WeightedBipredIdc == 1 && h.SliceType == avc.SliceB) {
					h.PredWeights[l] = [32]avc.Weights{}
				}
			}
			u := nalUnit{Header: append(elements{{"type", h.SliceType.String()}}, elementsOf(h)...)}
			for l, n := range h.NumRefIdxActive {
				u.Lists = appendList(u.Lists, s.RefPicList[l][:n], r.Refs)
			}
			r.headers[s.NAL.Begin] = u
		}
		out = append(out, r)
	}
	return out, err
}

// appendList adds the order counts of a reference list that is not empty.
func appendList(lists [][]int, list []int8, refs []nalRef) [][]int {
	if len(list) == 0 {
		return lists
	}
	pocs := make([]int, 0, len(list))
	for _, e := range list {
		if e >= 0 {
			pocs = append(pocs, refs[e].POC)
		}
	}
	return append(lists, pocs)
}

// nalH265 is H.265 for probe --nal.
type nalH265 struct {
	d   *hevc.Decoder
	sps *hevc.SPS
}

func (c *nalH265) flush() []bitstream.Output { return c.d.Flush() }
func (c *nalH265) splitter() bufio.SplitFunc { return hevc.NewSplitter().Split }

func (c *nalH265) next(data []byte, pos int) (bitstream.NAL, bool) {
	n, ok, _ := c.d.Framing().Next(data, pos)
	return n, ok
}

func (c *nalH265) describe(nal []byte) (kind int, name string, header any, err error) {
	t := hevc.NALType(nal[0] >> 1 & 63)
	switch t {
	case hevc.NALVPS:
		header, err = hevc.ParseVPS(nal)
	case hevc.NALSPS:
		s, e := hevc.ParseSPS(nal)
		if header, err = s, e; e == nil {
			c.sps = s
		}
	case hevc.NALPPS:
		header, err = hevc.ParsePPS(nal, c.d.SPS)
	case hevc.PrefixSEI:
		var s hevc.SEI
		err = s.Parse(nal, c.sps)
		header = &s
	}
	return int(t), t.String(), header, err
}

func (c *nalH265) decode(unit []byte) (out []nalPicture, err error) {
	pictures, err := c.d.Decode(unit)
	for i := range pictures {
		p := &pictures[i]
		r := nalPicture{
			ID: p.ID, Kind: p.NalUnitType.String(), POC: int(p.PicOrderCntVal), Reference: p.Reference,
			Slot: p.Slot, Slots: p.DpbSlots, Output: outputs(p.Output), Freed: slots(p.Freed), Missing: elementsOf(&p.Missing),
			Corrupt: p.Corrupt, headers: map[int]nalUnit{},
		}
		if p.NewSequence {
			crop := p.SPS.Crop()
			r.NewSequence = fmt.Sprintf("%dx%d (coded %dx%d), %d bit, chroma format %d, %d pictures in the DPB, %d reordered", crop.Width, crop.Height,
				p.SPS.CodedWidth(), p.SPS.CodedHeight(), p.SPS.BitDepthLumaMinus8+8, p.SPS.ChromaFormatIdc, p.SPS.MaxDecPicBuffering(),
				p.SPS.Ordering.MaxNumReorderPics[p.SPS.SpsMaxSubLayersMinus1])
		}
		if p.Unsupported != bitstream.FeatureNone {
			r.Unsupported = p.Unsupported.String()
		}
		for _, f := range p.Refs {
			r.Refs = append(r.Refs, nalRef{ID: f.ID, Slot: f.Slot, POC: int(f.PicOrderCntVal), LongTerm: f.LongTerm})
		}
		for j := range p.Segments {
			s := &p.Segments[j]
			// What lies behind the counts is of earlier slices.
			h := &s.Header
			clear(h.LongTerm[h.NumLongTerm():])
			for l, n := range h.NumRefIdxActive {
				clear(h.PredWeights[l][n:])
				if !h.RefPicListModificationFlag[l] {
					n = 0
				}
				clear(h.ListEntry[l][n:])
				if b := h.SliceType == hevc.SliceB; !(p.PPS.WeightedPredFlag && !b || p.PPS.WeightedBipredFlag && b) {
					h.PredWeights[l] = [16]hevc.Weights{}
				}
			}
			u := nalUnit{Header: append(elements{{"type", h.SliceType.String()}}, elementsOf(h)...)}
			for l, n := range h.NumRefIdxActive {
				u.Lists = appendList(u.Lists, s.RefPicList[l][:n], r.Refs)
			}
			r.headers[s.NAL.Begin] = u
		}
		out = append(out, r)
	}
	return out, err
}
