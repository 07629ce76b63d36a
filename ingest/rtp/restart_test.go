package rtp

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/scanout-av/scanout/internal/udp"
)

// numbered sends a picture of three packets whose numbers begin at seq.
func (s *stand) numbered(seq uint16, ts uint32, n byte, key bool) {
	nal := byte(1)
	if key {
		nal = 5
	}
	for i := range 3 {
		flag := []byte{0x80, 0, 0x40}[i]
		s.put(0, home, rtpPacket(seq+uint16(i), ts, 7, 96, i == 2, 0x7c, flag|nal, 0x80|n, byte(i)))
	}
	s.now += 16666667
}

func (s *stand) goodbye() {
	b, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 7}, &rtcp.Goodbye{Sources: []uint32{7}}})
	s.tracks[0].readControl(&udp.Packet{Data: b, From: home, Received: s.now})
}

// TestNearSequenceStartsAgain: a sender that is started again with its old SSRC and numbers
// that are near the old ones. Its timestamps tell, or its goodbye: nothing of what it begins
// with is late, a duplicate or the end of a loss.
func TestNearSequenceStartsAgain(t *testing.T) {
	const old = 40000 // after the last number
	for _, c := range []struct {
		name  string
		seq   uint16
		ts    uint32 // after the last timestamp
		pause time.Duration
		bye   bool
	}{
		{"behind, timestamps ahead", old - 60, 1 << 30, 50 * time.Millisecond, false},
		{"behind, timestamps behind", old - 60, 1 << 31, 50 * time.Millisecond, false},
		{"far behind", old - 500, 1 << 30, 50 * time.Millisecond, false},
		{"behind, timestamps by the time of day", old - 60, 5 * 90000, 5 * time.Second, false},
		{"the same numbers, timestamps by the time of day", old - 30, 45000, 500 * time.Millisecond, false},
		{"ahead", old + 3000, 1 << 30, 50 * time.Millisecond, false},
		{"ahead by more than the buffer holds", old + 9000, 1 << 30, 50 * time.Millisecond, false},
		{"ahead, timestamps by the time of day, a goodbye", old + 3000, 45000, 500 * time.Millisecond, true},
		{"behind, timestamps by the time of day, a goodbye", old - 300, 45000, 500 * time.Millisecond, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, h264URL, patient)
			ts := uint32(90000)
			for n := range 100 {
				s.numbered(uint16(old-300+3*n), ts, byte(n), n == 0)
				ts += tick
			}
			if c.bye {
				s.goodbye()
			}
			s.idle(c.pause)
			before := s.take()
			if len(before) != 100 {
				t.Fatalf("%d units of 100 before", len(before))
			}
			for n := range 100 {
				s.numbered(c.seq+uint16(3*n), ts+c.ts+uint32(n*tick), byte(n), n == 0)
			}
			got, k := s.take(), s.Stats()[0]
			if len(got) != 100 || !got[0].Key || !got[0].Discontinuity || k.Lost+k.Late+k.Duplicate+k.Strange+k.Damaged != 0 || k.Sources != 1 {
				t.Fatalf("%d units of 100, %+v", len(got), k)
			}
			last := before[len(before)-1]
			for i, au := range got {
				want := c.pause + time.Duration(i+1)*16666667
				if d := time.Duration(au.PTS-last.PTS) - want; d.Abs() > 20*time.Millisecond {
					t.Fatalf("unit %d is %v from its time", i, d)
				}
			}
			if tr := s.tracks[0]; tr.sender.bye || tr.over(s.now) {
				t.Error("what began again counts as ended")
			}
		})
	}
}

// TestNearSequenceGoesOn: what looks a little like a new beginning and is none.
func TestNearSequenceGoesOn(t *testing.T) {
	begin := func() (*stand, uint16, uint32) {
		s := newStand(t, h264URL, patient)
		for n := range 100 {
			s.numbered(uint16(1000+3*n), uint32(90000+n*tick), byte(n), n == 0)
		}
		return s, 1300, 90000 + 100*tick
	}
	goOn := func(name string, s *stand, seq uint16, ts uint32) Counters {
		t.Helper()
		s.take()
		for n := range 60 {
			s.numbered(seq+uint16(3*n), ts+uint32(n*tick), byte(n), n == 30)
		}
		s.idle(time.Second)
		if got, k := s.take(), s.Stats()[0]; len(got) != 60 || k.Restarts != 0 {
			t.Errorf("%s: %d units of 60, %+v", name, len(got), k)
		}
		return s.Stats()[0]
	}
	s, seq, ts := begin()
	s.now = s.now.Add(3 * time.Second)
	if k := goOn("a loss of 540 packets", s, seq+540, ts+180*tick); k.Lost != 540 {
		t.Errorf("%d packets were lost", k.Lost)
	}
	s, seq, ts = begin()
	s.now = s.now.Add(3 * time.Second)
	for i := seq - 200; i < seq-160; i++ { // they were on their way for 4 s
		s.put(0, home, rtpPacket(i, 90000+uint32(i-1000)/3*tick, 7, 96, false, 0x61, 1))
	}
	if k := goOn("packets that come again after 4 s", s, seq, ts+180*tick); k.Duplicate != 40 {
		t.Errorf("%d packets came twice, %d were late", k.Duplicate, k.Late)
	}
	s, seq, ts = begin()
	for i := uint16(1); i < 40; i++ { // each alone
		s.put(0, home, rtpPacket(seq-2*i, ts+1<<30, 7, 96, false, 0x61, 1))
		s.put(0, home, rtpPacket(seq+200+2*i, ts+1<<30, 7, 96, false, 0x61, 1))
	}
	if k := goOn("packets of nobody's", s, seq, ts); k.Strange != 78 {
		t.Errorf("%d of 78 packets were strange", k.Strange)
	}
	// What was given up comes late, and then again.
	s, seq, ts = begin()
	s.numbered(seq+6, ts+2*tick, 2, false)
	s.idle(time.Second)
	for range 2 {
		s.numbered(seq, ts, 0, false)
		s.numbered(seq+3, ts+tick, 1, false)
	}
	if k := goOn("late packets that come twice", s, seq+9, ts+3*tick); k.Late != 6 || k.Duplicate != 6 || k.Strange != 0 {
		t.Errorf("%+v", k)
	}
	// Pictures that stand for seconds: the last packet of one comes behind the next one's
	// first two, which come again.
	s, seq, ts = begin()
	s.put(0, home, rtpPacket(seq, ts, 7, 96, false, 0x61, 0x80))
	s.idle(5 * time.Second)
	ts += 300 * tick
	for _, i := range []uint16{2, 3, 1, 2, 3} {
		at := ts
		if i == 1 {
			at -= 300 * tick
		}
		s.put(0, home, rtpPacket(seq+i, at, 7, 96, i%2 == 1, 0x61, 0x80))
		s.now += ms
	}
	if k := goOn("packets of before a pause", s, seq+4, ts+tick); k.Duplicate != 2 {
		t.Errorf("%+v", k)
	}
}
