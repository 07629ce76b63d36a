package ffmpeg

import (
	"bytes"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/h264"
	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

// bridge helps FFmpeg's H.264 decoder over lost pictures.
//
// Where frame_num jumps, that decoder invents what is missing. When frame_num starts anew
// from 0 within the gap it forgets that the order count, which is made from frame_num in
// streams without reordering (POC types 1 and 2), must go on: it falls by up to twice as
// much as frame_num may count, and the decoder keeps back every picture until the count is
// where it was, 10 to 16 pictures later. So one lost packet froze a picture for 217 ms.
//
// The picture of frame_num 0 is put back: a slice header, that of the picture behind the
// gap with another frame_num, and too little behind it, which the decoder conceals. It is
// not shown.
//
// Source: ITU-T H.264 7.4.3 (frame_num), 8.2.1.2, 8.2.1.3.
type bridge struct {
	sps    *h264.SPS
	set    []byte // its NAL unit
	last   uint32 // PrevRefFrameNum
	known  bool
	before uint32 // last as it was before the newest unit
	raw    []byte
	unit   []byte
}

// bridged is how much of a slice is looked at, and taken over: more than its header.
const bridged = 64

func newBridge(s *media.Stream) *bridge {
	if s.Codec != "h264" {
		return nil
	}
	b := &bridge{raw: make([]byte, 0, bridged), unit: make([]byte, 0, 2*bridged)}
	if len(s.ExtraData) > 3 && s.ExtraData[0] == 0 { // a byte stream
		b.over(s.ExtraData)
	}
	return b
}

// over returns the unit to decode before data, nil when none is needed, which is the rule.
// It is valid until the next call.
func (b *bridge) over(data []byte) []byte {
	var f bitstream.Framing
	for pos := 0; ; {
		n, ok, _ := f.Next(data, pos)
		if !ok {
			return nil
		}
		pos = n.After()
		nal := n.Bytes(data)
		switch nal[0] & 31 {
		case h264.NALSPS:
			if !bytes.Equal(nal, b.set) {
				b.set = append(b.set[:0], nal...)
				b.sps, _ = h264.ParseSPS(nal) // without one nothing is done
				b.known = false
			}
		case h264.NALIDR:
			b.before, b.last, b.known = 0, 0, b.sps != nil
			return nil
		case h264.NALSlice:
			return b.slice(nal)
		}
	}
}

// slice looks at the first slice of a picture.
func (b *bridge) slice(nal []byte) []byte {
	s := b.sps
	if s == nil || s.PicOrderCntType == 0 || !s.FrameMbsOnlyFlag || s.SeparateColourPlaneFlag || nal[0]>>5&3 == 0 {
		return nil // the order does not depend on frame_num, or nothing refers to the picture
	}
	head := nal[1:min(len(nal), bridged)]
	var r bitstream.Reader
	r.Reset(head)
	r.UE() // first_mb_in_slice
	r.UE() // slice_type
	r.UE() // pic_parameter_set_id
	at, length := r.Position(), int(s.Log2MaxFrameNumMinus4)+4
	num := r.U(length)
	if r.Failed() {
		return nil
	}
	last, known := b.last, b.known
	b.before, b.last, b.known = last, num, true
	if !known || num >= last || num == 0 || num == (last+1)%s.MaxFrameNum() {
		return nil
	}
	b.raw = bitstream.Unescape(b.raw[:0], head)
	for i := at; i < at+length; i++ {
		b.raw[i/8] &^= 0x80 >> (i % 8)
	}
	b.unit = append(b.unit[:0], 0, 0, 0, 1, nal[0])
	zeros := 0
	for _, c := range append(b.raw, 0x80) {
		if zeros == 2 && c <= 3 {
			b.unit = append(b.unit, 3)
			zeros = 0
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		b.unit = append(b.unit, c)
	}
	return b.unit
}

// mend sends what is needed before data.
// Errors: media.ErrAgain: it must be tried again.
func (d *Video) mend(data []byte) error {
	unit := d.bridge.over(data)
	if unit == nil {
		return nil
	}
	d.calls.LendPacket(d.lent, unit, int64(media.NoTimestamp), int64(media.NoTimestamp), 0, false)
	d.calls.SetPacketFlags(d.lent, libav.PacketDiscard)
	err := d.calls.SendPacket(d.ctx, d.lent)
	d.calls.UnrefPacket(d.lent)
	if err == media.ErrAgain {
		d.bridge.last = d.bridge.before
		return err
	}
	return nil // it is damaged on purpose
}
