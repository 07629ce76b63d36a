package h265

import (
	"fmt"

	"github.com/scanout-av/scanout/decode/bitstream"
)

// contract is a consumer that believes what package documentation says and checks it.
type contract struct {
	slots  [MaxSlots]bitstream.PictureID // what lies where
	max    int
	shown  map[bitstream.PictureID]bool
	lastID bitstream.PictureID
}

func newContract() *contract { return &contract{shown: map[bitstream.PictureID]bool{}} }

func (c *contract) picture(p *Picture) error {
	if p.ID <= c.lastID {
		return fmt.Errorf("id %d after %d", p.ID, c.lastID)
	}
	c.lastID = p.ID
	if p.NewSequence {
		c.slots = [MaxSlots]bitstream.PictureID{}
		c.max = p.DpbSlots
	}
	if p.DpbSlots != c.max || p.DpbSlots > MaxSlots || p.Slot < 0 || p.Slot >= p.DpbSlots {
		return fmt.Errorf("slot %d of %d (%d when the sequence began)", p.Slot, p.DpbSlots, c.max)
	}
	if c.slots[p.Slot] != 0 {
		return fmt.Errorf("slot %d still holds picture %d", p.Slot, c.slots[p.Slot])
	}
	for _, r := range p.Refs {
		if c.slots[r.Slot] != r.ID {
			return fmt.Errorf("reference %d in slot %d, which holds %d", r.ID, r.Slot, c.slots[r.Slot])
		}
	}
	if len(p.Segments) == 0 {
		return fmt.Errorf("no slice segments")
	}
	for _, set := range []*RefSet{&p.StCurrBefore, &p.StCurrAfter, &p.LtCurr} {
		for _, e := range set.Entries() {
			if int(e) >= len(p.Refs) || e < -1 {
				return fmt.Errorf("set entry %d of %d references", e, len(p.Refs))
			}
		}
	}
	for i := range p.Segments {
		s := &p.Segments[i]
		for l, n := range s.Header.NumRefIdxActive {
			for _, e := range s.RefPicList[l][:n] {
				if int(e) >= len(p.Refs) || e < -1 {
					return fmt.Errorf("list entry %d of %d references", e, len(p.Refs))
				}
			}
		}
	}
	c.slots[p.Slot] = p.ID
	for _, o := range p.Output {
		if c.shown[o.ID] || o.ID > p.ID {
			return fmt.Errorf("picture %d shown twice or before its time", o.ID)
		}
		c.shown[o.ID] = true
	}
	for i := range c.slots {
		if p.Freed.Has(i) {
			if c.slots[i] == 0 {
				return fmt.Errorf("slot %d freed, though nothing is in it", i)
			}
			c.slots[i] = 0
		}
	}
	return nil
}
