package soft

import (
	"math"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/yuv"
)

// FuzzGeometry draws pictures of any size into targets of any size that end at a page
// which must not be touched. A flat picture must come out flat, with black around it.
func FuzzGeometry(f *testing.F) {
	for i := range len(media.PixelFormats()) {
		f.Add(uint8(i), uint16(37), uint16(21), uint16(50), uint16(40), uint8(i), int32(16), int32(15), uint8(i))
	}
	f.Add(uint8(2), uint16(1), uint16(1), uint16(1), uint16(1), uint8(7), int32(0), int32(0), uint8(3))
	f.Add(uint8(3), uint16(500), uint16(3), uint16(2), uint16(299), uint8(5), int32(1), int32(9), uint8(1))
	f.Add(uint8(10), uint16(3), uint16(299), uint16(300), uint16(1), uint8(2), int32(math.MaxInt32), int32(1), uint8(0))
	g := avtest.NewGuard(f, 4*512*512)
	f.Fuzz(func(t *testing.T, format uint8, w, h, tw, th uint16, turn uint8, num, den int32, mode uint8) {
		formats := media.PixelFormats()
		fr := newFrame(formats[int(format)%len(formats)], 1+int(w)%512, 1+int(h)%512)
		fr.SAR = media.Rational{Num: num, Den: den}
		fr.Orientation = media.Orientation{Rotation: media.Rotation(turn % 4 * 90), Mirror: turn&4 != 0}
		d := fr.Format.Info()
		for p := range d.Planes {
			for i := range fr.Planes[p].Data {
				fr.Planes[p].Data[i] = 0x80 // mid grey in any format of 8 bits
			}
		}
		tg := target{width: 1 + int(tw)%512, height: 1 + int(th)%512, packing: yuv.Packing(mode >> 3 & 1)}
		tg.stride = 4*tg.width + int(mode>>4)
		for tg.stride*(tg.height-1)+4*tg.width > g.Len() {
			tg.height--
		}
		tg.pix = g.AtEnd(tg.stride*(tg.height-1) + 4*tg.width)
		for i := range tg.pix {
			tg.pix[i] = 0x55
		}
		p := painter{filter: Filter(mode % 3), chroma: Chroma(mode >> 2 & 1)}
		fr.Arm(forever{})
		if _, err := p.draw(&tg, fr, true); err != nil {
			t.Skip(err) // absurd shapes may be refused
		}
		a := p.at
		if a.x < 0 || a.y < 0 || a.w < 1 || a.h < 1 || a.x+a.w > tg.width || a.y+a.h > tg.height {
			t.Fatalf("picture at %+v of %d×%d", a, tg.width, tg.height)
		}
		inside := [4]byte(tg.pix[a.y*tg.stride+4*a.x:])
		for y := range tg.height {
			row := tg.row(y)
			for x := range tg.width {
				want := [4]byte{0, 0, 0, 255}
				if x >= a.x && x < a.x+a.w && y >= a.y && y < a.y+a.h {
					want = inside
				}
				if got := [4]byte(row[4*x:]); got != want {
					t.Fatalf("pixel %d,%d is %v, want %v; picture at %+v", x, y, got, want, a)
				}
			}
			if y == tg.height-1 {
				break
			}
			for _, b := range row[4*tg.width : tg.stride] {
				if b != 0x55 {
					t.Fatalf("row %d: written beyond its end", y)
				}
			}
		}
		if d.BitDepth == 8 && inside == [4]byte{0, 0, 0, 255} {
			t.Error("the picture is black")
		}
	})
}
