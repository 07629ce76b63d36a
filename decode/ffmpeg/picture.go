package ffmpeg

import (
	"fmt"

	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

// formats lists what every AVPixelFormat is here, and the AVPixelFormats that others can
// be converted to.
func formats(lib *libav.Lib) (byNumber []pixelFormat, targets []int32) {
	for i := int32(0); ; i++ {
		name := lib.PixelFormatName(i)
		if name == "" {
			break
		}
		f, full := libav.MediaFormat(name)
		byNumber = append(byNumber, pixelFormat{f, full})
	}
	for _, f := range media.PixelFormats() {
		if n := lib.PixelFormat(f.String()); n >= 0 {
			targets = append(targets, n)
		}
	}
	return byNumber, targets
}

func lookup(formats []pixelFormat, f int32) pixelFormat {
	if f < 0 || int(f) >= len(formats) {
		return pixelFormat{}
	}
	return formats[f]
}

// finish turns the picture that the decoder left in shell into a frame. It takes d.next.
func (d *Video) finish(shell *media.Frame) (*media.Frame, error) {
	v := &d.props
	d.lib.PictureProps(libav.Frame(shell.Native), v)
	d.next = nil
	pf := lookup(d.formats, v.Format)
	up := v.Linesize[0] < 0 || v.Linesize[1] < 0 || v.Linesize[2] < 0
	color := libav.Color(v.Primaries, v.Transfer, v.Matrix, v.Range, v.ChromaSite)
	if pf.full {
		color.Range = media.RangeFull
	}
	orientation := d.cfg.Stream.Orientation
	if v.SideData > 0 {
		var m [9]int32
		if d.calls.DisplayMatrix(libav.Frame(shell.Native), &m) {
			orientation = libav.Orientation(&m)
		}
	}
	pts := d.timestamp(v)
	duration := d.frameTime
	if v.Duration > 0 {
		duration = media.Timestamp(v.Duration)
	}
	if pf.format == media.FormatUnknown || up {
		to, err := d.convert(shell, pf.format, color.Range)
		if err != nil {
			d.shells.put(shell)
			return nil, err
		}
		shell = to
		d.lib.PictureProps(libav.Frame(shell.Native), v)
		pf = lookup(d.formats, v.Format)
		d.copies.Add(1)
	}
	f := shell
	f.Format = pf.format
	f.Width, f.Height = int(v.Width), int(v.Height)
	f.Color = color
	f.SAR = d.aspect(libav.Rational(v.SARNum, v.SARDen))
	f.Orientation = orientation
	f.PTS, f.Duration, f.Timebase = pts, duration, d.cfg.Stream.Timebase
	f.Serial = d.serial
	f.Key = v.Key
	f.Received, f.Assembled, f.Decoded = 0, 0, 0
	for i := range d.stamps {
		if s := &d.stamps[i]; s.received != 0 && s.pts == media.Timestamp(v.PTS) {
			f.Received, f.Assembled = s.received, s.assembled
			break
		}
	}
	if d.cfg.Now != nil {
		f.Decoded = d.cfg.Now()
	}
	d.place(f)
	if err := f.Check(); err != nil {
		d.shells.put(f)
		return nil, fmt.Errorf("ffmpeg: %w", err)
	}
	f.Arm(d.shells)
	return f, nil
}

// place points the planes at where the decoder put them.
func (d *Video) place(f *media.Frame) {
	v := &d.props
	f.Slot = -1
	n := f.Format.Info().Planes
	inPool := n > 0
	for i := range f.Planes {
		if i >= n {
			f.Planes[i] = media.Plane{Offset: -1}
			continue
		}
		rowBytes, rows := f.Format.PlaneSize(i, f.Width, f.Height)
		stride := int(v.Linesize[i])
		size := (rows-1)*stride + rowBytes
		off := v.Data[i] - d.base // wraps around below the mapping
		if v.Data[i] != 0 && off < uintptr(len(d.mapping)) && size <= len(d.mapping)-int(off) {
			f.Planes[i] = media.Plane{Data: d.mapping[off : int(off)+size : int(off)+size], Stride: stride, Offset: int64(off)}
			continue
		}
		inPool = false
		f.Planes[i] = media.Plane{Data: libav.Bytes(v.Data[i], size), Stride: stride, Offset: -1}
	}
	if inPool {
		f.Slot = int32(f.Planes[0].Offset / int64(d.cfg.Pool.SlotBytes()))
		return
	}
	d.fallbacks.Add(1)
	d.cfg.Pool.CountFallback()
}

// timestamp returns a picture's timestamp, or continues from the one before.
func (d *Video) timestamp(v *libav.FrameProps) media.Timestamp {
	pts := media.Timestamp(v.PTS)
	if !pts.Valid() {
		step := d.frameTime
		if v.Duration > 0 {
			step = media.Timestamp(v.Duration)
		}
		switch {
		case !d.lastPTS.Valid():
			pts = max(d.cfg.Stream.Start, 0) // NoTimestamp is the least
		case step.Valid():
			pts = d.lastPTS + step
		}
	}
	d.lastPTS = pts
	return pts
}

// aspect prefers what the container says, as other players do, until the bitstream
// changes its mind.
func (d *Video) aspect(own media.Rational) media.Rational {
	if d.frames.Load() == 0 {
		d.firstSAR = own
	}
	if d.cfg.Stream.SAR.Valid() && own == d.firstSAR || !own.Valid() {
		return d.cfg.Stream.SAR
	}
	return own
}

// scaler is the conversion of one format and size.
type scaler struct {
	s                      libav.Scaler
	w, h, from, to, matrix int32
	full                   bool
}

func (s *scaler) close(lib *libav.Lib) {
	if s.s != 0 {
		lib.FreeScaler(s.s)
	}
	*s = scaler{}
}

// convert copies the picture in src, of which d.props was read, into a shell of a format
// that package media knows, and gives src back.
func (d *Video) convert(src *media.Frame, known media.PixelFormat, rng media.Range) (*media.Frame, error) {
	v := &d.props
	to := v.Format
	if known == media.FormatUnknown {
		want := scaler{0, v.Width, v.Height, v.Format, d.scale.to, v.Matrix, rng == media.RangeFull}
		if have := d.scale; have.s == 0 || have.w != want.w || have.h != want.h || have.from != want.from ||
			have.matrix != want.matrix || have.full != want.full {
			d.scale.close(d.lib)
			want.to = d.lib.ClosestPixelFormat(d.targets, v.Format)
			var err error
			want.s, err = d.lib.NewScaler(want.w, want.h, want.from, want.to, want.matrix, want.full)
			if err != nil {
				return nil, fmt.Errorf("ffmpeg: pictures are %s, which needs converting, and %s: %w",
					d.lib.PixelFormatName(v.Format), d.scaleReason(), media.ErrNotSupported)
			}
			d.scale = want
		}
		to = d.scale.to
	}
	dst := d.shells.get()
	if dst == nil {
		return nil, fmt.Errorf("ffmpeg: %w", libav.ErrNoMemory)
	}
	a, b := libav.Frame(dst.Native), libav.Frame(src.Native)
	d.lib.Describe(a, to, v.Width, v.Height)
	if !d.alloc.Alloc(d.ctx, a) {
		if err := d.calls.AllocFrame(a); err != nil {
			d.shells.put(dst)
			return nil, fmt.Errorf("ffmpeg: %w", err)
		}
	}
	if known != media.FormatUnknown {
		d.calls.CopyPicture(a, b, v)
	} else if err := d.calls.Scale(d.scale.s, a, b, v.Height); err != nil {
		d.shells.put(dst)
		return nil, fmt.Errorf("ffmpeg: convert %s: %w", d.lib.PixelFormatName(v.Format), err)
	}
	d.shells.put(src)
	return dst, nil
}

func (d *Video) scaleReason() string {
	if d.lib.Scale {
		return "libswscale cannot"
	}
	return "libswscale is missing (apt-get install libswscale6, or the one of your FFmpeg)"
}
