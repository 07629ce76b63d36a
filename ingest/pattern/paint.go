package pattern

import (
	"math"
	"strconv"

	"github.com/scanout-av/scanout/media"
)

const (
	timecodeLen  = 12 // HH:MM:SS:FFF
	numberLen    = 8
	labelColumns = 12
	labelLines   = 3
)

// painter holds what all frames of a configuration share.
type painter struct {
	layout
	pal                             palette
	white, black, dark, track, gray ycc
	labels                          [2][labelLines]string
	// still is the background as it was first painted: other slots get a copy, because
	// painting takes about 6 ms at 1080p, most of a frame's time at 120 Hz.
	still [4]media.Plane
}

// painted is what a slot's memory shows, so that only the difference is painted.
type painted struct {
	ok         bool
	generation uint32
	data       *byte // first sample: the slot may be laid out elsewhere next time
	stride     int
	number     uint32
	bar        rect
	flash      bool
	text       [timecodeLen + numberLen]byte
}

func newPainter(c *Config) *painter {
	p := &painter{layout: newLayout(c.Width, c.Height), pal: newPalette(c.Color, c.Format.Info())}
	// The bar crosses in about two seconds, by the same whole number of samples each frame.
	p.step = max(2, even(int(float64(p.layout.track.w)/(2*c.Rate.Float()))))
	p.step = min(p.step, max(2, even((p.layout.track.w-p.barW)/2)))
	p.white, p.black = p.pal.gray(1), p.pal.gray(0)
	p.dark, p.track, p.gray = p.pal.gray(0.18), p.pal.gray(0.08), p.pal.gray(0.5)
	p.labels = [2][labelLines]string{
		{strconv.Itoa(c.Width) + "x" + strconv.Itoa(c.Height), strconv.FormatFloat(math.Round(c.Rate.Float()*1000)/1000, 'f', -1, 64) + " fps", c.Format.String()},
		{c.Color.Matrix.String(), c.Color.Range.String(), c.Color.Chroma.String()},
	}
	return p
}

// background paints everything that doesn't move.
func (p *painter) background(c *canvas) {
	p.bars(c, p.bars75, 0.75, false)
	p.bars(c, p.bars100, 1, true)
	c.columns(p.ramp, func(x int) ycc { return p.pal.gray(float64(x) / float64(p.w-1)) })
	c.columns(p.hue, func(x int) ycc { return p.pal.rgb(hue(float64(x) / float64(p.w))) })
	c.fill(p.middle, p.dark)
	p.zonePlate(c)
	p.paintGratings(c)
	c.fill(rect{0, p.layout.track.y, p.w, p.layout.track.h}, p.track)
	c.fill(p.code, p.black)
	if p.labelScale > 0 {
		for side, lines := range p.labels {
			for i, line := range lines {
				r := p.label[side]
				// The right-hand side is set flush right, as its band ends there.
				x := r.x
				if side == 1 {
					x += r.w - 6*p.labelScale*min(len(line), labelColumns)
				}
				for k := range min(len(line), labelColumns) {
					c.text(x+6*p.labelScale*k, r.y+9*p.labelScale*i+p.labelScale, p.labelScale, line[k], p.gray.y, p.black.y)
				}
			}
		}
	}
	if e := p.edge; e > 0 {
		right, bottom := even(p.w-e), even(p.h-e)
		c.fill(rect{0, 0, p.w, e}, p.white)
		c.fill(rect{0, bottom, p.w, p.h - bottom}, p.white)
		c.fill(rect{0, 0, e, p.h}, p.white)
		c.fill(rect{right, 0, p.w - right, p.h}, p.white)
	}
}

// bars paints eight bars from white to black in falling brightness, or the other way.
func (p *painter) bars(c *canvas, r rect, level float64, reverse bool) {
	if r.empty() {
		return
	}
	for i := range 8 {
		x0, x1 := even(r.w*i/8), even(r.w*(i+1)/8)
		if i == 7 {
			x1 = r.w
		}
		k := 7 - i // bits: green, red, blue
		if reverse {
			k = i
		}
		c.fill(rect{r.x + x0, r.y, x1 - x0, r.h}, p.pal.rgb(
			level*float64(k>>1&1), level*float64(k>>2&1), level*float64(k&1)))
	}
}

// hue returns a colour of the rainbow, t in 0…1, at three quarters of full.
func hue(t float64) (r, g, b float64) {
	channel := func(shift float64) float64 {
		d := math.Abs(math.Mod(6*t+shift, 6) - 3)
		return 0.1 + 0.65*min(max(d-1, 0), 1)
	}
	return channel(0), channel(4), channel(2)
}

// zonePlate paints circles whose frequency rises to one cycle in two samples at the edge:
// whoever scales without filtering shows rings that are not there.
func (p *painter) zonePlate(c *canvas) {
	r := p.zone
	if r.empty() {
		return
	}
	var level [256]uint16
	for i := range level {
		level[i] = p.pal.gray(float64(i) / 255).y
	}
	// Odd multiples of half a sample on both sides of the centre: the plate is symmetric,
	// so only one octant needs a cosine.
	n := r.w / 2
	cx, cy := r.x+n, r.y+n
	k := math.Pi / (2 * float64(n))
	for j := range n {
		for i := range j + 1 {
			x, y := float64(i)+0.5, float64(j)+0.5
			if x*x+y*y > float64(n*n) {
				break // beyond half the sampling rate
			}
			v := level[int(127.5+127.5*math.Cos(k*(x*x+y*y)))]
			for _, d := range [2][2]int{{i, j}, {j, i}} {
				c.put(cx+d[0], cy+d[1], v)
				c.put(cx-1-d[0], cy+d[1], v)
				c.put(cx+d[0], cy-1-d[1], v)
				c.put(cx-1-d[0], cy-1-d[1], v)
			}
		}
	}
}

// paintGratings paints lines one sample wide, upright and level, lines of two samples and
// a checkerboard.
func (p *painter) paintGratings(c *canvas) {
	for k, r := range p.gratings {
		if r.empty() {
			continue
		}
		c.fill(r, p.gray)
		for y := range r.h {
			for x := range r.w {
				on := [4]int{x, y, x / 2, x + y}[k]&1 == 0
				v := p.black.y
				if on {
					v = p.white.y
				}
				c.put(r.x+x, r.y+y, v)
			}
		}
	}
}

// moving paints what differs between the slot's old content and frame n.
func (p *painter) moving(c *canvas, s *painted, n int64, text *[timecodeLen + numberLen]byte, flash bool) {
	if bar := p.bar(n); !s.ok || bar != s.bar {
		if s.ok {
			c.luma(s.bar, p.track.y)
		}
		c.luma(bar, p.white.y)
		s.bar = bar
	}
	if !s.ok || flash != s.flash {
		v := p.black.y
		if flash {
			v = p.white.y
		}
		c.fill(p.flash, ycc{v, p.gray.u, p.gray.v})
		s.flash = flash
	}
	bits := encode(uint32(n))
	changed := bits ^ encode(s.number)
	if !s.ok {
		changed = 1<<(codeCols*codeRows) - 1
	}
	for i := 0; changed<<(16+i) != 0; i++ {
		if at := codeCols*codeRows - 1 - i; changed>>at&1 != 0 {
			v := p.black.y
			if bits>>at&1 != 0 {
				v = p.white.y
			}
			c.luma(p.cell(i), v)
		}
	}
	s.number = uint32(n)
	if scale := p.textScale; scale > 0 {
		for i, r := range text {
			if s.ok && r == s.text[i] {
				continue
			}
			at, k := &p.timecode, i
			if i >= timecodeLen {
				at, k = &p.layout.number, i-timecodeLen
			}
			c.text(at.x+6*scale*k, at.y, scale, r, p.white.y, p.dark.y)
		}
		s.text = *text
	}
	s.ok = true
}

// keep remembers f's background.
func (p *painter) keep(f *media.Frame) {
	for i, pl := range f.Planes {
		p.still[i] = media.Plane{Data: append([]byte(nil), pl.Data...), Stride: pl.Stride}
	}
}

// restore copies the background to f; false when there is none for its layout.
func (p *painter) restore(f *media.Frame) bool {
	if p.still[0].Data == nil {
		return false
	}
	for i := range f.Planes {
		if a, b := &p.still[i], &f.Planes[i]; a.Stride != b.Stride || len(a.Data) != len(b.Data) {
			return false
		}
	}
	for i := range f.Planes {
		copy(f.Planes[i].Data, p.still[i].Data)
	}
	return true
}

// paint makes f show frame n. s is what f's slot showed when we last painted it.
func (p *painter) paint(f *media.Frame, s *painted, n int64, text *[timecodeLen + numberLen]byte, flash bool) {
	c := canvas{f, f.Format.Info()}
	first := &f.Planes[0].Data[0]
	if s.ok {
		// Somebody else may have had the slot: as a frame, which the generation shows, or
		// as bare memory, which has overwritten the code.
		was, err := readCanvas(&c, &p.layout)
		s.ok = err == nil && was == s.number && s.generation+2 == f.Generation() &&
			s.data == first && s.stride == f.Planes[0].Stride
	}
	if !s.ok && !p.restore(f) {
		p.background(&c)
		p.keep(f)
	}
	p.moving(&c, s, n, text, flash)
	s.generation, s.data, s.stride = f.Generation(), first, f.Planes[0].Stride
}
