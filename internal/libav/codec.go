package libav

import (
	"runtime"

	"github.com/scanout-av/scanout/internal/dl"
)

// Codec is the address of an AVCodec, CodecContext that of an AVCodecContext,
// Parameters that of an AVCodecParameters.
type (
	Codec        uintptr
	CodecContext uintptr
	Parameters   uintptr
)

// Media types. Source: libavutil/avutil.h.
const (
	TypeVideo    = 0
	TypeAudio    = 1
	TypeSubtitle = 3
)

const (
	capDR1       = 2
	inputPadding = 64
)

// CodecID returns the AVCodecID of a codec name, 0 when there is none.
func (l *Lib) CodecID(name string) int32 {
	d := l.withStrings(l.fn.descriptorByName, []uintptr{hole}, name)
	if d == 0 {
		return 0
	}
	return dl.Load[int32](d, l.o.codecDescriptorId)
}

// CodecName returns FFmpeg's name of a codec id.
func (l *Lib) CodecName(id int32) string {
	return dl.GoString(dl.Call(l.fn.codecGetName, uintptr(id)))
}

// FindDecoder returns the decoder of a codec id, 0 when this FFmpeg has none.
func (l *Lib) FindDecoder(id int32) Codec { return Codec(dl.Call(l.fn.findDecoder, uintptr(id))) }

// DecoderName returns the name of a decoder.
func (l *Lib) DecoderName(c Codec) string {
	return dl.GoString(dl.Load[uintptr](uintptr(c), l.o.codecName))
}

// DirectRendering reports whether a decoder takes memory from get_buffer2.
func (l *Lib) DirectRendering(c Codec) bool {
	return dl.Load[int32](uintptr(c), l.o.codecCapabilities)&capDR1 != 0
}

// ParametersCodec returns the codec id that p describes.
func (l *Lib) ParametersCodec(p Parameters) int32 {
	return dl.Load[int32](uintptr(p), l.o.codecParametersCodecId)
}

// NewParameters describes a stream that no demuxer of FFmpeg's has seen.
// Ownership: the caller frees it.
func (l *Lib) NewParameters(kind, id, format int32, extra []byte, w, h, rate, channels int32) (Parameters, error) {
	p := dl.Call(l.fn.parametersAlloc)
	if p == 0 {
		return 0, ErrNoMemory
	}
	dl.Store(p, l.o.codecParametersCodecType, kind)
	dl.Store(p, l.o.codecParametersCodecId, id)
	if len(extra) > 0 {
		b := dl.Call(l.fn.mallocz, uintptr(len(extra)+inputPadding))
		if b == 0 {
			l.FreeParameters(Parameters(p))
			return 0, ErrNoMemory
		}
		copy(Bytes(b, len(extra)), extra)
		dl.Store(p, l.o.codecParametersExtradata, b)
		dl.Store(p, l.o.codecParametersExtradataSize, int32(len(extra)))
	}
	dl.Store(p, l.o.codecParametersFormat, format)
	dl.Store(p, l.o.codecParametersWidth, w)
	dl.Store(p, l.o.codecParametersHeight, h)
	dl.Store(p, l.o.codecParametersSampleRate, rate)
	if kind == TypeAudio && channels > 0 {
		dl.Call(l.fn.channelLayoutDefault, p+l.o.codecParametersChLayout, uintptr(channels))
	}
	return Parameters(p), nil
}

// FreeParameters frees what NewParameters made.
func (l *Lib) FreeParameters(p Parameters) {
	v := uintptr(p)
	dl.Call(l.fn.parametersFree, dl.Addr(&v))
	runtime.KeepAlive(&v)
}

// NewCodecContext allocates a context with the defaults of codec, 0 when memory is out.
func (c *Calls) NewCodecContext(codec Codec) CodecContext {
	return CodecContext(c.c.Call(c.fn.allocContext, uintptr(codec)))
}

// FreeCodecContext closes and frees ctx.
func (c *Calls) FreeCodecContext(ctx CodecContext) {
	c.out[0] = uint64(ctx)
	c.c.Call(c.fn.freeContext, c.addr(0))
}

// UseParameters copies p into ctx.
func (c *Calls) UseParameters(ctx CodecContext, p Parameters) error {
	return check(c.c.Call(c.fn.parametersToContext, uintptr(ctx), uintptr(p)))
}

// SetPacketTimebase says what the timestamps of packets count.
func (l *Lib) SetPacketTimebase(ctx CodecContext, num, den int32) {
	dl.Store(uintptr(ctx), l.o.codecContextPktTimebase, num)
	dl.Store(uintptr(ctx), l.o.codecContextPktTimebase+4, den)
}

// OpenCodec readies ctx for decoding.
func (c *Calls) OpenCodec(ctx CodecContext, codec Codec) error {
	return check(c.c.Call(c.fn.openCodec, uintptr(ctx), uintptr(codec), 0))
}

// SendPacket decodes p; 0 drains.
func (c *Calls) SendPacket(ctx CodecContext, p Packet) error {
	return check(c.c.Call(c.fn.sendPacket, uintptr(ctx), uintptr(p)))
}

// ReceiveFrame fills f with the next frame in output order.
func (c *Calls) ReceiveFrame(ctx CodecContext, f Frame) error {
	return check(c.c.Call(c.fn.receiveFrame, uintptr(ctx), uintptr(f)))
}

// FlushBuffers makes ctx forget everything that was sent.
func (c *Calls) FlushBuffers(ctx CodecContext) { c.c.Call(c.fn.flushBuffers, uintptr(ctx)) }
