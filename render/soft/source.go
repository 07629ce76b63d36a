package soft

import (
	"fmt"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/yuv"
)

// source yields rows of a frame as RGBA or BGRA at the decoded size.
type source struct {
	way     way
	conv    *yuv.Converter
	pic     yuv.Picture
	neutral []byte // a row of chroma without colour, for grey
	general general
	f       *media.Frame
}

// way is how a source converts.
type way uint8

const (
	wayYUV     way = iota // package yuv has the layout
	wayRow                // 4:2:2, given to package yuv as 4:2:0 row by row
	wayGray               // grey, given to package yuv with chroma without colour
	wayRGB                // RGB
	wayGeneral            // anything else
	wayExact              // anything else, chroma between its samples
)

// layouts are the ways of package yuv. Formats that are missing here go the general way.
var layouts = [...]struct {
	way    way
	layout yuv.Layout
	ok     bool
}{
	media.Gray8:  {wayGray, yuv.I420, true},
	media.Gray10: {wayGray, yuv.I010, true},
	media.I420:   {wayYUV, yuv.I420, true},
	media.I422:   {wayYUV, yuv.I422, true},
	media.I444:   {wayYUV, yuv.I444, true},
	media.I010:   {wayYUV, yuv.I010, true},
	media.I210:   {wayRow, yuv.I010, true},
	media.NV12:   {wayYUV, yuv.NV12, true},
	media.NV21:   {wayYUV, yuv.NV21, true},
	media.NV16:   {wayRow, yuv.NV12, true},
	media.P010:   {wayYUV, yuv.P010, true},
	media.P210:   {wayRow, yuv.P010, true},
	media.YUYV:   {wayYUV, yuv.YUY2, true},
	media.UYVY:   {wayYUV, yuv.UYVY, true},
}

// matrices that package yuv knows.
func matrix(m media.Matrix) (yuv.Matrix, bool) {
	switch m {
	case media.MatrixBT709:
		return yuv.BT709, true
	case media.MatrixBT601, media.MatrixBT470BG:
		return yuv.BT601, true
	case media.MatrixBT2020:
		return yuv.BT2020, true
	}
	return 0, false
}

// chromaOf is where package yuv has to look for chroma.
func chromaOf(l media.ChromaLocation) yuv.Chroma {
	switch l {
	case media.ChromaCenter:
		return yuv.ChromaCenter
	case media.ChromaTopLeft:
		return yuv.ChromaTopLeft
	case media.ChromaTop:
		return yuv.ChromaTop
	case media.ChromaBottomLeft:
		return yuv.ChromaBottomLeft
	case media.ChromaBottom:
		return yuv.ChromaBottom
	}
	return yuv.ChromaLeft
}

// configure prepares s for frames of format and size w×h in a resolved colour.
func (s *source) configure(format media.PixelFormat, w, h int, c media.Color, to yuv.Packing, chroma Chroma) error {
	*s = source{neutral: s.neutral}
	d := format.Info()
	if d.Planes == 0 {
		return fmt.Errorf("soft: pixel format %v: %w: use a decoder or source that gives one of %v", format, media.ErrNotSupported, media.PixelFormats())
	}
	s.general.configure(format, c, to)
	if d.RGB {
		s.way = wayRGB
		return nil
	}
	s.way = wayGeneral
	m, known := matrix(c.Matrix)
	if int(format) < len(layouts) && layouts[format].ok && (known || d.Planes == 1 && d.Components[0] == 1) {
		l := layouts[format]
		cfg := yuv.Config{Matrix: m, From: l.layout, To: to}
		if c.Range == media.RangeFull {
			cfg.Range = yuv.Full
		}
		if chroma == ChromaBilinear && l.way != wayGray {
			cfg.Chroma = chromaOf(c.Chroma)
		}
		var err error
		if s.conv, err = yuv.New(cfg); err != nil {
			return fmt.Errorf("soft: convert %v: %w", format, err)
		}
		s.way = l.way
	} else if chroma == ChromaBilinear && d.ChromaX > 0 {
		s.way = wayExact
	}
	s.pic.Width, s.pic.Height = w, h
	if s.way == wayGray {
		s.makeNeutral(d, w)
	}
	return nil
}

func (s *source) makeNeutral(d *media.FormatInfo, w int) {
	n := (w + 1) / 2 * d.SampleBytes
	s.neutral = make([]byte, n)
	for i := range s.neutral {
		switch {
		case d.SampleBytes == 1:
			s.neutral[i] = 128
		case i&1 == 1:
			s.neutral[i] = byte(uint(1) << (d.BitDepth - 9)) // 1 << (BitDepth−1), its high byte
		}
	}
	for p := 1; p < 3; p++ {
		s.pic.Planes[p], s.pic.Stride[p] = s.neutral, n
	}
}

// begin takes up frame f, which the caller has checked.
func (s *source) begin(f *media.Frame) {
	s.f = f
	if s.way == wayYUV {
		for p := range 3 {
			s.pic.Planes[p], s.pic.Stride[p] = f.Planes[p].Data, f.Planes[p].Stride
		}
	}
}

// end lets go of the frame.
func (s *source) end() {
	s.f = nil
	n := 3
	if s.way == wayGray {
		n = 1 // the others are the source's own
	}
	for p := range n {
		s.pic.Planes[p] = nil
	}
}

// rows converts rows from ≤ y < to into dst, row from first. from is even.
func (s *source) rows(dst []byte, stride, from, to int) error {
	switch s.way {
	case wayYUV:
		return s.conv.Convert(dst, stride, &s.pic, from, to)
	case wayRow:
		return s.each(dst, stride, from, to, 1)
	case wayGray:
		return s.each(dst, stride, from, to, 2)
	case wayRGB:
		for y := from; y < to; y++ {
			s.general.rgbRow(dst[(y-from)*stride:], s.f.Planes[0].Data[y*s.f.Planes[0].Stride:], s.f.Width)
		}
	case wayExact:
		for y := from; y < to; y++ {
			s.general.chromaRow(dst[(y-from)*stride:], s.f, y)
		}
	default:
		for y := from; y < to; y++ {
			s.general.row(dst[(y-from)*stride:], s.f, y)
		}
	}
	return nil
}

// each converts n rows at a time as a picture of their own, whose rows share chroma.
func (s *source) each(dst []byte, stride, from, to, n int) error {
	planes := 1
	if s.way == wayRow {
		planes = s.f.Format.Info().Planes
	}
	for y := from; y < to; y += n {
		s.pic.Height = min(n, to-y)
		for p := range planes {
			pl := &s.f.Planes[p]
			s.pic.Planes[p], s.pic.Stride[p] = pl.Data[y*pl.Stride:], pl.Stride
		}
		if err := s.conv.Convert(dst[(y-from)*stride:], stride, &s.pic, 0, s.pic.Height); err != nil {
			return err
		}
	}
	return nil
}
