package h264

// buildLists fills the reference picture lists of a slice of a frame from the
// picture's references.
// Source: 8.2.4.2.1, 8.2.4.2.3, 8.2.4.3.
func (p *Picture) buildLists(s *Slice) {
	h := &s.Header
	if h.Intra() {
		return
	}
	var list [2][MaxSlots]int8
	var n [2]int
	if h.SliceType == SliceB {
		poc := min(p.PicOrderCnt[0], p.PicOrderCnt[1])
		n[0] = p.initB(&list[0], poc, false)
		n[1] = p.initB(&list[1], poc, true)
		if n[1] > 1 && list[0] == list[1] {
			list[1][0], list[1][1] = list[1][1], list[1][0]
		}
	} else {
		n[0] = p.initP(&list[0])
	}
	for l := range list {
		active := int(h.NumRefIdxActive[l])
		out := &s.RefPicList[l]
		for i := range out {
			out[i] = -1
		}
		copy(out[:active], list[l][:n[l]])
		p.modify(out[:active], h.Modifications[l][:h.NumModifications[l]], h.FrameNum, p.SPS.MaxFrameNum())
		for _, e := range out[:active] {
			if e < 0 {
				p.Missing.Entries++
			} else if p.Refs[e].Corrupt {
				p.uncertain = true
			}
		}
	}
}

// initP orders short-term frames by falling PicNum, then long-term frames.
func (p *Picture) initP(list *[MaxSlots]int8) (n int) {
	for i := range p.Refs {
		if !p.Refs[i].LongTerm {
			n = p.insert(list, 0, n, i, func(a, b *Ref) bool { return a.FrameNumWrap > b.FrameNumWrap })
		}
	}
	return p.appendLong(list, n)
}

// initB orders short-term frames by their distance before poc, then by that behind it,
// or the other way round, then long-term frames. Non-existing frames have no order
// when the POC type is 0.
func (p *Picture) initB(list *[MaxSlots]int8, poc int32, after bool) (n int) {
	for range 2 {
		from := n
		for i := range p.Refs {
			r := &p.Refs[i]
			if r.LongTerm || r.NonExisting && p.SPS.PicOrderCntType == 0 || (r.poc() > poc) != after {
				continue
			}
			if after {
				n = p.insert(list, from, n, i, func(a, b *Ref) bool { return a.poc() < b.poc() })
			} else {
				n = p.insert(list, from, n, i, func(a, b *Ref) bool { return a.poc() > b.poc() })
			}
		}
		after = !after
	}
	return p.appendLong(list, n)
}

func (p *Picture) appendLong(list *[MaxSlots]int8, n int) int {
	from := n
	for i := range p.Refs {
		if p.Refs[i].LongTerm {
			n = p.insert(list, from, n, i, func(a, b *Ref) bool { return a.LongTermFrameIdx < b.LongTermFrameIdx })
		}
	}
	return n
}

// insert puts reference i into list[from:n], which is in order.
func (p *Picture) insert(list *[MaxSlots]int8, from, n, i int, before func(a, b *Ref) bool) int {
	j := n
	for ; j > from && before(&p.Refs[i], &p.Refs[list[j-1]]); j-- {
		list[j] = list[j-1]
	}
	list[j] = int8(i)
	return n + 1
}

func (r *Ref) poc() int32 { return min(r.PicOrderCnt[0], r.PicOrderCnt[1]) }

// modify carries out the modification commands on a list (8.2.4.3).
func (p *Picture) modify(list []int8, commands []ListModification, frameNum, maxFrameNum uint32) {
	pred := int64(frameNum)
	for at := range min(len(commands), len(list)) {
		c := &commands[at]
		var ref int8
		if c.ModificationOfPicNumsIdc == 2 {
			ref = p.find(true, int64(c.Value))
		} else {
			diff := int64(c.Value) + 1
			if c.ModificationOfPicNumsIdc == 0 {
				pred -= diff
			} else {
				pred += diff
			}
			pred &= int64(maxFrameNum) - 1
			num := pred
			if num > int64(frameNum) {
				num -= int64(maxFrameNum)
			}
			ref = p.find(false, num)
		}
		if ref < 0 {
			p.Missing.Modifications++
		}
		// Put it there; what stood there moves on, and its other occurrence closes up.
		carry := ref
		for i := at; i < len(list); i++ {
			list[i], carry = carry, list[i]
			if carry == ref && ref >= 0 {
				break
			}
		}
	}
}

// find returns the reference with a PicNum or LongTermPicNum, −1 for none.
func (p *Picture) find(long bool, num int64) int8 {
	for i := range p.Refs {
		r := &p.Refs[i]
		if r.LongTerm == long && (long && int64(r.LongTermFrameIdx) == num || !long && int64(r.FrameNumWrap) == num) {
			return int8(i)
		}
	}
	return -1
}
