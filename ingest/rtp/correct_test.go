package rtp

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// ulpfec is the payload of a packet that protects others, the first of which has the lowest
// number. Source: RFC 5109, 7.3 and 7.4.
func ulpfec(packets ...[]byte) []byte {
	b := make([]byte, 14, 64)
	base, length := binary.BigEndian.Uint16(packets[0][2:]), uint16(0)
	for _, p := range packets {
		b[0] ^= p[0] & 0x3f
		b[1] ^= p[1]
		for i := range 4 {
			b[4+i] ^= p[4+i]
		}
		length ^= uint16(len(p) - 12)
		for i, v := range p[12:] {
			if len(b) == 14+i {
				b = append(b, 0)
			}
			b[14+i] ^= v
		}
		d := binary.BigEndian.Uint16(p[2:]) - base
		b[12+d/8] |= 0x80 >> (d % 8)
	}
	binary.BigEndian.PutUint16(b[2:], base)
	binary.BigEndian.PutUint16(b[8:], length)
	binary.BigEndian.PutUint16(b[10:], uint16(len(b)-14))
	return b
}

// flexfec is the same by draft 03 of FlexFEC, for up to 15 packets.
func flexfec(ssrc uint32, packets ...[]byte) []byte {
	u := ulpfec(packets...)
	b := append(make([]byte, 20), u[14:]...)
	b[0], b[1] = u[0], u[1]
	copy(b[2:], u[8:10])
	copy(b[4:], u[4:8])
	b[8] = 1
	binary.BigEndian.PutUint32(b[12:], ssrc)
	copy(b[16:], u[2:4])
	binary.BigEndian.PutUint16(b[18:], 0x8000|binary.BigEndian.Uint16(u[12:])>>1)
	return b
}

// corrected is a stand whose stream has error correction by payload types 122 (ULPFEC) and 110
// (FlexFEC, SSRC 99).
func corrected(t testing.TB, change func(*Config)) *stand {
	t.Helper()
	d, err := Parse([]byte("v=0\nm=video 5004 RTP/AVP 96 122 110\na=rtpmap:96 H264/90000\na=rtpmap:122 ulpfec/90000\na=rtpmap:110 flexfec-03/90000\n" +
		"a=fmtp:110 repair-window=200000\na=rtcp-fb:96 nack\na=ssrc-group:FEC-FR 7 99\n"))
	if err != nil {
		t.Fatal(err)
	}
	return describedStand(t, d, change)
}

// groups sends pictures of three packets, each with one of error correction behind it.
type groups struct {
	*stand
	inBand bool // ULPFEC among the packets of the stream, instead of FlexFEC beside it
	seq    uint16
	fecSeq uint16
	n      int
}

// picture sends the next one without the packets whose places lose names; 3 is the error
// correction.
func (g *groups) picture(lose ...int) {
	var all [][]byte
	nal := byte(1)
	if g.n == 0 {
		nal = 5
	}
	for i := range 3 {
		flag := []byte{0x80, 0, 0x40}[i]
		all = append(all, rtpPacket(g.seq, uint32(g.n*tick), 7, 96, i == 2, append([]byte{0x7c, flag | nal, 0x88, byte(g.n)}, make([]byte, 5*i)...)...))
		g.seq++
	}
	if g.inBand {
		all = append(all, rtpPacket(g.seq, uint32(g.n*tick), 7, 122, false, ulpfec(all...)...))
		g.seq++
	} else {
		all = append(all, rtpPacket(g.fecSeq, uint32(g.n*tick), 99, 110, false, flexfec(7, all...)...))
		g.fecSeq++
	}
	for i, p := range all {
		lost := false
		for _, l := range lose {
			lost = lost || l == i
		}
		if !lost {
			g.put(0, home, p)
		}
		g.idle(2 * time.Millisecond)
	}
	g.idle(8 * time.Millisecond)
	g.n++
}

// asked is what the receiver asks for now.
func (s *stand) asked() int {
	var f feedback
	t := s.tracks[0]
	t.mu.Lock()
	defer t.mu.Unlock()
	t.due(s.now, &f)
	return len(f.nacks)
}

// TestErrorCorrection: any one packet of a group comes back as it was, is not asked for, and
// is counted; a packet of error correction that is lost damages nothing.
func TestErrorCorrection(t *testing.T) {
	for _, inBand := range []bool{false, true} {
		t.Run(fmt.Sprintf("in band %v", inBand), func(t *testing.T) {
			g := &groups{stand: corrected(t, nil), inBand: inBand, seq: 65500, fecSeq: 65530}
			nacks := 0
			for n := range 60 {
				switch {
				case n < 2:
					g.picture() // the first packet of error correction says that there is any
				case n%5 < 3:
					g.picture(n % 5)
				default:
					g.picture()
				}
				nacks += g.asked()
			}
			got, c := g.take(), g.Stats()[0]
			if len(got) != 60 || c.Corrected != 34 || c.Corrections != 60 || c.Lost+c.Damaged+c.Late+c.Malformed+c.Unknown+c.Foreign+c.Strange != 0 || nacks != 0 || c.Sources != 1 {
				t.Errorf("%d units, %d asked for: %+v", len(got), nacks, c)
			}
			for i, au := range got {
				// A start code, the NAL unit's header, the rest of three fragments.
				if want := 5 + 3*2 + 15; len(au.Data) != want || au.Data[6] != byte(i) || au.Discontinuity && i > 0 {
					t.Fatalf("unit %d: % x, discontinuity %v", i, au.Data, au.Discontinuity)
				}
			}
			// Two of a group are lost: asked for, as without.
			g.picture(0, 1)
			if n := g.asked(); n != 2 {
				t.Errorf("%d asked for", n)
			}
			// One of error correction is lost. In band it might have been of the stream.
			g.idle(time.Second)
			damaged := g.Stats()[0].Damaged
			g.picture(3)
			g.picture()
			g.idle(time.Second)
			if c := g.Stats()[0]; c.Damaged != damaged {
				t.Errorf("%+v", c)
			}
		})
	}
}

// TestErrorCorrectionEnds: when there is none any more, nothing waits for it.
func TestErrorCorrectionEnds(t *testing.T) {
	g := &groups{stand: corrected(t, nil)}
	tr := g.tracks[0]
	if tr.fec != nil {
		t.Error("there is memory for error correction that has not come")
	}
	g.picture()
	g.picture()
	if tr.fec == nil || tr.nacks.Grace < 6*time.Millisecond || tr.buf.Wait() < minWaitNACK+6*time.Millisecond {
		t.Errorf("%v before a packet is asked for, %v until it is given up", tr.nacks.Grace, tr.buf.Wait())
	}
	for range 200 {
		g.picture(3)
	}
	if c := g.Stats()[0]; tr.fec != nil || tr.nacks.Grace != 0 || tr.buf.Wait() != minWaitNACK || c.Lost != 0 {
		t.Errorf("%v, %v: %+v", tr.nacks.Grace, tr.buf.Wait(), c)
	}
	g.picture()
	g.picture(1)
	if c := g.Stats()[0]; c.Corrected != 1 {
		t.Errorf("%+v", c)
	}
}

// TestErrorCorrectionOfAnother: another sender has its own.
func TestErrorCorrectionOfAnother(t *testing.T) {
	g := &groups{stand: corrected(t, nil)}
	for range 10 {
		g.picture()
	}
	g.idle(3 * time.Second)
	for n := range 6 {
		g.put(0, other, rtpPacket(uint16(n), uint32(n*tick), 8, 96, true, 0x65, 1))
	}
	if tr := g.tracks[0]; tr.fec != nil || tr.sender.ssrc != 8 {
		t.Errorf("%v of %d", tr.fec, tr.sender.ssrc)
	}
}

// TestHostileErrorCorrection: what lies about what it protects is counted, changes nothing and
// holds no memory.
func TestHostileErrorCorrection(t *testing.T) {
	g := &groups{stand: corrected(t, nil), fecSeq: 10}
	for range 4 {
		g.picture()
	}
	flood := func(what string, n int, field func(*Counters) *int64, packet func(i int) []byte) {
		t.Helper()
		before, units := g.Stats()[0], len(g.take())
		from := home
		if what == "from elsewhere" {
			from = other
		}
		for i := range n {
			g.put(0, from, packet(i))
		}
		c := g.Stats()[0]
		if got := *field(&c) - *field(&before); got != int64(n) {
			t.Errorf("%s: %d of %d counted: %+v", what, got, n, c)
		}
		if now := len(g.take()); now != 0 || c.Sources != 1 || c.Restarts != before.Restarts || c.Lost != before.Lost {
			t.Errorf("%s: %d units after %d: %+v", what, now, units, c)
		}
	}
	malformed := func(c *Counters) *int64 { return &c.Malformed }
	foreign := func(c *Counters) *int64 { return &c.Foreign }
	strange := func(c *Counters) *int64 { return &c.Strange }
	corrections := func(c *Counters) *int64 { return &c.Corrections }
	one := func(seq uint16, b ...byte) []byte { return rtpPacket(seq, 4*tick, 7, 96, false, b...) }
	flood("from elsewhere", 1000, foreign, func(i int) []byte { return rtpPacket(uint16(i), 0, 99, 110, false, flexfec(7, one(12, 1))...) })
	flood("of another SSRC", 1000, foreign, func(i int) []byte { return rtpPacket(uint16(i), 0, 98, 110, false, flexfec(7, one(12, 1))...) })
	flood("for another SSRC", 1000, malformed, func(i int) []byte { return rtpPacket(uint16(i), 0, 99, 110, false, flexfec(8, one(12, 1))...) })
	flood("cut off", 1000, malformed, func(i int) []byte { return rtpPacket(uint16(i), 0, 99, 110, false, 0, 1, 2) })
	flood("covers nothing", 1000, malformed, func(i int) []byte {
		b := flexfec(7, one(12, 1))
		b[18], b[19] = 0x80, 0
		return rtpPacket(uint16(i), 0, 99, 110, false, b...)
	})
	flood("gives back another format", 1000, malformed, func(i int) []byte {
		p := one(uint16(13+i%100), 1)
		p[1] = 97
		g.tracks[0].fec.Reset()
		return rtpPacket(uint16(i), 0, 99, 110, false, flexfec(7, p)...)
	})
	flood("gives back far numbers", 1000, strange, func(i int) []byte {
		return rtpPacket(uint16(i), 0, 99, 110, false, flexfec(7, one(uint16(20000+i), 1))...)
	})
	flood("gives back another time", 100, strange, func(i int) []byte {
		p := rtpPacket(uint16(2000+i), 1<<31, 7, 96, false, 1)
		binary.BigEndian.PutUint16(p[2:], uint16(11-i%2))
		g.tracks[0].fec.Reset() // it has those two
		return rtpPacket(uint16(i), 0, 99, 110, false, flexfec(7, p)...)
	})
	flood("waits for what never comes", 1000, corrections, func(i int) []byte {
		return rtpPacket(uint16(i), 0, 99, 110, false, flexfec(7, one(uint16(100+4*i), 1), one(uint16(101+4*i), 2))...)
	})
	flood("as much as it likes", 1000, corrections, func(i int) []byte {
		return rtpPacket(uint16(i), 0, 99, 110, false, flexfec(7, one(uint16(14+i%100), make([]byte, 1400)...))...)
	})
	tr := g.tracks[0]
	if n := len(tr.fec.spare) + tr.fec.lent; n > maxLent+1 {
		t.Errorf("memory of %d packets", n)
	}
	g.idle(time.Second)
	g.take()
}

// TestNoAllocationWithCorrection: neither packets of error correction nor what they give back
// cost memory, once there is some.
func TestNoAllocationWithCorrection(t *testing.T) {
	s := corrected(t, nil)
	var all [][]byte
	for i := range 3 {
		all = append(all, rtpPacket(uint16(i), 0, 7, 96, i == 2, 0x7c, []byte{0x85, 5, 0x45}[i], 1, 2))
	}
	all = append(all, rtpPacket(0, 0, 99, 110, false, flexfec(7, all...)...))
	seq, ts, n := uint16(0), uint32(0), 0
	var au media.AccessUnit
	step := func() {
		ts += tick
		s.now += 16666667
		binary.BigEndian.PutUint16(all[3][28:], seq) // the base
		binary.BigEndian.PutUint16(all[3][2:], uint16(n))
		var x uint32
		for i := range 3 {
			binary.BigEndian.PutUint16(all[i][2:], seq)
			binary.BigEndian.PutUint32(all[i][4:], ts)
			x ^= ts
			seq++
		}
		binary.BigEndian.PutUint32(all[3][16:], x)
		for i, p := range all {
			if n < 3 || i != n%4 {
				s.put(0, home, p)
			}
		}
		n++
		for s.queue.oldest() != 0 {
			if s.Read(&au) == nil {
				au.Release()
			}
		}
	}
	for range 400 {
		step()
	}
	before := s.Stats()[0].Corrected
	if a := testing.AllocsPerRun(10, func() {
		for range 100 {
			step()
		}
	}); a != 0 {
		t.Errorf("%v allocations for a hundred pictures, most of which lack a packet", a)
	}
	if c := s.Stats()[0]; c.Corrected-before < 800 || c.Damaged+c.Lost != 0 {
		t.Errorf("%+v", c)
	}
}
