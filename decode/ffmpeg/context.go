package ffmpeg

import (
	"errors"
	"fmt"

	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

// newContext returns a codec context, not open yet, for a stream.
func newContext(c *libav.Calls, s *media.Stream, kind int32) (libav.CodecContext, libav.Codec, error) {
	par := libav.Parameters(s.Native)
	var id int32
	if par != 0 {
		id = c.ParametersCodec(par)
	} else if s.Codec != "" {
		id = c.CodecID(string(s.Codec))
	}
	if id == 0 {
		return 0, 0, fmt.Errorf("the coding format is not known: %w", media.ErrNotSupported)
	}
	codec := c.FindDecoder(id)
	if codec == 0 {
		return 0, 0, fmt.Errorf("this FFmpeg (%s) was built without a decoder for it: %w", c.Version, media.ErrNotSupported)
	}
	if par == 0 {
		var err error
		par, err = c.NewParameters(kind, id, format(c.Lib, s), s.ExtraData, int32(s.Width), int32(s.Height), int32(s.SampleRate), int32(s.Channels))
		if err != nil {
			return 0, 0, err
		}
		defer c.FreeParameters(par)
	}
	ctx := c.NewCodecContext(codec)
	if ctx == 0 {
		return 0, 0, libav.ErrNoMemory
	}
	if err := c.UseParameters(ctx, par); err != nil {
		c.FreeCodecContext(ctx)
		return 0, 0, err
	}
	c.SetPacketTimebase(ctx, s.Timebase.Num, s.Timebase.Den)
	return ctx, codec, nil
}

// format returns the AVPixelFormat of a stream, −1 when it is not known.
func format(lib *libav.Lib, s *media.Stream) int32 {
	if s.FormatName != "" {
		return lib.PixelFormat(s.FormatName)
	}
	if s.Format != media.FormatUnknown {
		return lib.PixelFormat(s.Format.String())
	}
	return -1
}

func describe(s *media.Stream) string {
	codec := string(s.Codec)
	if codec == "" {
		codec = "unknown codec"
	}
	return fmt.Sprintf("stream %d (%s)", s.Index, codec)
}

// send hands au to the codec: as the packet that it is, or as bytes that FFmpeg copies.
func send(c *libav.Calls, ctx libav.CodecContext, lent libav.Packet, au *media.AccessUnit) error {
	if _, ok := au.Owner.(libav.PacketOwner); ok && au.Native != 0 {
		// Timestamps are moved on the way: in a loop, where a recording starts anew, and
		// from a live sender's clock to this machine's.
		c.SetPacketTimes(libav.Packet(au.Native), int64(au.PTS), int64(au.DTS), int64(max(au.Duration, 0)))
		return c.SendPacket(ctx, libav.Packet(au.Native))
	}
	duration := int64(max(au.Duration, 0)) // NoTimestamp is the least
	c.LendPacket(lent, au.Data, int64(au.PTS), int64(au.DTS), duration, au.Key)
	err := c.SendPacket(ctx, lent)
	c.UnrefPacket(lent)
	return err
}

// codedAlign is the largest block that picture sizes are rounded up to in any codec.
const codedAlign = 64

var errSize = errors.New("the size of its pictures is not known yet")

// SlotBytes returns how large a slot must be for the pictures of a stream: the coded
// size, with the rows and padding that its decoder may write beyond the visible ones.
// Errors: media.ErrNotSupported without FFmpeg.
func SlotBytes(s media.Stream) (int, error) {
	n, err := slotBytes(&s)
	if err != nil {
		return 0, fmt.Errorf("ffmpeg: frame memory for %s: %w", describe(&s), err)
	}
	return n, nil
}

func slotBytes(s *media.Stream) (int, error) {
	lib, err := libav.Open()
	if err != nil {
		return 0, err
	}
	if s.Width <= 0 || s.Height <= 0 {
		return 0, errSize
	}
	if s.Width > defaultMaxPixels/s.Height {
		return 0, fmt.Errorf("pictures of %dx%d are too large: %w", s.Width, s.Height, media.ErrNotSupported)
	}
	c := lib.NewCalls()
	ctx, _, err := newContext(c, s, libav.TypeVideo)
	if err != nil {
		return 0, err
	}
	defer c.FreeCodecContext(ctx)
	f := format(lib, s)
	all, targets := formats(lib)
	switch {
	case f < 0:
		f = lib.PixelFormat(media.I420.String())
	case lookup(all, f).format == media.FormatUnknown:
		f = lib.ClosestPixelFormat(targets, f)
	}
	up := func(n int) int32 { return int32((n + codedAlign - 1) &^ (codedAlign - 1)) }
	return c.PictureBytes(ctx, f, up(s.Width), up(s.Height))
}

// SlotsNeeded returns how many slots a decoder may hold at once with the given number of
// threads: reference pictures and pictures waiting for their turn (the DPB), one for
// each thread, and the one handed out. What the caller keeps comes on top.
func SlotsNeeded(s media.Stream, threads int) int {
	dpb := 4
	switch s.Codec {
	case "h264", "hevc", "vvc":
		dpb = 17 // ITU-T H.264 A.3.1 and H.265 A.4.2: 16 and the current one
	case "vp9", "av1":
		dpb = 9 // 8 reference slots and the current one
	}
	return dpb + max(threads, 1) + 1
}
