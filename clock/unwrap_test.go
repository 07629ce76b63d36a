package clock

import "testing"

func TestUnwrap(t *testing.T) {
	const turn33 = int64(1) << 33
	cases := []struct {
		bits uint
		in   []uint64
		want []int64
	}{
		{BitsMPEG, []uint64{1<<33 - 2, 1<<33 - 1, 0, 1}, []int64{turn33 - 2, turn33 - 1, turn33, turn33 + 1}},
		{BitsMPEG, []uint64{3, 1<<33 - 3, 5}, []int64{3, -3, 5}}, // reordered around the wrap
		{BitsRTP, []uint64{1<<32 - 1, 3000, 1<<32 - 2, 6000}, []int64{1<<32 - 1, 1<<32 + 3000, 1<<32 - 2, 1<<32 + 6000}},
		{BitsRTP, []uint64{0, 1 << 31, 0, 1 << 31}, []int64{0, -1 << 31, -1 << 32, -3 << 31}}, // half a turn: earlier
		{BitsRTPSeq, []uint64{65535, 0, 65535, 1}, []int64{65535, 65536, 65535, 65537}},
		{BitsRTP, []uint64{0x5_0000_0007, 0x6_0000_0008}, []int64{7, 8}}, // bits above the counter's are ignored
	}
	for _, c := range cases {
		u := NewUnwrapper(c.bits)
		for i, v := range c.in {
			if got := u.Unwrap(v); got != c.want[i] {
				t.Errorf("%d bits, %v: value %d is %d, want %d", c.bits, c.in, i, got, c.want[i])
			}
		}
		u.Reset()
		if got := u.Unwrap(5); got != 5 {
			t.Errorf("after Reset: %d", got)
		}
	}
}

func TestUnwrapperChecksItsWidth(t *testing.T) {
	for _, bits := range []uint{0, 64} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d bits were accepted", bits)
				}
			}()
			NewUnwrapper(bits)
		}()
	}
}

// A counter that moves by less than half a turn comes out as it went in.
func FuzzUnwrap(f *testing.F) {
	f.Add(uint8(33), int64(0), int64(1), int64(-1))
	f.Add(uint8(32), int64(1)<<40, int64(1)<<31-1, -(int64(1) << 31))
	f.Fuzz(func(t *testing.T, width uint8, start, a, b int64) {
		bits := uint(width)%48 + 1
		half := int64(1) << (bits - 1)
		u := NewUnwrapper(bits)
		first := start & (half<<1 - 1)
		n := u.Unwrap(uint64(start))
		if n != first {
			t.Fatalf("first value %d, want %d", n, first)
		}
		for _, step := range []int64{a, b} {
			n += (step%half + half) % half // 0 … half−1
			if got := u.Unwrap(uint64(n)); got != n {
				t.Fatalf("%d bits: %d, want %d", bits, got, n)
			}
			n -= (step/3%half + half) % half
			if got := u.Unwrap(uint64(n)); got != n {
				t.Fatalf("%d bits, back: %d, want %d", bits, got, n)
			}
		}
	})
}
