package main

import (
	"bufio"
	"fmt"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/vp9"
)

// nalVP9 is VP9 for probe --nal: its units are frames, of which a superframe holds
// several.
type nalVP9 struct{ d *vp9.Decoder }

func (c *nalVP9) flush() []bitstream.Output { return c.d.Flush() }
func (c *nalVP9) splitter() bufio.SplitFunc { return nil } // there are no raw files

func (c *nalVP9) next(data []byte, pos int) (bitstream.NAL, bool) {
	parts, n := vp9.Frames(data)
	for i := range n {
		if parts[i] >= pos {
			return bitstream.NAL{Start: parts[i], Begin: parts[i], End: parts[i+1]}, true
		}
	}
	return bitstream.NAL{}, false
}

func (c *nalVP9) describe([]byte) (kind int, name string, header any, err error) {
	return 0, "frame", nil, nil
}

func (c *nalVP9) decode(unit []byte) (out []nalPicture, err error) {
	pictures, err := c.d.Decode(unit)
	for i := range pictures {
		p, f := &pictures[i], &pictures[i].Frame
		r := nalPicture{
			ID: p.ID, Kind: "inter frame", POC: int(p.ID), Reference: f.RefreshFrameFlags != 0, Slot: p.Slot, Slots: vp9.MaxSlots,
			Output: outputs(p.Output), Freed: slots(p.Freed), Missing: elementsOf(&p.Missing), Corrupt: p.Corrupt, headers: map[int]nalUnit{},
		}
		switch {
		case p.Existing:
			r.Kind = "existing frame"
		case f.KeyFrame:
			r.Kind = "key frame"
		case f.IntraOnly:
			r.Kind = "intra-only frame"
		}
		if !p.Existing && !f.ShowFrame {
			r.Kind = "hidden " + r.Kind
		}
		if p.NewSequence {
			r.NewSequence = fmt.Sprintf("%dx%d, %d bit, profile %d", f.FrameWidth, f.FrameHeight, f.ColorConfig.BitDepth, f.Profile)
		}
		for _, e := range p.Refs {
			r.Refs = append(r.Refs, nalRef{ID: e.ID, Slot: e.Slot, POC: int(e.ID)})
		}
		r.headers[p.Begin] = nalUnit{Header: elementsOf(f)}
		out = append(out, r)
	}
	return out, err
}
