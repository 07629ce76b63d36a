package yuv

import (
	"fmt"
	"unsafe"
)

// Converter turns YCbCr pictures into RGB.
// Concurrency: any number of goroutines at once; it is never written after New.
type Converter struct {
	cfg     Config
	variant Variant
	g       geometry
	swap    bool // B first: the model is swapped and chroma is exchanged
	m       model
	t       *tables // 8-bit layouts
	m64     model64 // RGBA64
	// Byte offsets of the first Y, U and V sample in their planes.
	yo, uo, vo int
	steps      []step // the vector kernels, widest first
	near, far  int    // bytes of a destination that is not asked for ahead; beyond which rows go one by one
	between    between
}

// consts are a kernel's constants: vectors of up to 64 bytes.
type consts [constVectors][64]byte

// kernel converts n pixels of two rows (or of one: d1 and y1 are then ignored). n is a
// multiple of its step's block.
type kernel func(d0, d1, y0, y1, u, v *byte, n int, k *byte)

// step is a kernel with its siblings and the pixels that it takes at a time.
type step struct {
	run, nt  kernel
	near     kernel // does not ask for the destination ahead
	row      kernel // for what goes to memory row by row
	block    int
	rows     int  // 1 when the kernel never takes a second row
	rowAlone bool // row takes one row where run takes two
	k        *consts
}

// New returns a converter for cfg.
// Errors: ErrNotSupported for values that are not defined, RGBA64 from 8 bits or with
// interpolated chroma, and a variant that cannot run here.
func New(cfg Config) (*Converter, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return newConverter(cfg)
}

// newConverter is New with a variant that may be none of this CPU's.
func newConverter(cfg Config) (*Converter, error) {
	c := &Converter{cfg: cfg, variant: cfg.Variant, g: cfg.From.geometry(), swap: cfg.To == BGRA || cfg.To == BGR24, near: nearBytes(), far: farBytes()}
	if c.variant == Auto {
		c.variant = best()
	}
	if cfg.To == RGBA64 {
		if c.g.bits == 8 {
			return nil, fmt.Errorf("yuv: %v to %v: RGBA64 is for 10-bit layouts: %w", cfg.From, cfg.To, ErrNotSupported)
		}
		c.m64 = newModel64(cfg.Matrix, cfg.Range)
	}
	c.m = newModel(cfg.Matrix, cfg.Range, c.g.bits)
	if c.swap {
		c.m = c.m.swapped()
	}
	if c.g.bits == 8 {
		c.t = newTables(&c.m)
	}
	switch cfg.From {
	case NV12:
		c.vo = 1
	case NV21:
		c.uo = 1
	case P010:
		c.vo = 2
	case YUY2:
		c.uo, c.vo = 1, 3
	case UYVY:
		c.yo, c.vo = 1, 2
	}
	if c.swap {
		c.uo, c.vo = c.vo, c.uo
	}
	var err error
	if c.between, err = newBetween(c); err != nil {
		return nil, err
	}
	if !c.between.on {
		c.steps = vectorSteps(c)
	}
	return c, nil
}

// Config returns what the converter was made with.
func (c *Converter) Config() Config { return c.cfg }

// Variant returns the implementation in use.
func (c *Converter) Variant() Variant { return c.variant }

// Convert converts rows from ≤ y < to of src. Row from is written to dst[0:], the next
// one to dst[stride:] and so on, so that a band can go to memory of its own; goroutines
// that split one picture pass dst[from*stride:]. Nothing between rows is touched.
//
// Bands of an even number of rows are the fastest. Interpolated chroma comes from beyond
// the band where it has to.
//
// Errors: ErrGeometry, ErrOverlap; nothing is written then. A destination that lies
// between the rows of src counts as overlapping.
// Shape: any alignment; stride ≥ the packing's RowBytes.
func (c *Converter) Convert(dst []byte, stride int, src *Picture, from, to int) error {
	if err := check(c.cfg.From, c.cfg.To, src, dst, stride, from, to); err != nil || from == to {
		return err
	}
	if c.between.on {
		c.convertBetween(dst, stride, src, from, to)
		return nil
	}
	w := src.Width
	rowBytes := c.cfg.To.RowBytes(w)
	nt := c.cfg.NonTemporal && (uintptr(unsafe.Pointer(&dst[0]))|uintptr(stride))&63 == 0
	pu, pv := c.chromaPlanes()
	pairs := c.g.subY == 1 && c.g.kind != kindFull && (len(c.steps) == 0 || c.steps[0].rows == 2)
	// The vector kernels take columns up to done; the scalar code takes the rest.
	s, done := c.step(w)
	var run, last kernel
	whole, again := 0, 0 // columns in whole blocks; where the last block begins
	if s != nil {
		run, last = s.run, s.run
		switch {
		case nt:
			run = s.nt
		case src.Height > c.far/stride:
			run = s.row
			pairs = pairs && !s.rowAlone
		case src.Height <= c.near/stride:
			run, last = s.near, s.near
		}
		whole = w &^ (s.block - 1)
		// What is left of a row goes through the last block that begins on an even
		// column once more: some pixels are written twice, with the same values.
		again = done - s.block
	}
	bpp := c.cfg.To.bytesPerPixel()
	// check has made sure that all of this lies within the slices.
	dp, yp := unsafe.Pointer(&dst[0]), unsafe.Pointer(&src.Planes[0][0])
	up, vp := unsafe.Pointer(&src.Planes[pu][0]), unsafe.Pointer(&src.Planes[pv][0])
	for y := from; y < to; {
		n := 1
		d0, y0 := unsafe.Add(dp, (y-from)*stride), unsafe.Add(yp, y*src.Stride[0])
		cy := y >> c.g.subY
		u, v := unsafe.Add(up, cy*src.Stride[pu]), unsafe.Add(vp, cy*src.Stride[pv])
		// Rows that share chroma go together. One alone is given twice: that writes the
		// same bytes twice, and needs no kernel of its own.
		d1, y1 := d0, y0
		if pairs && y&1 == 0 && y+1 < to {
			n = 2
			d1, y1 = unsafe.Add(d0, stride), unsafe.Add(y0, src.Stride[0])
		}
		if s != nil {
			k := &s.k[0][0]
			run((*byte)(d0), (*byte)(d1), (*byte)(y0), (*byte)(y1), (*byte)(u), (*byte)(v), whole, k)
			if done > whole {
				d, l, uv := again*bpp, again*c.g.ys, again>>c.g.subX*c.g.us
				last((*byte)(unsafe.Add(d0, d)), (*byte)(unsafe.Add(d1, d)), (*byte)(unsafe.Add(y0, l)), (*byte)(unsafe.Add(y1, l)),
					(*byte)(unsafe.Add(u, uv)), (*byte)(unsafe.Add(v, uv)), s.block, k)
			}
		}
		if done < w {
			for i := y; i < y+n; i++ {
				c.scalar(dst[(i-from)*stride:][:rowBytes], src.Planes[0][i*src.Stride[0]:],
					src.Planes[pu][cy*src.Stride[pu]:], src.Planes[pv][cy*src.Stride[pv]:], done, w)
			}
		}
		y += n
	}
	if nt && s != nil {
		storeFence()
	}
	return nil
}

// step returns the widest kernel for rows of w pixels and how many columns it converts:
// all, or all but the last one, or none.
func (c *Converter) step(w int) (s *step, done int) {
	for i := range c.steps {
		s := &c.steps[i]
		if w >= s.block {
			return s, max(w&^(s.block-1), (w-s.block)&^1+s.block)
		}
	}
	return nil, 0
}
