package av1

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
	if p.Existing {
		if p.ID != 0 || len(p.Tiles) != 0 || c.slots[p.Slot] == 0 || len(p.Output) > 1 {
			return fmt.Errorf("shows slot %d, which holds %d", p.Slot, c.slots[p.Slot])
		}
		return c.end(p)
	}
	if p.ID <= c.lastID {
		return fmt.Errorf("id %d after %d", p.ID, c.lastID)
	}
	c.lastID = p.ID
	if p.Slot < 0 || p.Slot >= MaxSlots || c.slots[p.Slot] != 0 {
		return fmt.Errorf("slot %d of %v", p.Slot, c.slots)
	}
	for _, r := range p.Refs {
		if c.slots[r.Slot] != r.ID || r.Width < 1 || r.Height < 1 {
			return fmt.Errorf("reference %+v in slot %d, which holds %d", r, r.Slot, c.slots[r.Slot])
		}
		if !p.Frame.scales(&r) {
			return fmt.Errorf("%dx%d cannot be made of %dx%d", p.Frame.FrameWidth, p.Frame.FrameHeight, r.Width, r.Height)
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
	t := &p.Frame.TileInfo
	if all := int(t.TileCols) * int(t.TileRows); missing != p.Missing.References || all-len(p.Tiles) != p.Missing.Tiles || all < 1 || all > MaxTiles {
		return fmt.Errorf("%+v: %d references missing, %d of %d tiles", p.Missing, missing, len(p.Tiles), all)
	}
	if p.Missing.Any() && !p.Corrupt {
		return fmt.Errorf("%+v and not corrupt", p.Missing)
	}
	for i := range int(t.TileCols) {
		if t.MiColStarts[i] >= t.MiColStarts[i+1] {
			return fmt.Errorf("tile columns at %v", t.MiColStarts[:t.TileCols+1])
		}
	}
	for i := range int(t.TileRows) {
		if t.MiRowStarts[i] >= t.MiRowStarts[i+1] {
			return fmt.Errorf("tile rows at %v", t.MiRowStarts[:t.TileRows+1])
		}
	}
	f := &p.Frame
	if f.FrameWidth < 1 || f.UpscaledWidth < f.FrameWidth || f.UpscaledWidth > p.Sequence.MaxWidth() || f.FrameHeight > p.Sequence.MaxHeight() {
		return fmt.Errorf("%dx%d, upscaled %d, at most %dx%d", f.FrameWidth, f.FrameHeight, f.UpscaledWidth, p.Sequence.MaxWidth(), p.Sequence.MaxHeight())
	}
	c.slots[p.Slot] = p.ID
	return c.end(p)
}

func (c *contract) end(p *Picture) error {
	for _, o := range p.Output {
		if c.slots[o.Slot] != o.ID {
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
