package rtp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/scanout-av/scanout/media"
)

// payloads cuts an access unit and returns what follows the headers.
func payloads(p packetizer, au *media.AccessUnit, size int) ([][]byte, error) {
	var u unit
	if err := p(&u, au, size); err != nil {
		return nil, err
	}
	u.cut()
	var all [][]byte
	for _, b := range u.packets {
		all = append(all, b[headerSize:])
	}
	return all, nil
}

// joined puts NAL units together again, as RFC 6184 and RFC 7798 tell receivers to.
func joined(t *testing.T, packets [][]byte, header int) (nals [][]byte) {
	t.Helper()
	var open []byte
	for _, b := range packets {
		kind := b[0] & 31
		if header == 2 {
			kind = b[0] >> 1 & 63
		}
		switch {
		case header == 1 && kind == 24 || header == 2 && kind == 48:
			for b = b[header:]; len(b) > 0; {
				n := int(binary.BigEndian.Uint16(b))
				nals = append(nals, b[2:2+n])
				b = b[2+n:]
			}
		case header == 1 && kind == 28 || header == 2 && kind == 49:
			fu := b[header]
			if fu&0x80 != 0 {
				if open != nil {
					t.Fatal("a unit begins within another")
				}
				if header == 1 {
					open = []byte{b[0]&0xe0 | fu&31}
				} else {
					open = []byte{b[0]&0x81 | fu&63<<1, b[1]}
				}
			}
			open = append(open, b[header+1:]...)
			if fu&0x40 != 0 {
				nals, open = append(nals, open), nil
			}
		default:
			nals = append(nals, b)
		}
	}
	if open != nil {
		t.Fatal("a unit does not end")
	}
	return nals
}

func annex(nals ...[]byte) (b []byte) {
	for i, n := range nals {
		b = append(b, []byte{0, 0, 0, 1}[i%2:]...)
		b = append(b, n...)
	}
	return b
}

func lengths(nals ...[]byte) (b []byte) {
	for _, n := range nals {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(n))), n...)
	}
	return b
}

func nal(size int, header ...byte) []byte {
	b := bytes.Repeat([]byte{0x5a}, size)
	copy(b, header)
	return b
}

func TestNALUnits(t *testing.T) {
	sps, pps, sei, idr, slice := nal(20, 0x67), nal(5, 0x68), nal(40, 6), nal(3000, 0x65), nal(90, 0x41)
	vps5, sps5, pps5, sei5, idr5, slice5 := nal(20, 64, 1), nal(40, 66, 1), nal(9, 68, 1), nal(30, 78, 1), nal(3000, 38, 1), nal(80, 2, 1)
	avcC := append([]byte{1, 0x64, 0, 0x28, 0xff, 0xe1, 0, 20}, sps...)
	avcC = append(append(avcC, 1, 0, 5), pps...)
	hvcC := append(nal(21, 1), 3, 3)
	for _, n := range [][]byte{vps5, sps5, pps5} {
		hvcC = append(append(hvcC, n[0]>>1, 0, 1, 0, byte(len(n))), n...)
	}
	for _, tt := range []struct {
		name   string
		codec  media.Codec
		extra  []byte
		key    bool
		data   []byte
		want   [][]byte
		counts int // packets
	}{
		{"sets in front of a key frame", "h264", avcC, true, lengths(sei, idr), [][]byte{sps, pps, sei, idr}, 4},
		{"sets that are there", "h264", avcC, true, lengths(sps, pps, idr), [][]byte{sps, pps, idr}, 4},
		{"no sets in front of others", "h264", avcC, false, lengths(slice), [][]byte{slice}, 1},
		{"slices stay apart", "h264", avcC, false, lengths(slice, slice), [][]byte{slice, slice}, 2},
		{"start codes", "h264", annex(sps, pps), true, annex(idr), [][]byte{sps, pps, idr}, 4},
		{"start codes with sets", "h264", nil, true, annex(sps, pps, sei, idr, slice), [][]byte{sps, pps, sei, idr, slice}, 5},
		{"unit of RTP's own", "h264", nil, false, annex(nal(9, 28), slice), [][]byte{slice}, 1},
		{"large SEI", "h264", nil, false, annex(nal(2500, 6), slice), [][]byte{nal(2500, 6), slice}, 4},
		{"hevc sets", "hevc", hvcC, true, lengths(sei5, idr5), [][]byte{vps5, sps5, pps5, sei5, idr5}, 4},
		{"hevc others", "hevc", hvcC, false, lengths(slice5, slice5), [][]byte{slice5, slice5}, 2},
		{"hevc start codes", "hevc", nil, true, annex(vps5, sps5, pps5, idr5), [][]byte{vps5, sps5, pps5, idr5}, 4},
	} {
		f, err := formatOf(&media.Stream{Codec: tt.codec, ExtraData: tt.extra})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		const size = 1200
		got, err := payloads(f.packetize, &media.AccessUnit{Data: tt.data, Key: tt.key}, size)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for _, p := range got {
			if len(p) > size {
				t.Errorf("%s: a payload of %d bytes", tt.name, len(p))
			}
		}
		header := 1
		if tt.codec == "hevc" {
			header = 2
		}
		if len(got) != tt.counts || !slices.EqualFunc(joined(t, got, header), tt.want, bytes.Equal) {
			t.Errorf("%s: %d packets, want %d, or the units differ", tt.name, len(got), tt.counts)
		}
	}
	for _, b := range [][]byte{{1}, avcC[:9], avcC[:len(avcC)-1], append([]byte(nil), avcC[:28]...)} {
		if _, err := avcSets(b); !errors.Is(err, errConfiguration) {
			t.Errorf("avcC of %d bytes: %v", len(b), err)
		}
	}
	for _, b := range [][]byte{{1}, hvcC[:24], hvcC[:len(hvcC)-1]} {
		if _, err := hevcSets(b); !errors.Is(err, errConfiguration) {
			t.Errorf("hvcC of %d bytes: %v", len(b), err)
		}
	}
	p := avc(parameterSets{prefix: 4})
	if _, err := payloads(p, &media.AccessUnit{Data: []byte{0, 0, 1, 0, 1}}, 1200); !errors.Is(err, errNothing) {
		t.Errorf("a length beyond the end: %v", err)
	}
}

func TestAAC(t *testing.T) {
	frame := nal(700, 0x21)
	header := []byte{0xff, 0xf1, 0x50, 0x80, 0, 0, 0} // LC, 44.1 kHz, stereo
	for _, data := range [][]byte{frame, append(header, frame...)} {
		got, err := payloads(aac, &media.AccessUnit{Data: data}, 300)
		if err != nil || len(got) != 3 {
			t.Fatalf("%d packets, %v", len(got), err)
		}
		var all []byte
		for _, p := range got {
			if n := int(binary.BigEndian.Uint16(p[2:])) >> 3; binary.BigEndian.Uint16(p) != 16 || n != len(frame) || len(p) > 300 {
				t.Errorf("header %x", p[:4])
			}
			all = append(all, p[4:]...)
		}
		if !bytes.Equal(all, frame) {
			t.Error("the frame differs")
		}
	}
	config, n, ok := adts(append(header, frame...))
	if !ok || n != 7 || !bytes.Equal(config, []byte{0x12, 0x10}) {
		t.Errorf("configuration %x, %d, %v", config, n, ok)
	}
	if _, err := payloads(aac, &media.AccessUnit{Data: make([]byte, 9000)}, 1200); !errors.Is(err, errTooLong) {
		t.Error(err)
	}
}

func FuzzPacketize(f *testing.F) {
	f.Add([]byte{1, 0x64, 0, 0x28, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68}, lengths(nal(200, 0x65), nal(9, 6)), true, uint16(100))
	f.Add([]byte{}, annex(nal(200, 0x65), nal(9, 6)), true, uint16(64))
	f.Add([]byte{}, []byte{0x12, 0, 0x0a, 1, 0, 0x32, 2, 1, 2}, false, uint16(64)) // AV1
	f.Add([]byte{}, []byte{0xff, 0xf1, 0x50, 0x80, 0, 0, 0, 1}, false, uint16(1000))
	f.Fuzz(func(t *testing.T, extra, data []byte, key bool, size uint16) {
		n := max(int(size), minPayloadSize)
		for _, codec := range []media.Codec{"h264", "hevc", "vp8", "vp9", "av1", "aac", "opus"} {
			fm, err := formatOf(&media.Stream{Codec: codec, ExtraData: extra, SampleRate: 48000, Channels: 2})
			if err != nil {
				continue
			}
			au := &media.AccessUnit{Data: data, Key: key}
			if fm.complete != nil {
				fm.complete(&fm, au)
			}
			got, err := payloads(fm.packetize, au, n)
			if err != nil {
				continue
			}
			for _, p := range got {
				if len(p) > n && codec != "opus" {
					t.Errorf("%s: a payload of %d bytes, at most %d were allowed", codec, len(p), n)
				}
			}
			switch codec {
			case "h264":
				joined(t, got, 1)
			case "hevc":
				joined(t, got, 2)
			}
		}
	})
}
