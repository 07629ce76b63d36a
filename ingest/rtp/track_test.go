package rtp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/media"
)

const (
	ms   = media.Instant(time.Millisecond)
	tick = 1500 // of a frame at 60 fps and 90 kHz
)

var (
	home  = netip.MustParseAddrPort("192.0.2.1:5000")
	other = netip.MustParseAddrPort("192.0.2.9:5000")
)

// stand is a source that packets are put into by hand, at made-up moments.
type stand struct {
	*Source
	t   testing.TB
	now media.Instant
	// catch takes packets instead, as a socket that nobody reads does.
	catch *[]udp.Packet
}

func newStand(t testing.TB, url string, change func(*Config)) *stand {
	t.Helper()
	d, err := ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return describedStand(t, d, change)
}

func describedStand(t testing.TB, d *Description, change func(*Config)) *stand {
	t.Helper()
	s := &stand{t: t, now: 1e9}
	cfg := Config{Description: d, Now: func() media.Instant { return s.now }}
	if change != nil {
		change(&cfg)
	}
	if err := cfg.complete(); err != nil {
		t.Fatal(err)
	}
	s.Source = newSource(cfg)
	return s
}

// rtpPacket makes a packet.
func rtpPacket(seq uint16, ts, ssrc uint32, pt uint8, marker bool, payload ...byte) []byte {
	b := make([]byte, 12, 12+len(payload))
	b[0], b[1] = 0x80, pt
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return append(b, payload...)
}

func (s *stand) put(stream int, from netip.AddrPort, b []byte) {
	p := udp.Packet{Data: b, From: from, Received: s.now}
	if s.catch != nil {
		*s.catch = append(*s.catch, p)
		return
	}
	t := s.tracks[stream]
	t.mu.Lock()
	t.receive(&p, s.now)
	t.advance(s.now)
	t.mu.Unlock()
}

// idle lets time pass without packets.
func (s *stand) idle(d time.Duration) {
	for end := s.now.Add(d); s.now < end; {
		s.now += ms
		for _, t := range s.tracks {
			t.mu.Lock()
			t.advance(s.now)
			t.mu.Unlock()
		}
	}
}

// take returns what is in the queue.
func (s *stand) take() (out []media.AccessUnit) {
	for s.queue.oldest() != 0 {
		var au media.AccessUnit
		if err := s.queue.pop(&au); err != nil {
			s.t.Fatal(err)
		}
		au.Data = bytes.Clone(au.Data)
		o, n := au.Owner, au.Native
		o.ReclaimAccessUnit(n)
		out = append(out, au)
	}
	return out
}

// patient keeps what is not read.
func patient(c *Config) { c.MaxLatency = 10 * time.Second }

// frame sends a picture of three packets.
func (s *stand) frame(from netip.AddrPort, ssrc uint32, n int, key bool, lose ...int) {
	nal := byte(1)
	if key {
		nal = 5
	}
	for i := range 3 {
		flag := []byte{0x80, 0, 0x40}[i]
		lost := false
		for _, l := range lose {
			lost = lost || l == i
		}
		if !lost {
			s.put(0, from, rtpPacket(uint16(n*3+i), uint32(n*tick), ssrc, 96, i == 2, 0x7c, flag|nal, byte(n), byte(i)))
		}
	}
	s.now += 16666667
}

const h264URL = "rtp://127.0.0.1:5004?pt=96&codec=h264"

// TestSourceWithAZone: where packets are from a link-local address, the kernel says on which
// link, and a description does not.
func TestSourceWithAZone(t *testing.T) {
	s := newStand(t, "rtp://[fe80::1]@[ff12::5]:5004?codec=h264", nil)
	for n := range 3 {
		s.frame(netip.MustParseAddrPort("[fe80::2%eth0]:5000"), 7, n, true)
		s.frame(netip.MustParseAddrPort("[fe80::1%eth0]:5000"), 7, n, true)
	}
	if c := s.Stats()[0]; len(s.take()) != 3 || c.Foreign != 9 {
		t.Errorf("%+v", c)
	}
}

func TestPicturesComeOutInOrder(t *testing.T) {
	s := newStand(t, h264URL, nil)
	s.frame(home, 7, 21843, false) // dropped: no key frame yet
	for n := 21844; n < 21850; n++ {
		s.frame(home, 7, n, n == 21844) // the sequence number wraps
	}
	got := s.take()
	if len(got) != 6 {
		t.Fatalf("%d units", len(got))
	}
	for i, au := range got {
		n := byte(21844 + i)
		nal := byte(0x61)
		if i == 0 {
			nal = 0x65
		}
		want := []byte{0, 0, 0, 1, nal, n, 0, n, 1, n, 2}
		if !bytes.Equal(au.Data, want) || au.Key != (i == 0) || au.Timebase != media.Nanoseconds || au.Received == 0 || au.Assembled < au.Received {
			t.Errorf("unit %d: %+v", i, au)
		}
		if i > 0 {
			if d := au.PTS - got[i-1].PTS; d < 16600000 || d > 16700000 {
				t.Errorf("unit %d is %d ns after the one before", i, d)
			}
		}
	}
	c := s.Stats()[0]
	if c.Packets != 21 || c.Units != 6 || c.Discarded != 1 || c.Lost+c.Late+c.Duplicate+c.Malformed != 0 {
		t.Errorf("%+v", c)
	}
	if n := s.units.out(); n != 0 {
		t.Errorf("%d units leak", n)
	}
}

func TestLossShowsOrWaits(t *testing.T) {
	for _, damage := range []Damage{DamageShow, DamageWait} {
		s := newStand(t, h264URL, func(c *Config) { c.Damage = damage })
		for n := range 30 {
			if n == 5 {
				s.frame(home, 7, n, false, 1)
			} else {
				s.frame(home, 7, n, n%10 == 0)
			}
		}
		got, c := s.take(), s.Stats()[0]
		want := 30
		if damage == DamageWait {
			want = 25 // 5 to 9 wait for 10
		}
		if len(got) != want || c.Lost != 1 || c.Damaged != 1 {
			t.Errorf("%v: %d units, want %d: %+v", damage, len(got), want, c)
		}
		broken := 0
		for _, au := range got {
			if au.Discontinuity {
				broken++
			}
		}
		if broken != 1 {
			t.Errorf("%v: %d units are marked as coming after a gap", damage, broken)
		}
	}
}

func TestReorderedAndDoubled(t *testing.T) {
	s := newStand(t, h264URL, nil)
	s.frame(home, 7, 0, true)
	for n := 1; n < 200; n++ {
		// The last packet of each frame overtakes the one before it, and comes twice.
		for _, i := range []int{0, 2, 1, 2} {
			flag := []byte{0x80, 0, 0x40}[i]
			s.put(0, home, rtpPacket(uint16(n*3+i), uint32(n*tick), 7, 96, i == 2, 0x7c, flag|1, byte(n), byte(i)))
		}
		s.now += 16666667
	}
	got, c := s.take(), s.Stats()[0]
	if len(got) != 200 || c.Lost != 0 || c.Damaged != 0 || c.Duplicate != 199 {
		t.Errorf("%d units: %+v", len(got), c)
	}
}

func TestOnlyTheFirstSender(t *testing.T) {
	s := newStand(t, h264URL, nil)
	for n := range 60 {
		s.frame(home, 7, n, n == 0)
		s.put(0, other, rtpPacket(uint16(n), uint32(n), 7, 96, true, 0x65, 0xee))            // the same SSRC from elsewhere
		s.put(0, home, rtpPacket(uint16(n), uint32(n), 8, 96, true, 0x65, 0xee))             // another one from there
		s.put(0, other, rtpPacket(uint16(n+30000), uint32(n), uint32(n), 96, true, 1, 0xee)) // many of them
	}
	got, c := s.take(), s.Stats()[0]
	if len(got) != 60 || c.Foreign != 180 || c.Sources != 1 || c.Damaged+c.Lost != 0 {
		t.Errorf("%d units: %+v", len(got), c)
	}
	for _, au := range got {
		if bytes.IndexByte(au.Data, 0xee) >= 0 && au.Data[5] != 0xee {
			t.Fatalf("a spoofed packet got in: %x", au.Data)
		}
	}
}

// TestSourceStartsAgain: another SSRC, other timestamps, another port, another size.
func TestSourceStartsAgain(t *testing.T) {
	s := newStand(t, h264URL, nil)
	for n := range 60 {
		s.frame(home, 7, n, n == 0)
	}
	got := s.take()
	s.idle(500 * time.Millisecond)
	again := netip.AddrPortFrom(home.Addr(), 6000)
	for n := 20000; n < 20060; n++ {
		s.frame(again, 9, n, n == 20000)
	}
	got = append(got, s.take()...)
	c := s.Stats()[0]
	if len(got) != 120 || c.Sources != 2 {
		t.Fatalf("%d units: %+v", len(got), c)
	}
	if !got[60].Discontinuity || !got[60].Key {
		t.Errorf("first unit of the second sender: %+v", got[60])
	}
	if d := time.Duration(got[60].PTS - got[59].PTS); d < 480*time.Millisecond || d > 560*time.Millisecond {
		t.Errorf("the timelines are %v apart, and 0.5 s were between them", d)
	}
	// One at home is silent for a moment only: another machine is not let in.
	s.idle(time.Second)
	s.frame(other, 11, 1, true)
	if got := s.take(); len(got) != 0 || s.Stats()[0].Sources != 2 {
		t.Error("another machine took the place of a sender that was silent for a second")
	}
	s.idle(1500 * time.Millisecond)
	s.frame(other, 11, 2, true)
	s.frame(other, 11, 3, false)
	if got := s.take(); len(got) != 2 {
		t.Errorf("%d units of the third sender", len(got))
	}
}

// TestNewSenderBeginsWithAKeyFrame: pictures of another sender refer to nothing that the
// decoder has, however long its key frame is in coming, unless it seems never to send one.
func TestNewSenderBeginsWithAKeyFrame(t *testing.T) {
	s := newStand(t, h264URL, patient)
	for n := range 60 {
		s.frame(home, 7, n, n == 0)
	}
	s.idle(500 * time.Millisecond)
	s.take()
	for n := 1000; n < 1180; n++ {
		s.frame(home, 9, n, n == 1150)
	}
	got, c := s.take(), s.Stats()[0]
	if len(got) != 30 || !got[0].Key || c.Sources != 2 {
		t.Fatalf("%d units of 30 from the key frame on, which came after 2.5 s: %+v", len(got), c)
	}
	s.idle(500 * time.Millisecond)
	for n := 3000; n < 3900; n++ {
		s.frame(home, 11, n, false)
	}
	if got := s.take(); len(got) == 0 || len(got) > 320 {
		t.Errorf("%d units of the 5 s after the first 10 s of a sender without key frames", len(got))
	}
}

// TestSourceStartsAgainDuringAStall: how long a sender has been silent is told by when packets
// came, not by when a receiver that was held up has read them.
func TestSourceStartsAgainDuringAStall(t *testing.T) {
	for _, again := range []netip.AddrPort{home, netip.AddrPortFrom(home.Addr(), 6000)} {
		s := newStand(t, h264URL, patient)
		s.frame(home, 7, 0, true)
		var packets []udp.Packet
		s.catch = &packets
		for n := 1; n < 10; n++ {
			s.frame(home, 7, n, false)
		}
		s.now = s.now.Add(350 * time.Millisecond)
		for n := 1000; n < 1010; n++ {
			s.frame(again, 9, n, n == 1000)
		}
		s.catch = nil
		tr := s.tracks[0]
		for i := range packets {
			tr.receive(&packets[i], s.now)
		}
		if got, c := s.take(), s.Stats()[0]; len(got) != 20 || c.Foreign != 0 || c.Sources != 2 {
			t.Errorf("%v: %d units of 20: %+v", again, len(got), c)
		}
	}
}

// TestSwitchKeepsTheKeyFrame: where one sender follows another without a pause, as behind a
// gateway, or after one that is shorter than what shows that the first has gone, nothing of
// what it begins with is lost.
func TestSwitchKeepsTheKeyFrame(t *testing.T) {
	next := netip.AddrPortFrom(home.Addr(), 6000)
	for _, c := range []struct {
		name  string
		from  netip.AddrPort
		pause time.Duration
		lose  int // packet of the second picture
		want  int // units
	}{
		{"at once", home, 0, -1, 90}, {"after 50 ms", home, 50 * time.Millisecond, -1, 90}, {"another port", next, 0, -1, 90},
		{"with loss", home, 0, 1, 90}, {"loss where it is let in", home, 66666668, 0, 89}, // of which nothing is left
	} {
		s := newStand(t, h264URL, patient)
		for n := range 30 {
			s.frame(home, 7, n, n == 0)
		}
		s.now = s.now.Add(c.pause)
		for n := 1000; n < 1060; n++ {
			lose := []int{}
			if n == 1001 && c.lose >= 0 {
				lose = append(lose, c.lose)
			}
			s.frame(c.from, 9, n, n == 1000, lose...)
		}
		s.idle(time.Second) // for what is missing
		got, k := s.take(), s.Stats()[0]
		if len(got) != c.want || !got[30].Key || k.Sources != 2 || k.Foreign != 0 {
			t.Errorf("%s: %d units of %d, %+v", c.name, len(got), c.want, k)
		}
	}
	// Somebody beside the sender is neither let in nor kept.
	s := newStand(t, h264URL, patient)
	for n := range 300 {
		s.frame(home, 7, n, n == 0)
		for i := range 5 {
			s.put(0, home, rtpPacket(uint16(5*n+i), uint32(n), 8, 96, true, 0x65, 0xee))
		}
	}
	if k := s.Stats()[0]; k.Foreign != 1500 || k.Sources != 1 || len(s.tracks[0].sender.early.packets) != 5 {
		t.Errorf("%d kept, %+v", len(s.tracks[0].sender.early.packets), k)
	}
	// A stream that is too fast to be kept comes in as it did, from a later picture on.
	s.now = s.now.Add(10 * time.Millisecond)
	for i := range 3000 {
		s.put(0, home, rtpPacket(uint16(i), uint32(i/10), 9, 96, i%10 == 9, 0x65, 1))
		s.now += ms / 10
	}
	if k := s.Stats()[0]; k.Sources != 2 || len(s.tracks[0].sender.early.packets) != 0 {
		t.Errorf("%d kept, %+v", len(s.tracks[0].sender.early.packets), k)
	}
}

// TestStragglersChangeNothing: late packets of the sender before, between two pictures of a
// slow new one; and the first sender is let in again when it goes on.
func TestStragglersChangeNothing(t *testing.T) {
	s := newStand(t, h264URL, patient)
	for n := range 30 {
		s.frame(home, 7, n, n == 0)
	}
	for n := 1000; n < 1010; n++ { // five pictures a second
		s.frame(home, 9, n, n == 1000)
		s.now = s.now.Add(150 * time.Millisecond)
		for i := range 3 {
			s.put(0, home, rtpPacket(uint16(3*(n-990)+i), uint32(n-990)*tick, 7, 96, i == 2, 0x61, 0xee))
		}
		s.now = s.now.Add(33 * time.Millisecond)
	}
	if got, c := s.take(), s.Stats()[0]; len(got) != 40 || c.Sources != 2 || c.Damaged != 0 || c.Duplicate != 3 || c.Foreign != 27 {
		t.Errorf("%d units of 40: %+v", len(got), c)
	}
	for n := 40; n < 50; n++ {
		s.frame(home, 7, n, n == 40)
	}
	if got, c := s.take(), s.Stats()[0]; len(got) != 10 || c.Sources != 3 {
		t.Errorf("%d units of 10 of the first sender, which goes on: %+v", len(got), c)
	}
}

// TestStrayNumberIsNotTheNewest: one packet with a number far ahead does not make all that
// follow late ones, behind which another sender would be let in.
func TestStrayNumberIsNotTheNewest(t *testing.T) {
	s := newStand(t, h264URL, patient)
	for n := range 200 {
		s.frame(home, 7, n, n == 0)
		if n == 100 {
			s.put(0, home, rtpPacket(20000, 0, 7, 96, true, 0x61, 0xee))
		}
		s.frame(other, 9, n, n == 0)
	}
	if got, c := s.take(), s.Stats()[0]; len(got) != 200 || c.Sources != 1 || c.Strange != 1 || s.tracks[0].over(s.now) {
		t.Errorf("%d units of 200: %+v", len(got), c)
	}
}

// TestSequenceStartsAgain: a sender that is started again with its old SSRC keeps its first
// packet, which has the parameter sets, and what it begins with counts as undamaged.
func TestSequenceStartsAgain(t *testing.T) {
	for _, damage := range []Damage{DamageShow, DamageWait} {
		for _, last := range [][]int{nil, {1}, {2}} { // packets of the last picture before that are lost
			s := newStand(t, h264URL, func(c *Config) { patient(c); c.Damage = damage })
			for n := range 10 {
				s.frame(home, 7, n, n == 0)
			}
			s.frame(home, 7, 10, false, last...)
			s.now = s.now.Add(50 * time.Millisecond)
			s.take()
			for n := 10000; n < 10010; n++ {
				s.frame(home, 7, n, n == 10000)
			}
			got, c := s.take(), s.Stats()[0]
			for len(got) > 10 && last != nil { // what was left of the old one
				got = got[1:]
			}
			if len(got) != 10 || !got[0].Key || c.Strange != 0 || c.Damaged > 1 {
				t.Errorf("%v, %v lost before: %d units of 10, %+v", damage, last, len(got), c)
				continue
			}
			want := []byte{0, 0, 0, 1, 0x65, 16, 0, 16, 1, 16, 2}
			if !bytes.Equal(got[0].Data, want) {
				t.Errorf("%v, %v lost before: the key frame is %x, want %x", damage, last, got[0].Data, want)
			}
		}
	}
}

// TestGapLongerThanTheBuffer: more is lost than the jitter buffer has room for, in the middle
// of a picture.
func TestGapLongerThanTheBuffer(t *testing.T) {
	for _, damage := range []Damage{DamageShow, DamageWait} {
		s := newStand(t, h264URL, func(c *Config) { c.MaxLatency, c.Damage = time.Minute, damage })
		for n := range 10 {
			s.frame(home, 7, n, n == 0)
		}
		s.take()
		s.frame(home, 7, 10, false, 1, 2)
		s.now = s.now.Add(1989 * 16666667)
		for n := 2000; n < 2010; n++ {
			s.frame(home, 7, n, n == 2005)
		}
		got, c := s.take(), s.Stats()[0]
		if c.Lost != 3*1989+2 || c.Damaged == 0 {
			t.Errorf("%v: %+v", damage, c)
		}
		if damage == DamageWait && (len(got) != 5 || !got[0].Key) {
			t.Errorf("%d units of the 5 from the key frame on", len(got))
		}
		if damage == DamageShow && (len(got) != 11 || !got[0].Discontinuity || !got[1].Discontinuity || got[2].Discontinuity) {
			t.Errorf("%d units of 11, or not those by the gap are damaged", len(got))
		}
	}
}

func TestGoodbyeAndSilence(t *testing.T) {
	s := newStand(t, h264URL, nil)
	s.frame(home, 7, 0, true)
	bye, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 7}, &rtcp.Goodbye{Sources: []uint32{7}}})
	tr := s.tracks[0]
	tr.readControl(&udp.Packet{Data: bye, From: other, Received: s.now})
	if tr.sender.bye {
		t.Error("a stranger says goodbye for the sender")
	}
	if s.idle(3 * time.Second); tr.over(s.now) {
		t.Error("three seconds of silence end the stream")
	}
	if s.idle(time.Minute); !tr.over(s.now) {
		t.Error("a minute of silence does not end the stream")
	}
	s.frame(home, 7, 1, false)
	tr.readControl(&udp.Packet{Data: bye, From: home, Received: s.now})
	if tr.over(s.now) {
		t.Error("over at once")
	}
	// A goodbye overtakes packets that are paced: they are the end of the stream, and no
	// other sender's.
	s.take()
	s.idle(DefaultLinger / 2)
	for n := 2; n < 12; n++ {
		s.frame(home, 7, n, false)
	}
	if got, c := s.take(), s.Stats()[0]; len(got) != 10 || c.Sources != 1 || tr.over(s.now) {
		t.Errorf("%d of the 10 units behind a goodbye, over %v: %+v", len(got), tr.over(s.now), c)
	}
	s.idle(DefaultLinger + 10*time.Millisecond)
	if !tr.over(s.now) {
		t.Error("goodbye does not end the stream")
	}
}

// TestFloods: garbage, unknown payload types, thousands of SSRCs: what is held is bounded
// and the stream goes on.
func TestFloods(t *testing.T) {
	s := newStand(t, h264URL, nil)
	rng := rand.New(rand.NewPCG(1, 2))
	junk := make([]byte, 64)
	for n := range 200 {
		s.frame(home, 7, n, n == 0)
		for i := range 500 {
			switch i % 4 {
			case 0:
				for j := range junk {
					junk[j] = byte(rng.Uint32())
				}
				s.put(0, other, bytes.Clone(junk))
			case 1:
				s.put(0, other, rtpPacket(uint16(rng.Uint32()), rng.Uint32(), rng.Uint32(), 96, true, 0x65, 0xee))
			case 2:
				s.put(0, home, rtpPacket(uint16(rng.Uint32()), rng.Uint32(), 7, 111, true, 1))
			case 3:
				s.put(0, home, rtpPacket(uint16(rng.Uint32()), rng.Uint32(), rng.Uint32(), 96, true, 0x65, 0xee))
			}
		}
	}
	got, c := s.take(), s.Stats()[0]
	if len(got) != 200 || c.Sources != 1 || c.Damaged != 0 || c.Unknown < 25000 || c.Malformed == 0 {
		t.Errorf("%d units: %+v", len(got), c)
	}
}

// TestOversized: a unit without end is dropped at its limit.
func TestOversized(t *testing.T) {
	s := newStand(t, h264URL, func(c *Config) { c.MaxUnit, c.MaxMemory = 64<<10, 1<<20 })
	s.frame(home, 7, 0, true)
	big := append([]byte{0x7c, 0x01}, make([]byte, 1000)...)
	for i := range 1000 {
		p := bytes.Clone(big)
		if i == 0 {
			p[1] = 0x81
		}
		s.put(0, home, rtpPacket(uint16(3+i), tick, 7, 96, false, p...))
	}
	s.put(0, home, rtpPacket(1003, 2*tick, 7, 96, true, 0x65, 1))
	got, c := s.take(), s.Stats()[0]
	if len(got) != 2 || c.Oversized == 0 {
		t.Errorf("%d units: %+v", len(got), c)
	}
	if s.units.bytes > 1<<20 || s.units.out() != 0 {
		t.Errorf("%d bytes, %d units out", s.units.bytes, s.units.out())
	}
}

// TestNobodyReads: units are bounded, and reading begins with a key frame that is not old.
func TestNobodyReads(t *testing.T) {
	s := newStand(t, h264URL, nil)
	for n := range 3000 {
		s.frame(home, 7, n, n%60 == 0)
	}
	got, c := s.take(), s.Stats()[0]
	if len(got) == 0 || len(got) > maxQueued || !got[0].Key {
		t.Fatalf("%d units, %+v", len(got), c)
	}
	if age := s.now.Sub(got[0].Received); age > 2500*time.Millisecond {
		t.Errorf("reading begins %v in the past", age)
	}
	if c.Skipped == 0 || s.units.out() != 0 {
		t.Errorf("%d skipped, %d out", c.Skipped, s.units.out())
	}
}

// TestDeliver: units go straight to who takes them, those that waited first; one that is not
// taken is skipped with all up to the next key frame; none comes after an interrupt.
func TestDeliver(t *testing.T) {
	s := newStand(t, h264URL, nil)
	var got []byte // the numbers of pictures
	full := false
	frames := func(from, to int) {
		for n := from; n < to; n++ {
			s.frame(home, 7, n, n%10 == 0)
		}
	}
	frames(0, 3)
	s.Deliver(func(au *media.AccessUnit) bool {
		if full {
			return false
		}
		got = append(got, au.Data[5])
		au.Release()
		return true
	})
	frames(3, 6)
	full = true
	frames(6, 7)
	full = false
	frames(7, 12)
	if want := []byte{0, 1, 2, 3, 4, 5, 10, 11}; !bytes.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if c := s.Stats()[0]; c.Skipped != 1 || s.units.out() != 0 {
		t.Errorf("%d skipped, %d out", c.Skipped, s.units.out())
	}
	s.Interrupt()
	frames(12, 22)
	var au media.AccessUnit
	if err := s.Read(&au); err != os.ErrClosed || len(got) != 8 || s.units.out() != 0 {
		t.Errorf("after the interrupt: %v, %d pictures, %d out", err, len(got), s.units.out())
	}
}

func TestRetransmission(t *testing.T) {
	d, err := Parse([]byte("v=0\nm=video 5004 RTP/AVPF 96 97\na=rtpmap:96 H264/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\na=rtcp-fb:96 nack\na=rtcp-fb:96 nack pli\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := describedStand(t, d, nil)
	for n := range 20 {
		s.frame(home, 7, n, n == 0)
	}
	s.put(0, home, rtpPacket(60, 20*tick, 7, 96, false, 0x7c, 0x81, 1, 0))
	s.put(0, home, rtpPacket(62, 20*tick, 7, 96, true, 0x7c, 0x41, 1, 2))
	s.now += 3 * ms
	var f feedback
	tr := s.tracks[0]
	tr.mu.Lock()
	due := tr.due(s.now, &f)
	tr.mu.Unlock()
	if !due || len(f.nacks) != 1 || uint16(f.nacks[0]) != 61 {
		t.Fatalf("asked for %v", f.nacks)
	}
	p, err := f.marshal()
	if err != nil {
		t.Fatal(err)
	}
	all, err := rtcp.Unmarshal(p)
	if err != nil || len(all) != 3 {
		t.Fatalf("%v: %v", all, err)
	}
	if n, ok := all[2].(*rtcp.TransportLayerNack); !ok || n.MediaSSRC != 7 || n.Nacks[0].PacketID != 61 {
		t.Errorf("%v", all[2])
	}
	s.put(0, home, rtpPacket(900, 20*tick, 1234, 97, false, 0, 61, 0x7c, 0x01, 1, 1))
	got, c := s.take(), s.Stats()[0]
	if len(got) != 21 || c.Recovered != 1 || c.Lost+c.Damaged != 0 || c.NACKs != 1 {
		t.Errorf("%d units: %+v", len(got), c)
	}
}

// TestReceiverReport compares what is sent with what another implementation reads.
func TestReceiverReport(t *testing.T) {
	s := newStand(t, h264URL, nil)
	for n := range 30 {
		if n == 10 {
			s.frame(home, 7, n, false, 0, 1, 2)
			continue
		}
		s.frame(home, 7, n, n == 0)
	}
	sr, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 7, NTPTime: 0xe000000080000000, RTPTime: 30 * tick}})
	tr := s.tracks[0]
	tr.readControl(&udp.Packet{Data: sr, From: home, Received: s.now})
	var f feedback
	tr.due(s.now, &f) // sets the time of the first report
	s.now += 1000 * ms
	if !tr.due(s.now, &f) || !f.hasReport {
		t.Fatal("no report is due")
	}
	p, err := f.marshal()
	if err != nil {
		t.Fatal(err)
	}
	all, err := rtcp.Unmarshal(p)
	if err != nil {
		t.Fatal(err)
	}
	r := all[0].(*rtcp.ReceiverReport).Reports[0]
	if r.SSRC != 7 || r.TotalLost != 3 || r.FractionLost != 3*256/90 || r.LastSequenceNumber != 89 || r.LastSenderReport != 0x00008000 || r.Delay != 65536 {
		t.Errorf("%+v", r)
	}
	if _, ok := all[1].(*rtcp.SourceDescription); !ok {
		t.Errorf("%T follows the report", all[1])
	}
}

// TestLipSync: pictures that need 120 ms longer than their sound are moved back to it.
func TestLipSync(t *testing.T) {
	d, err := Parse([]byte(ffmpegSDP))
	if err != nil {
		t.Fatal(err)
	}
	s := describedStand(t, d, nil)
	s.now = 10e9
	ntp := func(at media.Instant) uint64 {
		return uint64(at/1e9)<<32 | uint64(at%1e9)<<32/1e9
	}
	report := func(stream int, ts uint32, at media.Instant) {
		b, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: uint32(7 + stream), NTPTime: ntp(at), RTPTime: ts}})
		s.tracks[stream].readControl(&udp.Packet{Data: b, From: home, Received: s.now})
	}
	const late = 120 * ms
	videoSeq, audioSeq := uint16(0), uint16(0)
	var lastV, lastA media.AccessUnit
	start := s.now
	for i := range 10000 { // 1 ms each
		s.now = start + media.Instant(i)*ms
		at := media.Instant(i) * ms // at the sender
		if i%20 == 0 {
			s.put(1, home, rtpPacket(audioSeq, 5000+uint32(i*48), 8, 97, true, 1, 2, 3))
			audioSeq++
		}
		if v := at - late; v >= 0 && v/ms%20 == 0 {
			s.put(0, home, rtpPacket(videoSeq, 900+uint32(v/ms*90), 7, 96, true, 0x65, 1))
			videoSeq++
		}
		if i%1000 == 999 {
			report(0, 900+uint32(i*90), at)
			report(1, 5000+uint32(i*48), at)
		}
		for _, au := range s.take() {
			if au.Stream == 0 {
				lastV = au
			} else {
				lastA = au
			}
		}
	}
	// By now a picture and the sound of the same moment have the same timestamp.
	v := time.Duration(lastV.PTS) // of i = 9880 at the sender, or so
	a := time.Duration(lastA.PTS) // of 9980
	if off := (a - v) - (9980-9860)*time.Millisecond; off < -time.Millisecond || off > time.Millisecond {
		t.Errorf("the picture is off by %v; moved by %v", off, s.Stats()[0].LipSync)
	}
	if d := s.Delay(); d < 100*time.Millisecond || d > 140*time.Millisecond {
		t.Errorf("delay %v: pictures come 120 ms after their sound", d)
	}
}

func TestNoAllocations(t *testing.T) {
	s := newStand(t, h264URL, nil)
	var au media.AccessUnit
	packets := make([][]byte, 3)
	for i := range packets {
		packets[i] = rtpPacket(0, 0, 7, 96, i == 2, append([]byte{0x7c, []byte{0x81, 1, 0x41}[i]}, make([]byte, 1000)...)...)
	}
	packets[0][13] = 0x85
	n, loss := 0, 0
	step := func() {
		for i, p := range packets {
			binary.BigEndian.PutUint16(p[2:], uint16(n*3+i))
			binary.BigEndian.PutUint32(p[4:], uint32(n*tick))
			if loss++; loss%97 == 0 {
				continue
			}
			s.put(0, home, p)
		}
		s.now += 16666667
		n++
		for s.queue.oldest() != 0 {
			if s.queue.pop(&au) == nil {
				au.Release()
			}
		}
	}
	for range 100 {
		step()
	}
	hundred := func() { // a mean below one is cut off
		for range 100 {
			step()
		}
	}
	if a := testing.AllocsPerRun(10, hundred); a != 0 {
		t.Errorf("%v allocations for a hundred pictures of three packets", a)
	}
	s.Deliver(func(u *media.AccessUnit) bool {
		au = *u
		au.Release()
		return true
	})
	if a := testing.AllocsPerRun(10, hundred); a != 0 {
		t.Errorf("%v allocations for a hundred pictures that are delivered", a)
	}
	if c := s.Stats()[0]; c.Units < 2000 {
		t.Errorf("%+v", c)
	}
}

// FuzzSource gives a source any packets, RTP and RTCP, from three senders.
func FuzzSource(f *testing.F) {
	f.Add([]byte{0, 16, 0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0x65, 1, 2, 3, 0, 14, 0x80, 96, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7, 0x65, 1})
	f.Add([]byte{3, 28, 0x80, 200, 0, 6, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	// Two packets, one of error correction for them and the next one, in band and beside.
	two := []byte{0, 16, 0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0x65, 1, 2, 3, 0, 14, 0x80, 96, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7, 0x65, 1}
	for _, p := range [][]byte{
		rtpPacket(4, 0, 7, 122, false, ulpfec(two[2:18], two[20:], rtpPacket(3, 0, 7, 96, true, 0x65))...),
		rtpPacket(4, 0, 99, 110, false, flexfec(7, two[2:18], two[20:], rtpPacket(3, 0, 7, 96, true, 0x65))...),
	} {
		again := append([]byte{0, byte(len(p))}, p...)
		f.Add(slices.Concat(two, again, two, again))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		small := func(c *Config) { c.MaxUnit, c.MaxMemory = 4096, 1<<20 }
		for _, s := range []*stand{newStand(t, h264URL, small), newStand(t, "rtp://127.0.0.1:5004?codec=vp9&nack&pli&mux", small),
			newStand(t, "rtp://127.0.0.1:5004?codec=av1&pt=96", small), corrected(t, small)} {
			tr := s.tracks[0]
			for in := b; len(in) >= 2; {
				flags, n := in[0], min(int(in[1]), len(in)-2)
				p := bytes.Clone(in[2 : 2+n])
				in = in[2+n:]
				from := []netip.AddrPort{home, other, netip.AddrPortFrom(home.Addr(), 6000)}[flags>>2%3]
				switch {
				case flags&3 == 3:
					tr.readControl(&udp.Packet{Data: p, From: from, Received: s.now})
				default:
					s.put(0, from, p)
				}
				s.idle(time.Duration(flags>>4) * time.Millisecond)
				var fb feedback
				if tr.due(s.now, &fb) {
					if _, err := fb.marshal(); err != nil {
						t.Fatal(err)
					}
				}
			}
			s.take()
			tr.end(nil)
			if n := s.units.out(); n != 0 {
				t.Fatalf("%d units leak", n)
			}
			if s.units.bytes > 1<<20 {
				t.Fatalf("%d bytes", s.units.bytes)
			}
		}
	})
}
