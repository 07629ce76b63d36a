package av1

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSetFrameRefs compares the references that follow from two of them (7.8), which no
// encoder at hand signals, with a second way to find them: all frames sorted by order,
// ties by their places.
func TestSetFrameRefs(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		s := &Sequence{EnableOrderHint: true, OrderHintBitsMinus1: uint8(2 + rng.IntN(6))}
		size := 1 << s.OrderHintBits()
		f := &Frame{OrderHint: uint8(rng.IntN(size)), LastFrameIdx: uint8(rng.IntN(NumRefFrames)), GoldFrameIdx: uint8(rng.IntN(NumRefFrames))}
		var refs [NumRefFrames]reference
		dist := func(i int) int { return s.relativeDist(refs[i].OrderHint, f.OrderHint) }
		for i := range refs {
			refs[i].OrderHint = uint8((int(f.OrderHint) + rng.IntN(7) - 3 + size) % size)
		}
		r := &headerParser{seq: s, refs: &refs}
		f.setFrameRefs(r)
		if late := dist(int(f.LastFrameIdx)) >= 0 || dist(int(f.GoldFrameIdx)) >= 0; r.Failed() != late {
			t.Fatalf("failed is %v, %d and %d of %+v", r.Failed(), f.LastFrameIdx, f.GoldFrameIdx, refs)
		} else if late {
			continue
		}
		order := []int{0, 1, 2, 3, 4, 5, 6, 7}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(dist(a), dist(b)) })
		var before, behind []int
		for _, i := range order {
			switch {
			case i == int(f.LastFrameIdx) || i == int(f.GoldFrameIdx):
			case dist(i) < 0:
				before = append(before, i)
			default:
				behind = append(behind, i)
			}
		}
		want := map[int]int{LastFrame: int(f.LastFrameIdx), GoldenFrame: int(f.GoldFrameIdx)}
		if n := len(behind); n > 0 {
			want[AltrefFrame], behind = behind[n-1], behind[:n-1]
		}
		for _, name := range []int{BwdrefFrame, Altref2Frame} {
			if len(behind) > 0 {
				want[name], behind = behind[0], behind[1:]
			}
		}
		for _, name := range []int{Last2Frame, Last3Frame, BwdrefFrame, Altref2Frame, AltrefFrame} {
			if _, ok := want[name]; ok {
				continue
			}
			want[name] = order[0]
			if n := len(before); n > 0 {
				want[name], before = before[n-1], before[:n-1]
			}
		}
		for name := LastFrame; name <= AltrefFrame; name++ {
			if got := int(f.RefFrameIdx[name-LastFrame]); got != want[name] {
				t.Fatalf("reference %d is %d, want %d: %d, %d of %+v", name, got, want[name], f.LastFrameIdx, f.GoldFrameIdx, order)
			}
		}
	}
}
