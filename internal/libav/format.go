package libav

import (
	"runtime"

	"github.com/scanout-av/scanout/internal/dl"
)

// FormatContext is the address of an AVFormatContext.
type FormatContext uintptr

// Source: libavformat/avformat.h, libavcodec/packet.h.
const (
	discardNone = -16
	discardAll  = 48

	DispositionDefault     = 1
	DispositionAttachedPic = 0x400

	contextUnseekable = 2
	SeekBackward      = 1

	packetDisplayMatrix = 5
)

// FormatProps is what an opened AVFormatContext says.
type FormatProps struct {
	Name            string
	Streams         int
	Duration, Start int64 // µs, NoTimestamp when not known
	Unseekable      bool
}

// StreamProps is what an AVStream says.
type StreamProps struct {
	Parameters               Parameters
	Type                     int32
	CodecID                  int32
	Codec, Profile           string
	TimebaseNum, TimebaseDen int32
	Start, Duration          int64
	BitRate                  int64
	Disposition              int32
	Metadata                 map[string]string
	Extra                    []byte // a copy
	Width, Height, Format    int32
	RateNum, RateDen         int32
	SARNum, SARDen           int32
	Range, Primaries         int32
	Transfer, Matrix, Chroma int32
	SampleRate, Channels     int32
	Matrix3x3                [9]int32
	HasMatrix3x3             bool
}

// NewFormatContext allocates a context whose blocking calls end with ErrExit soon after
// in.Stop becomes other than 0.
// Ownership: in must stay referenced until the context is closed.
func (c *Calls) NewFormatContext(in *Interrupt) FormatContext {
	f := c.c.Call(c.fn.formatAlloc)
	if f != 0 {
		dl.Store(f, c.o.formatContextInterruptCallback, interruptCallback())
		dl.Store(f, c.o.formatContextInterruptCallback+8, dl.Addr(in))
	}
	return FormatContext(f)
}

// OpenInput opens url. What options were not used stay in options. What url leads to is
// opened, too, up to a number: see [Interrupt.Circle].
// Ownership: frees ctx on error.
func (c *Calls) OpenInput(ctx FormatContext, in *Interrupt, url string, options Dictionary) error {
	c.out[0] = uint64(ctx)
	done := c.countOpens(ctx, in, url)
	r := c.withStrings(c.fn.openInput, []uintptr{c.addr(0), hole, 0, dl.Addr(options.p)}, url)
	runtime.KeepAlive(options.p)
	err := check(r)
	done(err == nil)
	return err
}

// FindStreamInfo reads ahead until every stream is described.
func (c *Calls) FindStreamInfo(ctx FormatContext) error {
	return check(c.c.Call(c.fn.findStreamInfo, uintptr(ctx), 0))
}

// CloseInput closes and frees ctx.
func (c *Calls) CloseInput(ctx FormatContext) {
	c.out[0] = uint64(ctx)
	c.c.Call(c.fn.closeInput, c.addr(0))
}

// ReadPacket fills p with the next packet.
func (c *Calls) ReadPacket(ctx FormatContext, p Packet) error {
	return check(c.c.Call(c.fn.readFrame, uintptr(ctx), uintptr(p)))
}

// Seek moves to ts of a stream's time base, or of µs for stream −1.
func (c *Calls) Seek(ctx FormatContext, stream int, ts int64, flags int) error {
	return check(c.c.Call(c.fn.seekFrame, uintptr(ctx), uintptr(stream), uintptr(ts), uintptr(flags)))
}

// SetDiscard says whether the demuxer may skip the packets of a stream.
func (l *Lib) SetDiscard(ctx FormatContext, stream int, discard bool) {
	v := int32(discardNone)
	if discard {
		v = discardAll
	}
	dl.Store(l.stream(ctx, stream), l.o.streamDiscard, v)
}

// IOSize returns the size of what ctx reads, negative when it is not known.
func (l *Lib) IOSize(ctx FormatContext) int64 {
	pb := dl.Load[uintptr](uintptr(ctx), l.o.formatContextPb)
	if pb == 0 {
		return -1
	}
	return int64(dl.Call(l.fn.ioSize, pb))
}

// HasProtocol reports whether this FFmpeg speaks a protocol: "srt", "rtmp", "tls".
func (l *Lib) HasProtocol(name string) bool {
	// It is asked for by an address; what does not begin with a known scheme is a file.
	return name != "" && dl.GoString(l.withStrings(l.fn.findProtocol, []uintptr{hole}, name+"://x")) == name
}

// StreamCount returns how many streams have been found so far.
func (l *Lib) StreamCount(ctx FormatContext) int {
	return int(dl.Load[uint32](uintptr(ctx), l.o.formatContextNbStreams))
}

func (l *Lib) stream(ctx FormatContext, i int) uintptr {
	return dl.Load[uintptr](dl.Load[uintptr](uintptr(ctx), l.o.formatContextStreams), uintptr(i)*8)
}

// FormatProps reads ctx.
func (l *Lib) FormatProps(ctx FormatContext) FormatProps {
	a, o := uintptr(ctx), l.o
	p := FormatProps{
		Streams:    l.StreamCount(ctx),
		Duration:   dl.Load[int64](a, o.formatContextDuration),
		Start:      dl.Load[int64](a, o.formatContextStartTime),
		Unseekable: dl.Load[int32](a, o.formatContextCtxFlags)&contextUnseekable != 0,
	}
	if f := dl.Load[uintptr](a, o.formatContextIformat); f != 0 {
		p.Name = dl.GoString(dl.Load[uintptr](f, o.inputFormatName))
	}
	return p
}

// StreamProps reads stream i of ctx.
func (l *Lib) StreamProps(ctx FormatContext, i int) StreamProps {
	s, o := l.stream(ctx, i), l.o
	par := dl.Load[uintptr](s, o.streamCodecpar)
	i32 := func(off uintptr) int32 { return dl.Load[int32](par, off) }
	p := StreamProps{
		Parameters:  Parameters(par),
		Type:        i32(o.codecParametersCodecType),
		CodecID:     i32(o.codecParametersCodecId),
		TimebaseNum: dl.Load[int32](s, o.streamTimeBase),
		TimebaseDen: dl.Load[int32](s, o.streamTimeBase+4),
		Start:       dl.Load[int64](s, o.streamStartTime),
		Duration:    dl.Load[int64](s, o.streamDuration),
		BitRate:     dl.Load[int64](par, o.codecParametersBitRate),
		Disposition: dl.Load[int32](s, o.streamDisposition),
		Metadata:    map[string]string{},
		Width:       i32(o.codecParametersWidth),
		Height:      i32(o.codecParametersHeight),
		Format:      i32(o.codecParametersFormat),
		Range:       i32(o.codecParametersColorRange),
		Primaries:   i32(o.codecParametersColorPrimaries),
		Transfer:    i32(o.codecParametersColorTrc),
		Matrix:      i32(o.codecParametersColorSpace),
		Chroma:      i32(o.codecParametersChromaLocation),
		SampleRate:  i32(o.codecParametersSampleRate),
		Channels:    i32(o.codecParametersChLayout + o.channelLayoutNbChannels),
	}
	p.Codec = l.CodecName(p.CodecID)
	p.Profile = dl.GoString(dl.Call(l.fn.profileName, uintptr(p.CodecID), uintptr(i32(o.codecParametersProfile))))
	p.RateNum, p.RateDen = rational(dl.Call(l.fn.guessFrameRate, uintptr(ctx), s, 0))
	p.SARNum, p.SARDen = rational(dl.Call(l.fn.guessSAR, uintptr(ctx), s, 0))
	if n := int(i32(o.codecParametersExtradataSize)); n > 0 {
		p.Extra = append([]byte{}, Bytes(dl.Load[uintptr](par, o.codecParametersExtradata), n)...)
	}
	l.each(dl.Load[uintptr](s, o.streamMetadata), func(k, v string) { p.Metadata[k] = v })
	p.HasMatrix3x3 = l.displayMatrix(s, par, &p.Matrix3x3)
	return p
}

// displayMatrix finds a stream's display matrix where its version keeps it.
func (l *Lib) displayMatrix(stream, par uintptr, m *[9]int32) bool {
	var data, size uintptr
	switch {
	case l.o.codecParametersCodedSideData != none && l.fn.packetSideDataGet != 0:
		sd := dl.Call(l.fn.packetSideDataGet, dl.Load[uintptr](par, l.o.codecParametersCodedSideData),
			uintptr(dl.Load[int32](par, l.o.codecParametersNbCodedSideData)), packetDisplayMatrix)
		if sd != 0 {
			data, size = dl.Load[uintptr](sd, l.o.packetSideDataData), dl.Load[uintptr](sd, l.o.packetSideDataSize)
		}
	case l.fn.streamGetSideData != 0:
		n := new(uintptr)
		data = dl.Call(l.fn.streamGetSideData, stream, packetDisplayMatrix, dl.Addr(n))
		size = *n
	}
	if data == 0 || size < 36 {
		return false
	}
	*m = dl.Load[[9]int32](data, 0)
	return true
}
