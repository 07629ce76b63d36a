package libav

import "github.com/scanout-av/scanout/internal/dl"

// Frame is the address of an AVFrame.
type Frame uintptr

// Kinds of frame side data. Source: libavutil/frame.h.
const frameDisplayMatrix = 6

const frameFlagKey = 2

// FrameProps is what an AVFrame says. Codes of colour are FFmpeg's, which are H.273's.
type FrameProps struct {
	Data     [4]uintptr
	Linesize [4]int32
	Width    int32
	Height   int32
	Format   int32 // AVPixelFormat or AVSampleFormat

	SARNum, SARDen                                 int32
	Range, Primaries, Transfer, Matrix, ChromaSite int32

	PTS      int64 // best effort
	Duration int64 // 0 when not known
	Key      bool
	SideData int32 // number of pieces

	Samples, SampleRate, Channels int32
	ExtendedData                  uintptr // array of plane addresses
	ChannelLayout                 uintptr // address of the frame's AVChannelLayout
}

// NewFrame allocates an empty frame, 0 when memory is out.
func (c *Calls) NewFrame() Frame { return Frame(c.c.Call(c.fn.frameAlloc)) }

// UnrefFrame drops f's memory; f stays usable.
func (c *Calls) UnrefFrame(f Frame) { c.c.Call(c.fn.frameUnref, uintptr(f)) }

// FreeFrame frees f and drops its memory.
func (c *Calls) FreeFrame(f Frame) {
	c.out[0] = uint64(f)
	c.c.Call(c.fn.frameFree, c.addr(0))
}

// PictureProps reads what a picture has.
func (l *Lib) PictureProps(f Frame, v *FrameProps) {
	a, o := uintptr(f), l.o
	for i := range v.Data {
		v.Data[i] = dl.Load[uintptr](a, o.frameData+8*uintptr(i))
		v.Linesize[i] = dl.Load[int32](a, o.frameLinesize+4*uintptr(i))
	}
	v.Width = dl.Load[int32](a, o.frameWidth)
	v.Height = dl.Load[int32](a, o.frameHeight)
	v.Format = dl.Load[int32](a, o.frameFormat)
	v.SARNum = dl.Load[int32](a, o.frameSampleAspectRatio)
	v.SARDen = dl.Load[int32](a, o.frameSampleAspectRatio+4)
	v.Range = dl.Load[int32](a, o.frameColorRange)
	v.Primaries = dl.Load[int32](a, o.frameColorPrimaries)
	v.Transfer = dl.Load[int32](a, o.frameColorTrc)
	v.Matrix = dl.Load[int32](a, o.frameColorspace)
	v.ChromaSite = dl.Load[int32](a, o.frameChromaLocation)
	v.SideData = dl.Load[int32](a, o.frameNbSideData)
	v.PTS = dl.Load[int64](a, o.frameBestEffortTimestamp)
	if o.frameDuration != none {
		v.Duration = dl.Load[int64](a, o.frameDuration)
	} else {
		v.Duration = dl.Load[int64](a, o.framePktDuration)
	}
	if o.frameKeyFrame != none {
		v.Key = dl.Load[int32](a, o.frameKeyFrame) != 0
	} else {
		v.Key = dl.Load[int32](a, o.frameFlags)&frameFlagKey != 0
	}
}

// SoundProps reads what a block of sound has.
func (l *Lib) SoundProps(f Frame, v *FrameProps) {
	a, o := uintptr(f), l.o
	v.Format = dl.Load[int32](a, o.frameFormat)
	v.PTS = dl.Load[int64](a, o.frameBestEffortTimestamp)
	v.Samples = dl.Load[int32](a, o.frameNbSamples)
	v.SampleRate = dl.Load[int32](a, o.frameSampleRate)
	v.ExtendedData = dl.Load[uintptr](a, o.frameExtendedData)
	v.ChannelLayout = a + o.frameChLayout
	v.Channels = dl.Load[int32](v.ChannelLayout, o.channelLayoutNbChannels)
}

// DisplayMatrix reads the display matrix that came with f.
func (c *Calls) DisplayMatrix(f Frame, m *[9]int32) bool {
	sd := c.c.Call(c.fn.frameGetSideData, uintptr(f), frameDisplayMatrix)
	if sd == 0 || dl.Load[uintptr](sd, c.o.frameSideDataSize) < 36 {
		return false
	}
	*m = dl.Load[[9]int32](dl.Load[uintptr](sd, c.o.frameSideDataData), 0)
	return true
}

// Describe makes the empty frame f a w×h picture without memory.
func (l *Lib) Describe(f Frame, format, w, h int32) {
	a := uintptr(f)
	dl.Store(a, l.o.frameFormat, format)
	dl.Store(a, l.o.frameWidth, w)
	dl.Store(a, l.o.frameHeight, h)
}

// AllocFrame gives a described frame memory of FFmpeg's own.
func (c *Calls) AllocFrame(f Frame) error {
	return check(c.c.Call(c.fn.frameGetBuffer, uintptr(f), 64))
}

// CopyPicture copies the planes of src, of which v was read, to dst of the same format
// and size. Rows of src may run upwards; those of dst run downwards.
func (c *Calls) CopyPicture(dst, src Frame, v *FrameProps) {
	a := uintptr(src)
	c.c.Call(c.fn.imageCopy, uintptr(dst)+c.o.frameData, uintptr(dst)+c.o.frameLinesize,
		a+c.o.frameData, a+c.o.frameLinesize, uintptr(v.Format), uintptr(v.Width), uintptr(v.Height))
}

// PixelFormat returns the AVPixelFormat of a name, −1 when there is none.
func (l *Lib) PixelFormat(name string) int32 {
	return int32(l.withStrings(l.fn.getPixFmt, []uintptr{hole}, name))
}

// PixelFormatName returns the name of an AVPixelFormat, "" when there is none.
func (l *Lib) PixelFormatName(format int32) string {
	return dl.GoString(dl.Call(l.fn.getPixFmtName, uintptr(format)))
}

// ClosestPixelFormat returns which of list loses least of format; alpha does not count.
func (l *Lib) ClosestPixelFormat(list []int32, format int32) int32 {
	z := append(append([]int32{}, list...), -1)
	return int32(dl.Call(l.fn.findBestPixFmt, dl.Addr(&z[0]), uintptr(format), 0, 0))
}
