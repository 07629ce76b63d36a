//go:build !purego

package yuv

import (
	"encoding/binary"
	"math"

	"github.com/klauspost/cpuid/v2"
)

//go:generate sh -c "cd _asm && go run . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg yuv && gofmt -w ../table_amd64.go"
//go:generate sh -c "cd _asm && go run ./neon"

func hasVariant(v Variant) bool {
	switch v {
	case AVX2:
		return cpuid.CPU.Has(cpuid.AVX2)
	case AVX512:
		return cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL)
	case AVX512VBMI:
		return hasVariant(AVX512) && cpuid.CPU.Has(cpuid.AVX512VBMI)
	}
	return false
}

// nearBytes is how large a destination may be to lie in the second-level cache. On Zen
// asking ahead does not pay anywhere.
func nearBytes() int {
	if cpuid.CPU.VendorID == cpuid.AMD {
		return math.MaxInt
	}
	return max(cpuid.CPU.Cache.L2, 512<<10) / 2
}

// farBytes is how large a destination may be to stay in the caches. Zen seems to
// recognize stores that run on through a picture and to write their lines without reading
// them first; two rows in turn are two streams. TestOrders measures it.
func farBytes() int {
	if cpuid.CPU.VendorID == cpuid.AMD {
		return max(cpuid.CPU.Cache.L3, 32<<20) / 2
	}
	return math.MaxInt
}

// vectorSteps returns c's kernels, the widest first. Narrow pictures and what is left of
// a row go to the next one, and then to the scalar code.
func vectorSteps(c *Converter) []step {
	if c.variant == Generic {
		return nil
	}
	if c.cfg.To == RGBA64 {
		return []step{rgba64Step(c)}
	}
	var s []step
	if c.variant >= AVX512 {
		s = append(s, newStep(c, c.variant, 64))
	}
	return append(s, newStep(c, AVX2, 32))
}

func newStep(c *Converter, v Variant, block int) step {
	rgba, nt, near, rgb24 := kernels(v, c.g.kind)
	s := step{run: rgba, nt: nt, near: near, row: near, block: block, rows: 2, k: new(consts)}
	// The others would lose as much by computing chroma twice.
	if one, ok := map[kind]kind{kindPlanar420: kindPlanar422, kindSemi: kindSemiRow}[c.g.kind]; ok && v == AVX512VBMI {
		_, _, s.row, _ = kernels(v, one)
		s.rowAlone = true
	}
	if c.cfg.To.bytesPerPixel() == 3 {
		s.run, s.nt, s.near, s.row, s.rowAlone = rgb24, rgb24, rgb24, rgb24, false
	}
	s.k.fill(c, v, block)
	return s
}

// The vectors of a constant block, as _asm/main.go numbers them.
const (
	kCY = iota
	kRV
	kGU
	kGV
	kBU
	kBR
	kBG
	kBB
	kPerm
	kU
	kV
	kX80
	kShift
	kQPerm
	kPack
	kJoin
	kY
	kFF
	kYH
	kUFar
	kVFar
	kWeights
	kFar
)

func (k *consts) fill(c *Converter, v Variant, block int) {
	for i, w := range []int16{kCY: int16(c.m.cy), kRV: c.m.rv, kGU: c.m.gu, kGV: c.m.gv, kBU: c.m.bu, kBR: c.m.br, kBG: c.m.bg, kBB: c.m.bb} {
		k.words(i, func(int) int { return int(w) })
	}
	k.words(kShift, func(int) int { return 1024 })
	k.bytes(kFF, func(int) int { return 0xff })
	x80 := 0x8080
	if c.g.bits > 8 {
		x80 = 0x8000
	}
	k.words(kX80, func(int) int { return x80 })

	// Dword 4·lane+i takes dword lanes·i+lane: the unpacking by bytes and by words, which
	// stays within lanes of 16 bytes, then ends with pixels in order.
	lanes := block / 16
	k.dwords(kPerm, func(i int) int { return lanes*(i&3) + i>>2 })
	k.qwords(kQPerm, func(i int) int { return lanes*(i&1) + i>>1 })
	k.bytes(kPack, func(i int) int {
		if i &= 15; i < 12 {
			return i/3*4 + i%3
		}
		return 0x80
	})
	k.dwords(kJoin, func(i int) int { return (i/3*4 + i%3) & (block/4 - 1) })

	// chroma is the sample that belongs into word i: the same transposition, by pairs.
	chroma := func(i int) int { return 2*(lanes*(i>>1&3)+i>>3) + i&1 }
	k.bytes(kY, high(func(i int) int { return 4*(lanes*(i>>2&1)+i>>3) + i&3 })) // of 16 bytes: 32-byte blocks only
	switch c.g.kind {
	case kindPlanar420, kindPlanar422:
		if v == AVX512VBMI { // U in bytes 0–31, V in 32–63; only odd bytes are used
			k.bytes(kU, func(i int) int { return chroma(i / 2) })
			k.bytes(kV, func(i int) int { return 32 + chroma(i/2) })
			k.luma()
		} else { // 16 samples in each lane
			k.bytes(kU, high(chroma))
		}
	case kindSemi:
		if v == AVX512VBMI {
			k.bytes(kU, func(i int) int { return 2*chroma(i/2) + c.uo })
			k.bytes(kV, func(i int) int { return 2*chroma(i/2) + c.vo })
			k.luma()
		} else { // dwords are transposed already
			k.bytes(kU, high(func(i int) int { return 2*(i&7) + c.uo }))
			k.bytes(kV, high(func(i int) int { return 2*(i&7) + c.vo }))
		}
	case kindP010:
		if block == 64 { // words of two vectors
			k.words(kU, func(i int) int { return 2*chroma(i) + c.uo/2 })
			k.words(kV, func(i int) int { return 2*chroma(i) + c.vo/2 })
		} else { // four of each in a lane
			k.words(kU, func(i int) int {
				at := 4*(i&3) + c.uo
				if i&4 != 0 {
					at = 4*(i&3) + c.vo
				}
				return at | (at+1)<<8
			})
		}
	case kindPacked: // a lane holds 8 pixels
		k.bytes(kY, high(func(i int) int { return 2*(i&7) + c.yo }))
		k.bytes(kU, high(func(i int) int { return i&7/2*4 + c.uo }))
		k.bytes(kV, high(func(i int) int { return i&7/2*4 + c.vo }))
	}
}

// luma makes the permutations that transpose the dwords of 64 bytes and give the lower and
// the upper half of each lane as words. Only odd bytes are used.
func (k *consts) luma() {
	at := func(word int) int { return 4*(4*(word>>2&1)+word>>3) + word&3 }
	k.bytes(kY, func(i int) int { return at(i / 2) })
	k.bytes(kYH, func(i int) int { return 32 + at(i/2) })
}

// high makes a byte shuffle that puts the byte at(w) into the upper half of word w and 0
// into the lower one.
func high(at func(word int) int) func(i int) int {
	return func(i int) int {
		if i&1 == 0 {
			return 0x80
		}
		return at(i / 2)
	}
}

func (k *consts) bytes(v int, f func(i int) int) {
	for i := range k[v] {
		k[v][i] = byte(f(i))
	}
}

func (k *consts) words(v int, f func(i int) int) {
	for i := range 32 {
		binary.LittleEndian.PutUint16(k[v][2*i:], uint16(f(i)))
	}
}

func (k *consts) dwords(v int, f func(i int) int) {
	for i := range 16 {
		binary.LittleEndian.PutUint32(k[v][4*i:], uint32(f(i)))
	}
}

func (k *consts) qwords(v int, f func(i int) int) {
	for i := range 8 {
		binary.LittleEndian.PutUint64(k[v][8*i:], uint64(f(i)))
	}
}
