package jitter

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scanout-av/scanout/media"
)

const ms = media.Instant(time.Millisecond)

// arrival is a packet, or a look at the buffer, at an instant.
type arrival struct {
	at   media.Instant // in ms
	seq  int           // −1: nothing comes
	want Verdict
	out  []int // what comes out after it, negative: so many were given up
}

func TestBuffer(t *testing.T) {
	tests := []struct {
		name string
		wait time.Duration
		in   []arrival
	}{
		{"in order", 20 * time.Millisecond, []arrival{{0, 5, Taken, []int{5}}, {1, 6, Taken, []int{6}}, {2, 7, Taken, []int{7}}}},
		{"wrap", 20 * time.Millisecond, []arrival{{0, 65534, Taken, []int{65534}}, {1, 65535, Taken, []int{65535}}, {2, 0, Taken, []int{0}}, {3, 1, Taken, []int{1}}}},
		{"swapped", 20 * time.Millisecond, []arrival{{0, 5, Taken, []int{5}}, {1, 7, Taken, nil}, {2, 6, Taken, []int{6, 7}}}},
		{"swapped over the wrap", 20 * time.Millisecond, []arrival{{0, 65534, Taken, []int{65534}}, {1, 0, Taken, nil}, {2, 65535, Taken, []int{65535, 0}}}},
		{"lost", 20 * time.Millisecond, []arrival{{0, 5, Taken, []int{5}}, {1, 7, Taken, nil}, {20, -1, 0, nil}, {21, -1, 0, []int{-1, 7}}}},
		{"two gaps", 20 * time.Millisecond, []arrival{{0, 5, Taken, []int{5}}, {1, 7, Taken, nil}, {9, 10, Taken, nil}, {21, -1, 0, []int{-1, 7}}, {28, -1, 0, nil}, {29, -1, 0, []int{-2, 10}}}},
		{"no wait", 0, []arrival{{0, 5, Taken, []int{5}}, {1, 7, Taken, []int{-1, 7}}, {2, 6, Late, nil}}},
		{"duplicates", 20 * time.Millisecond, []arrival{{0, 5, Taken, []int{5}}, {0, 5, Duplicate, nil}, {1, 7, Taken, nil}, {1, 7, Duplicate, nil}, {2, 6, Taken, []int{6, 7}}, {3, 6, Duplicate, nil}}},
		{"late, then its duplicate", 5 * time.Millisecond, []arrival{{0, 5, Taken, []int{5}}, {1, 7, Taken, nil}, {6, -1, 0, []int{-1, 7}}, {7, 6, Late, nil}, {7, 6, Duplicate, nil}}},
		{"a stray number", 20 * time.Millisecond, []arrival{{0, 5, Taken, []int{5}}, {1, 40000, Strange, nil}, {2, 6, Taken, []int{6}}}},
		{"another sequence", 20 * time.Millisecond, []arrival{{0, 5, Taken, []int{5}}, {1, 40000, Strange, nil}, {2, 40001, Jumped, nil}}},
		{"a longer gap than there is room", 20 * time.Millisecond, []arrival{{0, 5, Taken, []int{5}}, {1, 5000, Taken, []int{-4994, 5000}}, {2, 5001, Taken, []int{5001}}}},
		{"a longer gap, and one that waits", 20 * time.Millisecond, []arrival{{0, 5, Taken, []int{5}}, {1, 7, Taken, nil}, {1, 5000, Full, nil}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := NewBuffer[int](BufferConfig{Packets: 64, MaxWait: tt.wait, MinWait: tt.wait})
			for i, a := range tt.in {
				at := a.at*ms + 1
				if a.seq >= 0 {
					if v, _ := b.Insert(uint16(a.seq), at, a.seq); v != a.want {
						t.Fatalf("step %d: packet %d was %v, want %v", i, a.seq, v, a.want)
					}
				}
				var out []int
				for {
					v, _, lost, ok := b.Next(at)
					if !ok {
						break
					}
					if lost > 0 {
						out = append(out, -lost)
					}
					out = append(out, v)
				}
				if d := cmp.Diff(a.out, out); d != "" {
					t.Fatalf("step %d (-want +got)\n%s", i, d)
				}
			}
		})
	}
}

func TestBufferJumps(t *testing.T) {
	b := NewBuffer[int](BufferConfig{Packets: 64, MaxWait: time.Second, MinWait: time.Second})
	b.Insert(1, 1, 1)
	b.Next(1)
	b.Insert(3, 1, 3) // waits for 2
	if v, _ := b.Insert(30000, 2, 30000); v != Strange {
		t.Fatal(v)
	}
	if v, _ := b.Insert(30001, 3, 30001); v != Jumped {
		t.Fatal(v)
	}
	if v, ok := b.Flush(); !ok || v != 3 {
		t.Fatal(v, ok)
	}
	b.Restart(30000)
	for n := 30000; n < 30003; n++ {
		if v, _ := b.Insert(uint16(n), 3, n); v != Taken {
			t.Fatal(v)
		}
		if v, _, lost, ok := b.Next(3); !ok || v != n || lost != 0 {
			t.Fatal(v, lost, ok)
		}
	}
	if v, _ := b.Insert(3, 3, 3); v != Strange {
		t.Fatal(v)
	}
}

// TestBufferLearnsToWait: packets that come in disorder are waited for, and no longer than
// they take.
func TestBufferLearnsToWait(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	b := NewBuffer[int](BufferConfig{MaxWait: 200 * time.Millisecond, MinWait: 5 * time.Millisecond})
	type event struct {
		at  media.Instant
		seq int
	}
	var events []event
	for i := range 20000 {
		at := media.Instant(i) * ms
		if rng.Float64() < 0.05 {
			at += 30 * ms
		}
		events = append(events, event{at, i})
	}
	// By arrival.
	for i := 1; i < len(events); i++ {
		for j := i; j > 0 && events[j].at < events[j-1].at; j-- {
			events[j], events[j-1] = events[j-1], events[j]
		}
	}
	lost := 0
	for i, e := range events {
		b.Insert(uint16(e.seq), e.at, e.seq)
		for {
			_, _, n, ok := b.Next(e.at)
			if !ok {
				break
			}
			if i > 1000 {
				lost += n
			}
		}
	}
	if w := b.Wait(); w < 30*time.Millisecond || w > 60*time.Millisecond {
		t.Errorf("waits for %v", w)
	}
	if lost > 20 {
		t.Errorf("%d packets of 19000 given up that came in the end", lost)
	}
	// Once the network is quiet, it is forgotten.
	for i := range 60 {
		at := 20000*ms + media.Instant(i)*1000*ms
		b.Insert(uint16(20000+2*i), at, 0)
		b.Next(at)
		b.Next(at + 500*ms)
	}
	if w := b.Wait(); w > 6*time.Millisecond {
		t.Errorf("still waits for %v", w)
	}
}

// network makes arrivals of a 60 fps stream whose crystal is off by ppm.
type network struct {
	rng    *rand.Rand
	ppm    float64
	jitter time.Duration
}

func (n *network) frame(i int) (ts int64, at media.Instant) {
	ts = int64(i) * 1500
	sent := float64(i) * 1e9 / 60 / (1 + n.ppm/1e6)
	d := 0.0
	if n.jitter > 0 {
		d = n.rng.Float64() * float64(n.jitter)
	}
	return ts, media.Instant(1e9 + sent + d)
}

// TestClockForAnHour: whatever the sender's crystal does, re-timed frames stay where the
// quickest packets are: there is nothing that grows.
func TestClockForAnHour(t *testing.T) {
	for _, ppm := range []float64{-200, -20, 0, 20, 200} {
		for _, jitter := range []time.Duration{0, 5 * time.Millisecond, 50 * time.Millisecond} {
			n := network{rand.New(rand.NewPCG(5, 6)), ppm, jitter}
			c := NewClock(90000)
			var worstEarly, worstLate, worstStep float64
			var last media.Instant
			for i := range 3600 * 60 {
				ts, at := n.frame(i)
				if c.Observe(ts, at) {
					t.Fatal("restarted")
				}
				c.Follow(at)
				got := c.At(ts)
				if i > 60*20 {
					off := float64(got) - (1e9 + float64(i)*1e9/60/(1+ppm/1e6))
					worstEarly, worstLate = min(worstEarly, off), max(worstLate, off)
					worstStep = max(worstStep, math.Abs(float64(got-last)-1e9/60))
				}
				last = got
			}
			limit := float64(time.Millisecond) + 0.15*float64(jitter)
			if -worstEarly > limit || worstLate > limit {
				t.Errorf("%v ppm, jitter %v: re-timed frames are off by %.2f to %.2f ms", ppm, jitter, worstEarly/1e6, worstLate/1e6)
			}
			if worstStep > 0.5e6 {
				t.Errorf("%v ppm, jitter %v: the interval of two frames is off by %.2f ms", ppm, jitter, worstStep/1e6)
			}
			if d := c.PPM() - ppm; math.Abs(d) > 15 && jitter < 10*time.Millisecond {
				t.Errorf("%v ppm, jitter %v: drift seen as %.1f ppm", ppm, jitter, c.PPM())
			}
		}
	}
}

func TestClockFollowsThePath(t *testing.T) {
	n := network{rand.New(rand.NewPCG(7, 8)), 50, 4 * time.Millisecond}
	c := NewClock(90000)
	shift := media.Instant(0)
	for i := range 60 * 60 {
		switch i {
		case 60 * 20:
			shift = 40 * ms // another route
		case 60 * 40:
			shift = 0
		}
		ts, at := n.frame(i)
		c.Observe(ts, at+shift)
		c.Follow(at + shift)
		if i == 60*25 || i == 60*45 {
			if off := c.At(ts).Sub(media.Instant(1e9+float64(i)*1e9/60/(1+50e-6)) + shift); off < -2*time.Millisecond || off > 5*time.Millisecond {
				t.Errorf("five seconds after the path changed by %v: off by %v", shift, off)
			}
		}
	}
	if c.Steps() < 2 {
		t.Errorf("%d steps", c.Steps())
	}
	if d := c.PPM(); math.Abs(d-50) > 20 {
		t.Errorf("drift seen as %.1f ppm", d)
	}
}

func TestClockRestarts(t *testing.T) {
	c := NewClock(90000)
	at := 1000 * ms
	for i := range 100 {
		c.Observe(int64(i)*1500, at)
		at += 16 * ms
	}
	// One packet of another time is not believed, two are.
	if c.Observe(1<<40, at) {
		t.Error("one stray timestamp restarts the clock")
	}
	if c.Observe(100*1500, at) {
		t.Error("restarted after a stray timestamp")
	}
	at += 16 * ms
	c.Observe(1<<40, at)
	at += 16 * ms
	if !c.Observe(1<<40+1500, at) {
		t.Error("another timeline was not noticed")
	}
	if off := c.At(1<<40 + 1500).Sub(at); off != 0 {
		t.Errorf("off by %v", off)
	}
}

func TestDelay(t *testing.T) {
	var d Delay
	rng := rand.New(rand.NewPCG(1, 1))
	now := media.Instant(1e9)
	for range 60 * 5 {
		d.Observe(time.Duration(rng.Float64()*float64(50*time.Millisecond)), now)
		now += 16 * ms
	}
	if got := d.Target(); got < 40*time.Millisecond || got > 56*time.Millisecond {
		t.Errorf("target %v for 50 ms of jitter", got)
	}
	// It moves slowly, and comes down again.
	before := d.Target()
	for range 60 {
		d.Observe(400*time.Millisecond, now)
		now += 16 * ms
	}
	if got := d.Target() - before; got > 110*time.Millisecond {
		t.Errorf("the target rose by %v in a second", got)
	}
	for range 60 * 60 {
		d.Observe(0, now)
		now += 16 * ms
	}
	if got := d.Target(); got != 0 {
		t.Errorf("target %v for no jitter", got)
	}
}

// TestReception compares with the formulas of RFC 3550, A.3 and A.8, in their plain form.
func TestReception(t *testing.T) {
	r := NewReception(90000)
	rng := rand.New(rand.NewPCG(9, 9))
	var jitter float64
	var lastTransit int64
	received := 0
	base := int64(1<<16 + 65500)
	for i := range 2000 {
		if i%10 == 3 {
			continue
		}
		ts := uint32(4294960000 + i*1500) // wraps
		at := 5e9 + media.Instant(i)*1500*100000/9 + media.Instant(rng.IntN(5000000))
		transit := int64(int32(uint32(int64(at)*9/100000) - ts))
		if received > 0 {
			d := math.Abs(float64(transit - lastTransit))
			jitter += (d - jitter) / 16
		}
		lastTransit = transit
		r.Receive(base+int64(i), ts, at)
		received++
	}
	b, ok := r.Report(100e9)
	if !ok {
		t.Fatal("no report")
	}
	if b.TotalLost != 200 || b.FractionLost != 25 { // 200/2000 of 256
		t.Errorf("lost %d, %d/256", b.TotalLost, b.FractionLost)
	}
	if want := uint32(65500 + 1999); b.HighestSequence != want {
		t.Errorf("highest sequence %d, want %d", b.HighestSequence, want)
	}
	if math.Abs(float64(b.Jitter)-jitter) > 2 {
		t.Errorf("jitter %d, want %.1f", b.Jitter, jitter)
	}
	if b.LastSenderReport != 0 || b.Delay != 0 {
		t.Error("a sender report out of nowhere")
	}
	r.SenderReport(0x1234567890abcdef, 200e9)
	b, _ = r.Report(200e9 + 1500*ms)
	if b.LastSenderReport != 0x567890ab || b.Delay != 3*65536/2 {
		t.Errorf("LSR %x, DLSR %d", b.LastSenderReport, b.Delay)
	}
	if b.FractionLost != 0 || b.TotalLost != 200 {
		t.Errorf("in an interval without packets: %d/256, %d in all", b.FractionLost, b.TotalLost)
	}
	// Duplicates make the loss negative, as the RFC wants it.
	r.Reset()
	for range 3 {
		r.Receive(base, 0, 1e9)
	}
	if b, _ := r.Report(2e9); b.TotalLost != -2 || b.FractionLost != 0 {
		t.Errorf("after two duplicates: %d, %d/256", b.TotalLost, b.FractionLost)
	}
}

func TestNacks(t *testing.T) {
	var k Nacks
	var seqs [8]int64
	for i := range int64(100) {
		k.Receive(i, 0)
	}
	k.Miss(101, 0)
	k.Miss(102, 0)
	if n := k.Due(1*ms, seqs[:]); n != 0 {
		t.Error("asked before reordering could mend it")
	}
	if n := k.Due(2*ms, seqs[:]); n != 2 {
		t.Errorf("asked for %d", n)
	}
	if n := k.Due(3*ms, seqs[:]); n != 0 {
		t.Error("asked twice in a round trip")
	}
	k.Receive(102, 10*ms)
	if k.RTT != 8*time.Millisecond {
		t.Errorf("round trip %v", k.RTT)
	}
	asked := 0
	for at := 10 * ms; at < 1000*ms; at += ms {
		asked += k.Due(at, seqs[:])
	}
	if asked != 3 {
		t.Errorf("asked %d more times", asked)
	}
	// A network that loses everything is not flooded.
	for i := range int64(1000) {
		k.Miss(1000+i, 0)
	}
	asked = 0
	for at := media.Instant(0); at < 10000*ms; at += ms {
		asked += k.Due(at, seqs[:])
	}
	if asked > nackReserve {
		t.Errorf("%d requests for 100 packets received", asked)
	}
}

// TestNackRoundTrip plays ways of which nothing is known beforehand, and which lose one
// request or answer in eight: packets are asked for about as often as that takes.
func TestNackRoundTrip(t *testing.T) {
	const us = ms / 1000
	for _, way := range []time.Duration{100 * time.Microsecond, 2 * time.Millisecond, 60 * time.Millisecond, 150 * time.Millisecond} {
		var k Nacks
		var seqs [8]int64
		type answer struct {
			seq int64
			at  media.Instant
		}
		var coming []answer
		asked, missing := 0, 0
		seq, next := int64(0), media.Instant(0)
		for at := media.Instant(0); at < 20e9; at += 100 * us {
			for len(coming) > 0 && coming[0].at <= at {
				k.Receive(coming[0].seq, at)
				coming = coming[1:]
			}
			for ; next <= at; next += ms {
				if seq++; seq%20 == 0 {
					k.Miss(seq, at)
					missing++
				} else {
					k.Receive(seq, at)
				}
			}
			for _, s := range seqs[:k.Due(at, seqs[:])] {
				if asked++; asked%8 != 0 {
					coming = append(coming, answer{s, at.Add(way)})
				}
			}
		}
		if got := float64(asked) / float64(missing); got > 1.3 {
			t.Errorf("%v: %d packets were missing and asked for %.2f times each; the way was taken for %v", way, missing, got, k.RTT)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	b := NewBuffer[[4]int](BufferConfig{MaxWait: 10 * time.Millisecond})
	c := NewClock(90000)
	r := NewReception(90000)
	var d Delay
	var k Nacks
	i := 0
	if n := testing.AllocsPerRun(5000, func() {
		i++
		if i%50 == 0 {
			return
		}
		at := media.Instant(i) * ms
		_, seq := b.Insert(uint16(i), at, [4]int{})
		r.Receive(seq, uint32(i*1500), at)
		c.Observe(int64(i)*1500, at)
		c.Follow(at)
		d.Observe(time.Duration(i%30)*time.Millisecond, at)
		b.Missing(func(seq int64) bool { k.Miss(seq, at); return true })
		k.Receive(seq, at)
		for {
			if _, _, _, ok := b.Next(at); !ok {
				break
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for a packet", n)
	}
}

// FuzzBuffer gives a buffer any numbers at any time: everything that is taken comes out
// once and in order, and nothing waits for longer than it may.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 0, 4, 0, 3})
	f.Add([]byte{255, 255, 0, 0, 128, 0, 128, 1, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		b := NewBuffer[int64](BufferConfig{Packets: 32, MaxWait: 10 * time.Millisecond, MinWait: time.Millisecond})
		taken, out := 0, 0
		last := int64(-1)
		now := media.Instant(1)
		take := func() {
			for {
				v, seq, lost, ok := b.Next(now)
				if !ok {
					break
				}
				if lost < 0 || seq <= last || v&0xffff != seq&0xffff {
					t.Fatalf("packet %d as %d after %d, %d lost", v, seq, last, lost)
				}
				last = seq
				out++
			}
		}
		for len(in) >= 2 {
			n := uint16(in[0])<<8 | uint16(in[1])
			now += media.Instant(in[0]%3) * ms
			in = in[2:]
			v, _ := b.Insert(n, now, int64(n))
			if v == Jumped || v == Full {
				for {
					if _, ok := b.Flush(); !ok {
						break
					}
					out++
				}
				if v == Jumped {
					b.Restart(n)
				}
				if v, _ = b.Insert(n, now, int64(n)); v != Taken {
					t.Fatalf("%v after a flush", v)
				}
			}
			if v == Taken {
				taken++
			}
			take()
			if d := b.Deadline(); b.Held() > 0 && d > now+10*ms {
				t.Fatalf("waits until %d at %d", d, now)
			}
		}
		now += 20 * ms
		for b.Held() > 0 {
			before := b.Held()
			take()
			now += 20 * ms
			if b.Held() == before {
				t.Fatal("stuck")
			}
		}
		if taken != out {
			t.Fatalf("%d taken, %d came out", taken, out)
		}
	})
}

// TestBufferLateByATurn: a late packet whose place in the ring is taken by one that waits.
func TestBufferLateByATurn(t *testing.T) {
	b := NewBuffer[int](BufferConfig{Packets: 32, MaxWait: time.Second, MinWait: time.Second})
	for i := range 40 {
		b.Insert(uint16(100+i), 1, i)
		b.Next(1)
	}
	b.Insert(141, 1, 41) // waits for 140, in the place of 109
	if v, _ := b.Insert(109, 1, 9); v != Late {
		t.Error(v)
	}
	if v, ok := b.Flush(); !ok || v != 41 {
		t.Error(v, ok)
	}
}

// TestNacksWaitForCorrection: what something else may give back is asked for later, and what it
// gave back not at all; the time that took says nothing about the round trip.
func TestNacksWaitForCorrection(t *testing.T) {
	k := Nacks{Grace: 20 * time.Millisecond}
	now := media.Instant(1e9)
	for range 40 {
		k.Receive(0, now)
	}
	for seq := range int64(3) {
		k.Miss(seq, now)
	}
	var seqs [8]int64
	if n := k.Due(now.Add(19*time.Millisecond), seqs[:]); n != 0 {
		t.Errorf("%d asked for before their time", n)
	}
	k.Forget(1)
	k.Forget(7)
	if n := k.Due(now.Add(20*time.Millisecond), seqs[:]); n != 2 || k.Sent() != 2 {
		t.Errorf("%d asked for: %v", n, seqs[:n])
	}
	k.Forget(0)
	k.Forget(2)
	if n := k.Due(now.Add(time.Second), seqs[:]); n != 0 || k.RTT != 0 || k.Next() != 0 {
		t.Errorf("%d asked for again, round trip %v, next %v", n, k.RTT, k.Next())
	}
}
