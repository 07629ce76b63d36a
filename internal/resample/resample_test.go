package resample

import (
	"math/rand/v2"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
)

// model is the definition.
func model(a, b byte, f int) byte { return byte((int(a)*(256-f) + int(b)*f + 128) >> 8) }

func random(rng *rand.Rand, b []byte) {
	extremes := rng.IntN(2) == 0
	for i := range b {
		if b[i] = byte(rng.Uint32()); extremes {
			b[i] = byte(int8(b[i]) >> 7)
		}
	}
}

// TestBlend takes every length from 1 to 300 between guard pages, at either end.
func TestBlend(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var g [3]*avtest.Guard
	for i := range g {
		g[i] = avtest.NewGuard(t, 300)
	}
	for n := 1; n <= 300; n++ {
		at := (*avtest.Guard).AtEnd
		if n&1 == 0 {
			at = (*avtest.Guard).AtStart
		}
		whole := g[0].AtStart(g[0].Len())
		clear(whole)
		dst, a, b := at(g[0], n), at(g[1], n), at(g[2], n)
		random(rng, a)
		random(rng, b)
		f := rng.IntN(256)
		Blend(dst, a, b, uint8(f))
		for i := range dst {
			if want := model(a[i], b[i], f); dst[i] != want {
				t.Fatalf("%d bytes, weight %d: byte %d is %d, want %d", n, f, i, dst[i], want)
			}
		}
		clear(dst)
		for _, b := range whole {
			if b != 0 {
				t.Fatalf("%d bytes: another was written", n)
			}
		}
	}
}

// TestBlendAll takes every pair of bytes with every weight.
func TestBlendAll(t *testing.T) {
	var a, b, dst [256 * 256]byte
	for i := range a {
		a[i], b[i] = byte(i), byte(i>>8)
	}
	for f := range 256 {
		Blend(dst[:], a[:], b[:], uint8(f))
		for i := range dst {
			if want := model(a[i], b[i], f); dst[i] != want {
				t.Fatalf("%d and %d, weight %d: %d, want %d", a[i], b[i], f, dst[i], want)
			}
		}
	}
}

// TestAcross takes every length from 1 to 300, up and down, with the samples at the very
// end of their memory.
func TestAcross(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	in, out := avtest.NewGuard(t, 4*1000), avtest.NewGuard(t, 4*300)
	for n := 1; n <= 300; n++ {
		samples := 2 + rng.IntN(990)
		src := in.AtEnd(4 * samples)
		random(rng, src)
		at := make([]Position, n)
		for i := range at {
			at[i] = Position(rng.IntN((samples - 1) << 8))
		}
		check(t, out.AtEnd(4*n), src, at)
	}
}

func check(t *testing.T, dst, src []byte, at []Position) {
	t.Helper()
	m := NewMap(at)
	Across(dst, src, &m)
	for i, p := range at {
		for k := range 4 {
			s := src[4*(p>>8)+Position(k):]
			if want := model(s[0], s[4], int(p&0xff)); dst[4*i+k] != want {
				t.Fatalf("%d pixels: %d at %d/256, byte %d, is %d, want %d", len(at), i, p, k, dst[4*i+k], want)
			}
		}
	}
}

// TestAcrossAll takes every pair of bytes with every weight, and rows too long for vectors.
func TestAcrossAll(t *testing.T) {
	src := make([]byte, 8<<16+8)
	for i := range 1 << 16 {
		for k := range 4 {
			src[8*i+k], src[8*i+4+k] = byte(i>>(2*k)), byte(i>>8>>(2*k))
		}
	}
	at, dst := make([]Position, 1<<12), make([]byte, 4<<12)
	for i := range 1 << 8 { // first and second sample, by weight
		for k := range at {
			at[k] = Position(2*(k<<4+i>>4))<<8 | Position(i*16+k)&0xff
		}
		check(t, dst, src, at)
	}
	check(t, dst[:64], src, at[:16])
	check(t, dst[:4*16], src[4<<16:], at[:16])
}

func TestAcrossOutside(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a position outside the row was taken")
		}
	}()
	m := NewMap([]Position{0, 0, 0, 7 << 8})
	Across(make([]byte, 32), make([]byte, 32), &m)
}

func TestAllocatesNothing(t *testing.T) {
	src, dst, m := make([]byte, 400), make([]byte, 200), NewMap(make([]Position, 50))
	if n := testing.AllocsPerRun(10, func() {
		Blend(dst, src, src[200:], 7)
		Across(dst, src, &m)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzAcross takes any geometry.
func FuzzAcross(f *testing.F) {
	f.Add(uint16(3), uint16(40), uint64(1))
	f.Fuzz(func(t *testing.T, samples, n uint16, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 5))
		w := int(samples%2000) + 2
		src, at := make([]byte, 4*w), make([]Position, n%2000)
		random(rng, src)
		for i := range at {
			at[i] = Position(rng.IntN((w - 1) << 8))
		}
		check(t, make([]byte, 4*len(at)), src, at)
		if len(at) > 0 {
			dst := make([]byte, 2*w)
			Blend(dst, src, src[2*w:], uint8(seed))
			for i := range dst {
				if want := model(src[i], src[2*w+i], int(uint8(seed))); dst[i] != want {
					t.Fatalf("byte %d of %d is %d, want %d", i, len(dst), dst[i], want)
				}
			}
		}
	})
}

func BenchmarkBlend(b *testing.B) {
	dst, x, y := make([]byte, 7680), make([]byte, 7680), make([]byte, 7680)
	for b.Loop() {
		Blend(dst, x, y, 77)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(dst)/4), "ns/px")
}

func BenchmarkAcross(b *testing.B) {
	src, dst, at := make([]byte, 7680+4), make([]byte, 4*1280), make([]Position, 1280)
	for i := range at {
		at[i] = Position(i * 384)
	}
	m := NewMap(at)
	for b.Loop() {
		Across(dst, src, &m)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(at)), "ns/px")
}
