package h265

import (
	"slices"
	"testing"
)

// checkSetsInUse runs the derivation of the reference picture set (8.3.2) and of the
// lists (8.3.4) a second time, over a plain record of all pictures since the last IRAP
// picture that began anew, and compares.
func checkSetsInUse(t *testing.T, data []byte) {
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	type pic struct {
		poc  int32
		long bool
	}
	var refs []pic // marked as used for reference
	entries := 0
	for _, au := range accessUnits(t, data) {
		pics, _ := d.Decode(au)
		for i := range pics {
			p := &pics[i]
			h := &p.Segments[0].Header
			if p.NoRaslOutput {
				refs = nil
			}
			var kept []pic
			take := func(poc int32, long, lsbOnly bool) int32 {
				for _, r := range refs {
					if !long && r.long || slices.ContainsFunc(kept, func(k pic) bool { return k.poc == r.poc }) {
						continue
					}
					if lsbOnly && r.poc&(p.SPS.MaxPicOrderCntLsb()-1) == poc || r.poc == poc {
						kept = append(kept, pic{r.poc, long})
						return r.poc
					}
				}
				t.Errorf("picture %d: there is no reference picture %d", p.PicOrderCntVal, poc)
				return -1 << 31
			}
			var before, after, long []int32
			for i := range h.NumLongTerm() {
				l := &h.LongTerm[i]
				poc := int32(l.PocLsbLt)
				if l.DeltaPocMsbPresentFlag {
					poc = p.PicOrderCntVal - int32(l.DeltaPocMsbCycleLt)*p.SPS.MaxPicOrderCntLsb() - (p.PicOrderCntVal&(p.SPS.MaxPicOrderCntLsb()-1) - poc)
				}
				if poc = take(poc, true, !l.DeltaPocMsbPresentFlag); l.UsedByCurrPicLt {
					long = append(long, poc)
				}
			}
			s := &h.ShortTermRefPicSet
			for i, delta := range s.DeltaPocS0[:s.NumNegativePics] {
				if poc := take(p.PicOrderCntVal+delta, false, false); s.UsedByCurrPicS0>>i&1 != 0 {
					before = append(before, poc)
				}
			}
			for i, delta := range s.DeltaPocS1[:s.NumPositivePics] {
				if poc := take(p.PicOrderCntVal+delta, false, false); s.UsedByCurrPicS1>>i&1 != 0 {
					after = append(after, poc)
				}
			}
			refs = kept
			if len(p.Refs) != len(refs) {
				t.Errorf("picture %d: %d references, want %v", p.PicOrderCntVal, len(p.Refs), refs)
			}
			for _, r := range p.Refs {
				if !slices.Contains(refs, pic{r.PicOrderCntVal, r.LongTerm}) {
					t.Errorf("picture %d: %+v is not among %v", p.PicOrderCntVal, r, refs)
				}
			}
			pocs := func(set []int8) (out []int32) {
				for _, i := range set {
					out = append(out, p.Refs[i].PicOrderCntVal)
				}
				return out
			}
			for i, set := range []*RefSet{&p.StCurrBefore, &p.StCurrAfter, &p.LtCurr} {
				if want := [][]int32{before, after, long}[i]; !slices.Equal(pocs(set.Entries()), want) {
					t.Errorf("picture %d, set %d: %v, want %v", p.PicOrderCntVal, i, pocs(set.Entries()), want)
				}
			}
			for i := range p.Segments {
				s := &p.Segments[i]
				for l, n := range s.Header.NumRefIdxActive {
					temp := slices.Concat(before, after, long)
					if l == 1 {
						temp = slices.Concat(after, before, long)
					}
					var want []int32
					for j := range int(n) {
						at := j % len(temp)
						if s.Header.RefPicListModificationFlag[l] {
							at = int(s.Header.ListEntry[l][j])
						}
						want = append(want, temp[at])
					}
					entries += len(want)
					if got := pocs(s.RefPicList[l][:n]); !slices.Equal(got, want) {
						t.Errorf("picture %d, list %d: %v, want %v", p.PicOrderCntVal, l, got, want)
					}
				}
			}
			refs = append(refs, pic{poc: p.PicOrderCntVal})
		}
	}
	t.Logf("%d list entries", entries)
}
