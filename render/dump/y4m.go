package dump

import (
	"fmt"

	"github.com/scanout-av/scanout/media"
)

// Y4M writes frames as YUV4MPEG2. Semi-planar and packed 4:2:2 pictures are written
// planar, samples unchanged.
//
// Concurrency: one goroutine.
type Y4M struct {
	sink
	format media.PixelFormat // of the first frame
	row    []byte            // one plane's row, deinterleaved
}

// NewY4M creates the output.
func NewY4M(cfg Config) (*Y4M, error) {
	s := &Y4M{}
	if err := s.open("y4m", cfg); err != nil {
		return nil, err
	}
	return s, nil
}

// Present writes sc.Frame. A repeated frame is written once.
// Ownership: takes sc.Frame, even on error.
// Errors: media.ErrNotSupported for RGB, media.ErrFormatChanged when the size or the format changes: a
// Y4M stream has one of each.
func (s *Y4M) Present(sc *media.Scheduled) error {
	err := s.present(sc)
	sc.Frame.Release()
	return err
}

func (s *Y4M) present(sc *media.Scheduled) error {
	f := sc.Frame
	if s.err == nil && !s.closed && f.Format.Info().RGB {
		return fmt.Errorf("dump: %s: %v has no luma and chroma (use png: for RGB): %w", s.name, f.Format, media.ErrNotSupported)
	}
	first := s.w0 == 0
	if err := s.begin(f); err != nil || sc.Repeat {
		return err
	}
	if first {
		s.header(f)
		s.format = f.Format
		s.row = make([]byte, (f.Width+1)*2)
	}
	if f.Width != s.w0 || f.Height != s.h0 || f.Format != s.format {
		return fmt.Errorf("dump: %s holds %dx%d %v, a frame of %dx%d %v came: %w",
			s.name, s.w0, s.h0, s.format, f.Width, f.Height, f.Format, media.ErrFormatChanged)
	}
	s.w.WriteString("FRAME\n")
	d := f.Format.Info()
	copies := 0
	for c := range 3 {
		if c > 0 && d.Planes == 1 && d.Components[0] == 1 {
			break // gray
		}
		copies += s.component(f, d, c)
	}
	if err := s.failed(s.w.Flush()); err != nil {
		return err
	}
	s.report(sc, copies)
	return nil
}

// component writes Y, U or V and returns 1 when it had to be taken apart on the way.
func (s *Y4M) component(f *media.Frame, d *media.FormatInfo, c int) int {
	plane, offset, step := c, 0, 1
	switch {
	case d.Components[0] == 2: // YUYV, UYVY
		plane = 0
		offset, step = [3]int{0, 1, 3}[c], [3]int{2, 4, 4}[c]
		if f.Format == media.UYVY {
			offset = [3]int{1, 0, 2}[c]
		}
	case d.Planes == 2 && c > 0:
		plane, offset, step = 1, c-1, 2
		if f.Format == media.NV21 {
			offset = 2 - c
		}
	}
	pl := &f.Planes[plane]
	w, h := f.Width, f.Height
	if c > 0 {
		w, h = (w+1<<d.ChromaX-1)>>d.ChromaX, (h+1<<d.ChromaY-1)>>d.ChromaY
	}
	n := w * d.SampleBytes
	if step == 1 && d.Shift == 0 {
		if pl.Stride == n {
			s.w.Write(pl.Data[:n*h])
			return 0
		}
		for y := range h {
			s.w.Write(pl.Data[y*pl.Stride:][:n])
		}
		return 0
	}
	for y := range h {
		src := pl.Data[y*pl.Stride:]
		if d.SampleBytes == 1 {
			for x := range w {
				s.row[x] = src[offset+x*step]
			}
		} else {
			for x := range w {
				i := (offset + x*step) * 2
				v := (uint16(src[i]) | uint16(src[i+1])<<8) >> d.Shift
				s.row[2*x], s.row[2*x+1] = byte(v), byte(v>>8)
			}
		}
		s.w.Write(s.row[:n])
	}
	return 1
}

// header writes the stream header with the tags that FFmpeg writes.
func (s *Y4M) header(f *media.Frame) {
	d := f.Format.Info()
	var space string
	switch {
	case d.Planes == 1 && d.Components[0] == 1:
		space = "mono"
		if d.BitDepth > 8 {
			space = fmt.Sprintf("mono%d XYSCSS=MONO%d", d.BitDepth, d.BitDepth)
		}
	default:
		sub := [3]string{"444", "422", "420"}[d.ChromaX+d.ChromaY]
		switch {
		case d.BitDepth > 8:
			space = fmt.Sprintf("%sp%d XYSCSS=%sP%d", sub, d.BitDepth, sub, d.BitDepth)
		case sub != "420":
			space = fmt.Sprintf("%s XYSCSS=%s", sub, sub)
		case f.Color.Chroma == media.ChromaTopLeft:
			space = "420paldv XYSCSS=420PALDV"
		case f.Color.Chroma == media.ChromaCenter:
			space = "420jpeg XYSCSS=420JPEG"
		default:
			space = "420mpeg2 XYSCSS=420MPEG2"
		}
	}
	rate, sar := s.rate(f), f.SAR.Reduce()
	if !rate.Valid() {
		rate = media.Rational{Num: 25, Den: 1}
	}
	if !sar.Valid() {
		sar = media.Rational{}
	}
	colorRange := ""
	switch f.Color.Range {
	case media.RangeFull:
		colorRange = " XCOLORRANGE=FULL"
	case media.RangeLimited:
		colorRange = " XCOLORRANGE=LIMITED"
	}
	fmt.Fprintf(s.w, "YUV4MPEG2 W%d H%d F%d:%d Ip A%d:%d C%s%s\n", f.Width, f.Height, rate.Num, rate.Den, sar.Num, sar.Den, space, colorRange)
}
