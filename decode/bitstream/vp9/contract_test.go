package vp9

import (
	"fmt"

	"github.com/scanout-av/scanout/decode/bitstream"
)

// contract is a consumer that believes what package documentation says and checks it.
type contract struct {
	slots  [MaxSlots]bitstream.PictureID // what lies where
	lastID bitstream.PictureID
}

func (c *contract) picture(p *Picture) error {
	if p.NewSequence {
		c.slots = [MaxSlots]bitstream.PictureID{}
	}
	if !p.Existing {
		if p.ID <= c.lastID {
			return fmt.Errorf("id %d after %d", p.ID, c.lastID)
		}
		c.lastID = p.ID
		if p.Slot < 0 || p.Slot >= MaxSlots || c.slots[p.Slot] != 0 {
			return fmt.Errorf("slot %d of %v", p.Slot, c.slots)
		}
		for _, r := range p.Refs {
			if c.slots[r.Slot] != r.ID || !p.Frame.fits(&r) {
				return fmt.Errorf("reference %+v in slot %d, which holds %d, of %dx%d", r, r.Slot, c.slots[r.Slot], p.Frame.FrameWidth, p.Frame.FrameHeight)
			}
		}
		missing := 0
		for _, i := range p.RefIndex {
			if int(i) >= len(p.Refs) || i < -1 || i >= 0 && p.Frame.Intra() {
				return fmt.Errorf("reference index %d of %d", i, len(p.Refs))
			}
			if i < 0 && !p.Frame.Intra() {
				missing++
			}
		}
		if missing != p.Missing.References || p.Missing.Any() && !p.Corrupt {
			return fmt.Errorf("%+v: %d references missing, corrupt is %v", p.Missing, missing, p.Corrupt)
		}
		if p.Begin >= p.Compressed || p.Compressed >= p.Tiles || p.Tiles >= p.End || p.MaxWidth < 1 || p.MaxHeight < 1 {
			return fmt.Errorf("parts at %d, %d, %d, end %d; %dx%d", p.Begin, p.Compressed, p.Tiles, p.End, p.MaxWidth, p.MaxHeight)
		}
		c.slots[p.Slot] = p.ID
	} else if p.ID != 0 || len(p.Output) != 1 {
		return fmt.Errorf("id %d, shows %+v", p.ID, p.Output)
	}
	for _, o := range p.Output {
		if c.slots[o.Slot] != o.ID || o.ID == 0 {
			return fmt.Errorf("shows picture %d of slot %d, which holds %d", o.ID, o.Slot, c.slots[o.Slot])
		}
	}
	for i := range c.slots {
		if p.Freed.Has(i) {
			c.slots[i] = 0
		}
	}
	return nil
}
