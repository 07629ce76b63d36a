package soft

import (
	"fmt"

	"github.com/scanout-av/scanout/internal/resample"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/yuv"
)

// target is the memory that is drawn into, 4 bytes a pixel.
type target struct {
	pix           []byte
	width, height int
	stride        int
	packing       yuv.Packing // RGBA or BGRA
}

func (t *target) row(y int) []byte { return t.pix[y*t.stride:] }

func (t *target) check() error {
	if t.width <= 0 || t.height <= 0 || t.width*t.height > maxPixels || t.stride < 4*t.width || len(t.pix) < (t.height-1)*t.stride+4*t.width {
		return fmt.Errorf("soft: a target of %dx%d, stride %d, %d bytes: %w", t.width, t.height, t.stride, len(t.pix), media.ErrNotSupported)
	}
	return nil
}

// shape is everything that the tables depend on; they are made anew when it changes.
type shape struct {
	format      media.PixelFormat
	width       int
	height      int
	color       media.Color // resolved
	sar         media.Rational
	orientation media.Orientation
	tw, th      int
	packing     yuv.Packing
}

// bandRows is how many rows of a turned picture are written as columns at a time: two
// cache lines of each of the target's rows. bandPad keeps the rows of the band apart in
// the cache's sets.
const (
	bandRows = 32
	bandPad  = 64
)

// painter draws frames into a target.
type painter struct {
	filter Filter
	chroma Chroma
	shape  shape
	src    source
	at     rect // of the target
	turn   turn
	direct bool // straight from the source into the target

	// The scaled picture before it is turned is sw×sh.
	sw, sh       int
	across, down axis
	acrossMap    resample.Map // of across, for passInterp
	hpass        pass
	firstDown    bool // blend rows before scaling them

	// raw holds decoded rows as RGB, in two chunks of 1<<chunk rows each.
	raw       []byte
	rawStride int
	chunk     uint
	rawTag    [2]int
	mixed     []byte // a row that lies between two raw ones
	// scaled holds two rows that have been scaled across, by row parity.
	scaled    [2][]byte
	scaledTag [2]int
	band      []byte // rows that become columns
}

// draw draws f and reports whether the geometry changed, borders included.
func (p *painter) draw(t *target, f *media.Frame, newMemory bool) (changed bool, err error) {
	if err := f.Check(); err != nil {
		return false, fmt.Errorf("soft: %w", err)
	}
	s := shape{f.Format, f.Width, f.Height, f.Color.Resolve(f.Format, f.Width, f.Height), f.SAR, f.Orientation, t.width, t.height, t.packing}
	if s != p.shape {
		p.shape = shape{}
		if err := t.check(); err != nil {
			return false, err
		}
		if err := p.configure(f, s); err != nil {
			return false, err
		}
		p.shape = s
		newMemory = true
	}
	if newMemory {
		p.border(t)
	}
	p.src.begin(f)
	if p.direct {
		err = p.src.rows(t.row(p.at.y)[4*p.at.x:], t.stride, 0, f.Height)
	} else {
		err = p.scale(t)
	}
	p.src.end()
	if err != nil {
		err = fmt.Errorf("soft: draw a frame of %dx%d %v: %w", f.Width, f.Height, f.Format, err)
	}
	return newMemory, err
}

// border paints what the picture leaves of the target.
func (p *painter) border(t *target) {
	a := p.at
	fill(t, rect{0, 0, t.width, a.y})
	fill(t, rect{0, a.y + a.h, t.width, t.height - a.y - a.h})
	fill(t, rect{0, a.y, a.x, a.h})
	fill(t, rect{a.x + a.w, a.y, t.width - a.x - a.w, a.h})
}

func (p *painter) configure(f *media.Frame, s shape) error {
	if err := p.src.configure(s.format, s.width, s.height, s.color, s.packing, p.chroma); err != nil {
		return err
	}
	p.turn = turnOf(s.orientation)
	w, h := f.DisplaySize()
	firstX, firstY := 0, 0
	if p.filter == FilterNone {
		w, h = media.DisplaySize(f.Width, f.Height, media.Rational{}, f.Orientation)
		p.at = rect{w: min(w, s.tw), h: min(h, s.th)}
		p.at.x, p.at.y = (s.tw-p.at.w)/2, (s.th-p.at.h)/2
	} else {
		p.at = fit(w, h, s.tw, s.th)
	}
	p.sw, p.sh = p.at.w, p.at.h
	if p.turn.transpose {
		p.sw, p.sh = p.sh, p.sw
	}
	if p.filter == FilterNone {
		firstX, firstY = (f.Width-p.sw)/2, (f.Height-p.sh)/2
	}
	p.across, p.down = make(axis, p.sw), make(axis, p.sh)
	p.across.build(p.filter, f.Width, firstX, p.turn.revX)
	// Rows are written in the order of the target's rows, or of its columns from the side
	// where the first one goes.
	p.down.build(p.filter, f.Height, firstY, false)
	p.hpass = p.across.pass(f.Width)
	vpass := p.down.pass(f.Height)
	p.direct = p.hpass == passCopy && vpass == passCopy && !p.turn.revY && !p.turn.transpose
	if p.direct {
		p.raw, p.mixed, p.scaled, p.band = nil, nil, [2][]byte{}, nil
		return nil
	}
	p.firstDown = p.cheaperDown(vpass, f.Width, f.Height)
	p.chunk = 3
	if f.Height > 3*p.sh {
		p.chunk = 1 // most rows are not looked at
	}
	p.rawStride = 4 * f.Width
	p.raw = make([]byte, 2<<p.chunk*p.rawStride+sample)
	p.mixed = make([]byte, p.rawStride+sample)
	p.acrossMap = resample.NewMap(p.across)
	for i := range p.scaled {
		p.scaled[i] = make([]byte, 4*p.sw)
	}
	p.band = nil
	if p.turn.transpose {
		p.band = make([]byte, bandRows*(4*p.sw+bandPad))
	}
	return nil
}

// cheaperDown reports whether blending rows before scaling them across costs less than
// the other way round, where rows are shared but blended at their scaled length.
func (p *painter) cheaperDown(vpass pass, w, h int) bool {
	if p.hpass == passCopy {
		return true
	}
	// Tenths of ns a pixel, measured.
	const blendCost, copyCost, interpCost, pickCost = 1, 1, 5, 12
	across, down := pickCost, copyCost
	if p.hpass == passInterp {
		across = interpCost
	}
	blended, used := 0, min(h, p.sh)
	if vpass == passInterp {
		blended, down, used = blendCost, blendCost, min(h, 2*p.sh)
	}
	return p.sh*(w*blended+p.sw*across) <= used*p.sw*across+p.sh*p.sw*down
}

// scale draws by way of the scratch rows.
func (p *painter) scale(t *target) error {
	p.rawTag, p.scaledTag = [2]int{-1, -1}, [2]int{-1, -1}
	if p.turn.transpose {
		return p.scaleTurned(t)
	}
	for j := range p.sh {
		y := p.at.y + j
		if p.turn.revY {
			y = p.at.y + p.sh - 1 - j
		}
		if err := p.line(t.row(y)[4*p.at.x:][:4*p.sw], j); err != nil {
			return err
		}
	}
	return nil
}

// scaleTurned writes rows as columns.
func (p *painter) scaleTurned(t *target) error {
	stride := 4*p.sw + bandPad
	for j := 0; j < p.sh; j += bandRows {
		n := min(bandRows, p.sh-j)
		for i := range n {
			if err := p.line(p.band[i*stride:][:4*p.sw], j+i); err != nil {
				return err
			}
		}
		x := p.at.x + j
		if p.turn.revY {
			x = p.at.x + p.sh - j - n
		}
		columns(t.row(p.at.y)[4*x:], t.stride, p.band, stride, p.sw, n, p.turn.revY)
	}
	return nil
}

// line makes row j of the scaled picture.
func (p *painter) line(dst []byte, j int) error {
	y, f := int(p.down[j]>>8), uint8(p.down[j])
	if p.firstDown {
		a, err := p.decoded(y)
		if err != nil {
			return err
		}
		if f != 0 {
			b, err := p.decoded(y + 1)
			if err != nil {
				return err
			}
			if p.hpass == passCopy {
				resample.Blend(dst, a[:p.rawStride], b[:p.rawStride], f)
				return nil
			}
			resample.Blend(p.mixed, a, b, f)
			a = p.mixed
		}
		p.acrossRow(dst, a)
		return nil
	}
	a, err := p.scaledRow(y)
	if err != nil {
		return err
	}
	if f == 0 {
		copy(dst, a)
		return nil
	}
	b, err := p.scaledRow(y + 1)
	if err != nil {
		return err
	}
	resample.Blend(dst, a, b, f)
	return nil
}

func (p *painter) acrossRow(dst, src []byte) {
	switch p.hpass {
	case passCopy:
		copy(dst, src[:p.rawStride])
	case passPick:
		pick(dst, src, p.across)
	default:
		resample.Across(dst, src, &p.acrossMap)
	}
}

// scaledRow returns decoded row y scaled across.
func (p *painter) scaledRow(y int) ([]byte, error) {
	i := y & 1
	if p.scaledTag[i] != y {
		a, err := p.decoded(y)
		if err != nil {
			return nil, err
		}
		p.acrossRow(p.scaled[i], a)
		p.scaledTag[i] = y
	}
	return p.scaled[i], nil
}

// sample is the bytes of a sample: interpolating reads one after a row's last.
const sample = 4

// decoded returns row y as RGB, and a sample after it.
func (p *painter) decoded(y int) ([]byte, error) {
	c := y >> p.chunk
	base := (c & 1) << p.chunk
	if p.rawTag[c&1] != c {
		from := c << p.chunk
		to := min(from+1<<p.chunk, p.shape.height)
		if err := p.src.rows(p.raw[base*p.rawStride:], p.rawStride, from, to); err != nil {
			return nil, err
		}
		p.rawTag[c&1] = c
	}
	return p.raw[(base+y-c<<p.chunk)*p.rawStride:][:p.rawStride+sample], nil
}
