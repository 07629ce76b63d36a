package dump

import (
	"crypto/md5"
	"fmt"
	"hash"
	"strconv"

	"github.com/scanout-av/scanout/media"
)

// FrameMD5 writes the MD5 of every frame's visible samples, as `ffmpeg -f framemd5` does.
//
// Concurrency: one goroutine.
type FrameMD5 struct {
	sink
	hash hash.Hash
	sum  [md5.Size]byte
	line []byte
	tb   media.Timebase
	next media.Timestamp // for frames without a timestamp
}

// NewFrameMD5 creates the output.
func NewFrameMD5(cfg Config) (*FrameMD5, error) {
	s := &FrameMD5{hash: md5.New(), line: make([]byte, 0, 256)}
	if err := s.open("framemd5", cfg); err != nil {
		return nil, err
	}
	return s, nil
}

// Present writes the line of sc.Frame. A repeated frame is written once.
// Ownership: takes sc.Frame, even on error.
func (s *FrameMD5) Present(sc *media.Scheduled) error {
	err := s.present(sc)
	sc.Frame.Release()
	return err
}

func (s *FrameMD5) present(sc *media.Scheduled) error {
	f := sc.Frame
	first := s.w0 == 0
	if err := s.begin(f); err != nil || sc.Repeat {
		return err
	}
	if first {
		s.header(f)
	}
	s.hash.Reset()
	size := 0
	for p := range f.Format.Info().Planes {
		rb, rows := f.Format.PlaneSize(p, f.Width, f.Height)
		pl := &f.Planes[p]
		size += rb * rows
		if pl.Stride == rb {
			s.hash.Write(pl.Data[:rb*rows])
			continue
		}
		for y := range rows {
			s.hash.Write(pl.Data[y*pl.Stride:][:rb])
		}
	}
	pts, duration := media.Rescale(f.PTS, f.Timebase, s.tb), media.Timestamp(1)
	if !f.PTS.Valid() {
		pts = s.next
	}
	if f.Duration > 0 {
		duration = max(1, media.Rescale(f.Duration, f.Timebase, s.tb))
	}
	s.next = pts + duration
	b := append(s.line[:0], "0, "...)
	b = pad(b, int64(pts), 10)
	b = append(b, ", "...)
	b = pad(b, int64(pts), 10)
	b = append(b, ", "...)
	b = pad(b, int64(duration), 8)
	b = append(b, ", "...)
	b = pad(b, int64(size), 8)
	b = append(b, ", "...)
	for _, v := range s.hash.Sum(s.sum[:0]) {
		const digits = "0123456789abcdef"
		b = append(b, digits[v>>4], digits[v&15])
	}
	b = append(b, '\n')
	s.line = b[:0]
	s.w.Write(b) // bufio keeps the error for Flush
	// Every line at once: somebody may be reading along.
	if err := s.failed(s.w.Flush()); err != nil {
		return err
	}
	s.report(sc, 0)
	return nil
}

// header writes what FFmpeg writes with -bitexact.
func (s *FrameMD5) header(f *media.Frame) {
	r := s.rate(f)
	s.tb = media.Timebase{Num: r.Den, Den: r.Num}
	if !s.tb.Valid() {
		s.tb = media.Nanoseconds
	}
	sar := f.SAR.Reduce()
	if !sar.Valid() {
		sar = media.Rational{Num: 0, Den: 1}
	}
	fmt.Fprintf(s.w, "#format: frame checksums\n#version: 2\n#hash: MD5\n#tb 0: %d/%d\n#media_type 0: video\n#codec_id 0: rawvideo\n"+
		"#dimensions 0: %dx%d\n#sar 0: %d/%d\n#stream#, dts,        pts, duration,     size, hash\n",
		s.tb.Num, s.tb.Den, f.Width, f.Height, sar.Num, sar.Den)
}

// pad appends v right-aligned in width columns.
func pad(b []byte, v int64, width int) []byte {
	var t [20]byte
	d := strconv.AppendInt(t[:0], v, 10)
	for i := len(d); i < width; i++ {
		b = append(b, ' ')
	}
	return append(b, d...)
}
