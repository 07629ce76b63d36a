package file

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

const ms = time.Millisecond

// sender is a made-up live source of one stream of pictures, 25 a second with a key frame
// each second, seen through a network.
type sender struct {
	s     *Source
	l     *live
	now   media.Instant
	seq   int
	clock float64 // its clock's speed
	base  time.Duration
	au    media.AccessUnit
}

const frame = 40 * ms

func newSender(network NetworkConfig) *sender {
	x := &sender{now: media.Instant(time.Hour), clock: 1, base: 7 * time.Second}
	s := &Source{cfg: Config{Network: network}, now: func() media.Instant { return x.now }, selected: []bool{true}, places: []int{0},
		bases: []media.Timebase{media.RTPVideo}}
	in := &media.Info{Live: true, LocalTime: true, Streams: []media.Stream{{Kind: media.KindVideo, Codec: "h264"}}}
	s.info.Store(in)
	x.s, x.l = s, newLive(s, in)
	x.l.begun = true
	s.live = x.l
	return x
}

// send lets the next picture come at an instant and reports whether it was passed on.
func (x *sender) send(at media.Instant) bool {
	x.now = at
	ts := x.base + time.Duration(float64(x.seq)*float64(frame)*x.clock)
	x.au = media.AccessUnit{Stream: 0, Timebase: media.RTPVideo, PTS: media.RTPVideo.Ticks(ts), DTS: media.RTPVideo.Ticks(ts),
		Duration: media.RTPVideo.Ticks(frame), Key: x.seq%25 == 0, Received: at, Assembled: at}
	x.seq++
	return x.l.admit(&x.au)
}

// place is when the last picture is due, if the way is at its quickest.
func (x *sender) place() media.Instant { return x.l.epoch.Add(time.Duration(x.au.PTS)) }

func due(k int) media.Instant { return media.Instant(time.Hour).Add(time.Duration(k) * frame) }

// Over a simulated hour with a sender whose clock drifts, pictures stay where they belong.
func TestDriftIsFollowed(t *testing.T) {
	for _, ppm := range []float64{0, 200, -200} {
		x := newSender(NetworkConfig{})
		x.clock = 1 + ppm*1e-6
		rng := rand.New(rand.NewPCG(1, 2))
		worst := time.Duration(0)
		for k := range 25 * 3600 {
			if !x.send(due(k).Add(time.Duration(rng.ExpFloat64() * float64(2*ms)))) {
				t.Fatalf("%v ppm: picture %d was dropped", ppm, k)
			}
			off := x.place().Sub(due(k))
			if k > 25*30 {
				worst = max(worst, off.Abs())
			}
		}
		if worst > 5*ms {
			t.Errorf("%v ppm: %v off", ppm, worst)
		}
		if d := x.s.Stats().DriftPPM; d < ppm-30 || d > ppm+30 {
			t.Errorf("%v ppm: taken for %v", ppm, d)
		}
		if x.s.Delay() > 20*ms {
			t.Errorf("%v ppm: delay %v", ppm, x.s.Delay())
		}
	}
}

// After a stall what was held up comes at once. Short stalls are caught up with by
// decoding; after long ones the next key frame is where it goes on. Either way pictures
// are where they were before.
func TestStallAndBacklog(t *testing.T) {
	for _, length := range []time.Duration{200 * ms, 700 * ms, 3 * time.Second, 8 * time.Second} {
		x := newSender(NetworkConfig{MaxLatency: 100 * ms})
		k := 0
		for ; k < 250; k++ {
			x.send(due(k))
		}
		resume := due(k).Add(length)
		dropped, resumed := 0, false
		for at := resume; due(k) < resume; k++ {
			at += media.Instant(100 * time.Microsecond)
			if !x.send(at) {
				dropped++
			} else if dropped > 0 && !resumed {
				resumed = true
				if !x.au.Key || !x.au.Discontinuity {
					t.Errorf("%v: goes on with a picture that is no key frame (%v) or without saying so (%v)", length, x.au.Key, x.au.Discontinuity)
				}
			}
		}
		for end := k + 100; k < end; k++ {
			if !x.send(due(k)) {
				dropped++
			}
		}
		st := x.s.Stats()
		if long := length > staleAfter; (dropped > 0) != long || st.Dropped != int64(dropped) || (st.Jumps == 1) != long {
			t.Errorf("%v: %d dropped, %+v", length, dropped, st)
		}
		if dropped > 26 {
			t.Errorf("%v: %d pictures dropped, more than to the next key frame", length, dropped)
		}
		if off := x.place().Sub(due(k - 1)); off.Abs() > 5*ms {
			t.Errorf("%v: pictures are %v off after it", length, off)
		}
	}
}

// A way that has become longer for good is given in to.
func TestLongerWay(t *testing.T) {
	x := newSender(NetworkConfig{})
	k := 0
	for ; k < 250; k++ {
		x.send(due(k))
	}
	const more = 2500 * ms
	shown := 0
	for ; k < 500; k++ {
		if x.send(due(k).Add(more)) {
			shown++
		}
	}
	if off := x.place().Sub(due(k - 1).Add(more)); off.Abs() > 5*ms {
		t.Errorf("%v off", off)
	}
	if shown < 200 {
		t.Errorf("%d of 250 shown", shown)
	}
}

// A sender that starts anew, at another time.
func TestNewTimeline(t *testing.T) {
	for _, jump := range []time.Duration{-6 * time.Second, -time.Hour, time.Hour} {
		x := newSender(NetworkConfig{})
		k := 0
		for ; k < 250; k++ {
			x.send(due(k))
		}
		x.base += jump
		for ; k < 300; k++ {
			x.send(due(k))
		}
		if off := x.place().Sub(due(k - 1)); off.Abs() > 5*ms {
			t.Errorf("%v: %v off", jump, off)
		}
	}
}

// A key frame that comes as two units, the first of them early, moves nothing.
func TestDividedUnits(t *testing.T) {
	x := newSender(NetworkConfig{})
	for k := range 1000 {
		if k%25 == 0 && k > 0 {
			x.send(due(k).Add(-frame + ms))
			x.seq--
		}
		x.send(due(k))
		if off := x.place().Sub(due(k)); off.Abs() > ms {
			t.Fatalf("picture %d is %v off", k, off)
		}
	}
}

// Packets that decoders do not take are bounded.
func TestSlowDecoder(t *testing.T) {
	x := newSender(NetworkConfig{Complete: true})
	x.send(due(0))
	x.s.packets.bytes.Store(maxOut + 1)
	for k := 1; k < 60; k++ {
		if x.send(due(k)) {
			t.Fatalf("picture %d was passed on with %d MiB out", k, maxOut>>20)
		}
	}
	x.s.packets.bytes.Store(0)
	for k := 60; k < 80; k++ {
		if got, want := x.send(due(k)), k >= 75; got != want {
			t.Errorf("picture %d: %v", k, got)
		}
	}
	if x.s.Stats().Jumps != 1 {
		t.Errorf("%+v", x.s.Stats())
	}
}

func TestRetimingAllocatesNothing(t *testing.T) {
	x := newSender(NetworkConfig{})
	k := 0
	if n := testing.AllocsPerRun(1000, func() { x.send(due(k)); k++ }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
