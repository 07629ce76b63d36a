package rtp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// protected makes n packets with SSRC 0x01020304.
func protected(n int, seq uint16, ts uint32, payload func(i int) []byte) *unit {
	u := new(unit)
	for i := range n {
		u.add(payload(i))
	}
	u.cut()
	for i, p := range u.packets {
		p[0], p[1] = 0x80, 96
		binary.BigEndian.PutUint16(p[2:], seq+uint16(i))
		binary.BigEndian.PutUint32(p[4:], ts)
		binary.BigEndian.PutUint32(p[8:], 0x01020304)
	}
	return u
}

// TestProtect compares with what pion/interceptor 0.1.51 (FlexEncoder03) makes of the same
// packets, without RTP headers: masks of one, two and three parts.
func TestProtect(t *testing.T) {
	squares := func(i int) []byte { return []byte{byte(i), byte(i * i), 7} }
	growing := func(i int) []byte {
		b := make([]byte, 3+2*i)
		for j := range b {
			b[j] = byte(i*16 + j)
		}
		return b
	}
	for _, tt := range []struct {
		name    string
		u       *unit
		marked  int
		percent int
		want    []string
	}{
		{"one part, over the turn of the numbers", protected(5, 65534, 90000, growing), 4, 40, []string{
			"00e0000f00015f900100000001020304fffed400606162606060604748494a",
			"0000000c000000000100000001020304fffea800202020202035363738"}},
		{"two parts", protected(20, 100, 3000, squares), -1, 5, []string{"0000000000000000010000000102030400647ffffc000000000c00"}},
		{"three parts", protected(60, 100, 3000, squares), 59, 5, []string{
			"00000000000000000100000001020304006449244924924992480000000000003cbc00",
			"000000000000000001000000010203040064249224924924c924000000000000282400",
			"008000000000000001000000010203040064124912492492a492000000000000148400"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.marked >= 0 {
				tt.u.packets[tt.marked][1] |= 0x80
			}
			c := corrector{percent: tt.percent, ssrc: 0x0a0b0c0d, seq: 65535}
			own := len(tt.u.packets)
			c.protect(tt.u)
			if len(tt.u.packets) != own+len(tt.want) {
				t.Fatalf("%d packets for %d", len(tt.u.packets)-own, own)
			}
			for i, w := range tt.want {
				p := tt.u.packets[own+i]
				if got := hex.EncodeToString(p[12:]); got != w {
					t.Errorf("%d: %s, want %s", i, got, w)
				}
				if p[0] != 0x80 || p[1] != correctionType || binary.BigEndian.Uint16(p[2:]) != uint16(65535+i) || !bytes.Equal(p[4:8], tt.u.packets[0][4:8]) ||
					binary.BigEndian.Uint32(p[8:]) != 0x0a0b0c0d {
					t.Errorf("header % x", p[:12])
				}
			}
		})
	}
}

// TestProtectMany: packets that are too many for a mask are protected in several blocks, each
// behind it, and each packet by exactly one.
func TestProtectMany(t *testing.T) {
	for _, n := range []int{1, 2, 14, 15, 16, 45, 46, 47, 63, 64, 65, 108, 109, 110, 300} {
		u := protected(n, 65500, 1, func(i int) []byte { return []byte{byte(i)} })
		c := corrector{percent: 20}
		c.protect(u)
		covered, repairs := map[uint16]int{}, 0
		for at, p := range u.packets {
			if p[1]&0x7f != correctionType {
				continue
			}
			repairs++
			base, bit := binary.BigEndian.Uint16(p[28:]), 0
			for _, part := range []struct{ from, bits int }{{30, 15}, {32, 31}, {36, 63}} {
				var v uint64
				for _, b := range p[part.from : part.from+(part.bits+1)/8] {
					v = v<<8 | uint64(b)
				}
				for i := range part.bits {
					if v>>(part.bits-1-i)&1 != 0 {
						covered[base+uint16(bit)]++
						if seq := base + uint16(bit); int(seq-65500) >= at {
							t.Fatalf("%d packets: %d is protected before it is there", n, seq)
						}
					}
					bit++
				}
				if v>>part.bits != 0 {
					break
				}
			}
		}
		if want := max(1, (n+2)/5); repairs < want-1 || repairs > want+3 || len(u.packets) != n+repairs {
			t.Errorf("%d packets are protected by %d", n, repairs)
		}
		for i := range n {
			if k := covered[uint16(65500+i)]; k != 1 {
				t.Errorf("%d packets: number %d is covered %d times", n, i, k)
			}
		}
		if len(covered) != n {
			t.Errorf("%d of %d are covered", len(covered), n)
		}
	}
}

// TestSendsCorrection: it is sent and described, and reports and what is kept for sending again
// leave it out.
func TestSendsCorrection(t *testing.T) {
	p := newPeer(t)
	now := media.Instant(1e9)
	s, err := New(Config{To: net.JoinHostPort("127.0.0.1", itoa(p.port)), PayloadSize: 100, FEC: 25,
		Streams: []media.Stream{{Index: 0, Kind: media.KindVideo, Codec: "vp8"}, {Index: 1, Kind: media.KindAudio, Codec: "opus"}},
		Now:     func() media.Instant { return now }, Wall: func() time.Time { return time.Unix(1700000000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 3 {
		if _, err := s.Queue(&media.AccessUnit{Data: make([]byte, 96*20), Timebase: media.Nanoseconds}, 0); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(time.Second)
	if err := s.Send(now); err != nil {
		t.Fatal(err)
	}
	st := s.streams[0]
	if n := s.Stats(); n.Packets != 75 || n.Corrections != 15 || st.packets != 60 || s.streams[1].correct != nil {
		t.Errorf("%+v, %d of the stream", n, st.packets)
	}
	for i := range uint16(60) {
		if k := st.again.place(st.seq - 1 - i); len(k.data) == 0 || !st.own(k.data) {
			t.Fatalf("packet %d is not kept", i)
		}
	}
	sdp, err := s.SDP()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{" RTP/AVP 96 110\r\n", "a=rtpmap:110 flexfec-03/90000\r\n", "a=ssrc-group:FEC-FR ", " RTP/AVP 97\r\n"} {
		if strings.Count(string(sdp), want) != 1 {
			t.Errorf("%q is not once in %s", want, sdp)
		}
	}
	if _, err := New(Config{To: "127.0.0.1:5004", FEC: 101, Streams: s.cfg.Streams, Now: s.cfg.Now, Wall: s.cfg.Wall}); err == nil {
		t.Error("101 in a hundred")
	}
}
