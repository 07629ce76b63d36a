package main

import (
	"bufio"
	"fmt"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/av1"
)

// nalAV1 is AV1 for probe --nal: its units are OBUs.
type nalAV1 struct{ d *av1.Decoder }

func (c *nalAV1) flush() []bitstream.Output { return c.d.Flush() }
func (c *nalAV1) splitter() bufio.SplitFunc { return av1.NewSplitter().Split }

func (c *nalAV1) next(data []byte, pos int) (bitstream.NAL, bool) {
	o, ok, _ := av1.NextOBU(data, pos)
	return bitstream.NAL{Start: o.Start, Begin: o.Start, End: o.End}, ok
}

func (c *nalAV1) describe(obu []byte) (kind int, name string, header any, err error) {
	o, _, err := av1.NextOBU(obu, 0)
	if err == nil && o.Type == av1.OBUSequenceHeader {
		if s, e := av1.ParseSequence(o.Payload(obu)); e == nil {
			header = s
		} else {
			err = e
		}
	}
	return int(o.Type), o.Type.String(), header, err
}

func (c *nalAV1) decode(unit []byte) (out []nalPicture, err error) {
	pictures, err := c.d.Decode(unit)
	for i := range pictures {
		p, f := &pictures[i], &pictures[i].Frame
		r := nalPicture{
			ID: p.ID, Kind: f.FrameType.String() + " frame", POC: int(f.OrderHint), Reference: f.RefreshFrameFlags != 0,
			Slot: p.Slot, Slots: av1.MaxSlots, Output: outputs(p.Output), Freed: slots(p.Freed), Missing: elementsOf(&p.Missing),
			Corrupt: p.Corrupt, headers: map[int]nalUnit{},
		}
		switch {
		case p.Existing:
			r.Kind = "existing " + r.Kind
		case !f.ShowFrame:
			r.Kind = "hidden " + r.Kind
		}
		if p.NewSequence {
			c := &p.Sequence.ColorConfig
			r.NewSequence = fmt.Sprintf("%dx%d, %d bit, %d planes, profile %d", p.Sequence.MaxWidth(), p.Sequence.MaxHeight(), c.BitDepth(), c.NumPlanes(), p.Sequence.SeqProfile)
		}
		for _, e := range p.Refs {
			r.Refs = append(r.Refs, nalRef{ID: e.ID, Slot: e.Slot, POC: int(e.OrderHint)})
		}
		r.headers[p.HeaderOBU] = nalUnit{Header: append(elements{{"type", f.FrameType.String()}, {"size", fmt.Sprintf("%dx%d", f.UpscaledWidth, f.FrameHeight)}, {"tiles", len(p.Tiles)}}, elementsOf(f)...)}
		out = append(out, r)
	}
	return out, err
}
