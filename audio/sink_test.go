package audio

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scanout-av/scanout/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeClock is a clock that tests move.
type fakeClock struct{ t media.Instant }

func (c *fakeClock) now() media.Instant      { return c.t }
func (c *fakeClock) advance(d time.Duration) { c.t = c.t.Add(d) }

func openNull(t *testing.T) (*Sink, *fakeClock) {
	t.Helper()
	c := &fakeClock{t: 1e9}
	s, err := Open(Config{Backend: Null, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, c
}

func write(t *testing.T, s *Sink, d time.Duration) {
	t.Helper()
	x := make([]float32, int(count(d, s.Rate()))*s.Channels())
	n, err := s.Write(x)
	if err != nil || n != len(x) {
		t.Fatalf("wrote %d of %d: %v", n, len(x), err)
	}
}

func position(t *testing.T, s *Sink, want time.Duration, wantOK bool) {
	t.Helper()
	got, at, ok := s.Position()
	if got != want || ok != wantOK || at != s.cfg.Now() {
		t.Fatalf("position %v at %d, %v; want %v at %d, %v", got, at, ok, want, s.cfg.Now(), wantOK)
	}
}

const ms = time.Millisecond

func TestNull(t *testing.T) {
	s, c := openNull(t)
	if s.Name() != "null" || s.Rate() != 48000 || s.Channels() != 2 || s.Choice() != "null (as asked)" {
		t.Fatalf("%q %d %d %q", s.Name(), s.Rate(), s.Channels(), s.Choice())
	}
	position(t, s, 0, false)
	c.advance(time.Second)
	position(t, s, 0, false) // nothing written: the clock has not started
	write(t, s, 100*ms)
	position(t, s, 0, true)
	c.advance(30 * ms)
	position(t, s, 30*ms, true)
	if b := s.Buffered(); b != 70*ms {
		t.Errorf("buffered %v", b)
	}
	if n := s.Room(); n != 130*48*2 {
		t.Errorf("room %d", n)
	}
	s.Pause(true)
	c.advance(time.Hour)
	position(t, s, 30*ms, true)
	s.Pause(false)
	c.advance(10 * ms)
	position(t, s, 40*ms, true)
	// A clock that runs dry waits for more and counts it once.
	c.advance(time.Second)
	position(t, s, 100*ms, true)
	if n := s.Underruns(); n != 0 {
		t.Errorf("the end of a stream counts as %d underruns", n)
	}
	write(t, s, 100*ms)
	position(t, s, 100*ms, true)
	if n := s.Underruns(); n != 1 {
		t.Errorf("%d underruns", n)
	}
	c.advance(50 * ms)
	position(t, s, 150*ms, true)
	s.Flush()
	position(t, s, 0, false)
	if b := s.Buffered(); b != 0 {
		t.Errorf("buffered after flush %v", b)
	}
	c.advance(50 * ms)
	write(t, s, 20*ms)
	c.advance(5 * ms)
	position(t, s, 5*ms, true)
	if n := s.Underruns(); n != 1 {
		t.Errorf("a flush counts as underrun: %d", n)
	}
}

// TestNullLong plays 100 hours in odd steps: arithmetic must neither overflow nor drift.
func TestNullLong(t *testing.T) {
	s, c := openNull(t)
	x := make([]float32, 1<<16)
	start := c.t
	if _, err := s.Write(x[:s.Room()]); err != nil {
		t.Fatal(err)
	}
	for c.t.Sub(start) < 100*time.Hour {
		c.advance(199_900_007) // below the capacity, so that it never runs dry
		if _, err := s.Write(x[:s.Room()]); err != nil {
			t.Fatal(err)
		}
	}
	if h, at, ok := s.Position(); !ok || h != at.Sub(start) {
		t.Errorf("position %v after %v", h, at.Sub(start))
	}
	if s.Underruns() != 0 {
		t.Errorf("%d underruns", s.Underruns())
	}
}

func TestWriteWholeFrames(t *testing.T) {
	s, _ := openNull(t)
	if n, err := s.Write(make([]float32, 5)); n != 4 || err != nil {
		t.Errorf("wrote %d: %v", n, err)
	}
	if n, err := s.Write(nil); n != 0 || err != nil {
		t.Errorf("wrote %d: %v", n, err)
	}
	if n, err := s.Write(make([]float32, 1<<20)); n >= 1<<20 || n%2 != 0 || err != nil {
		t.Errorf("wrote %d: %v", n, err)
	}
	if s.Room() != 0 {
		t.Errorf("room %d in a full sink", s.Room())
	}
}

func TestClosed(t *testing.T) {
	s, _ := openNull(t)
	write(t, s, 10*ms)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Write(make([]float32, 2)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if s.Room() != 0 {
		t.Error("a closed sink has room")
	}
	s.Flush()
	s.Pause(true)
	s.SetVolume(1)
	position(t, s, 0, true)
}

func TestVolumeRange(t *testing.T) {
	s, _ := openNull(t)
	for in, want := range map[float64]float64{-1: 0, 0.5: 0.5, 1.5: 1.5, 7: 1.5} {
		s.SetVolume(in)
		if s.Volume() != want {
			t.Errorf("SetVolume(%v) gives %v", in, s.Volume())
		}
	}
	s.SetVolume(1)
	s.SetVolume(math.NaN())
	if s.Volume() != 1 {
		t.Errorf("NaN gives %v", s.Volume())
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{
		{Rate: -1}, {Rate: 1 << 30}, {Channels: 9}, {Channels: -1}, {Latency: time.Hour}, {Latency: 1}, {Backend: 77},
	} {
		c2 := c
		c2.Now = (&fakeClock{}).now
		if s, err := Open(c2); err == nil {
			s.Close()
			t.Errorf("%+v: no error", c)
		}
	}
	if _, err := Open(Config{Backend: None}); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("none: %v", err)
	}
	for b := Auto; b <= None; b++ {
		if got, err := ParseBackend(b.String()); got != b || err != nil {
			t.Errorf("%v: %v, %v", b, got, err)
		}
	}
	if _, err := ParseBackend("oss"); err == nil || !strings.Contains(err.Error(), "pulse, sdl") {
		t.Errorf("the error must name the choices: %v", err)
	}
}

// brokenDevice is a device that goes away.
type brokenDevice struct {
	*null
	err error
}

func (b *brokenDevice) name() string { return "broken" }
func (b *brokenDevice) lost() error  { return b.err }

func TestLostDevice(t *testing.T) {
	c := &fakeClock{t: 1e9}
	cfg := Config{Now: c.now}
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	for _, paused := range []bool{false, true} {
		b := &brokenDevice{null: newNull(&cfg)}
		s := newSink(&cfg, b, "test")
		write(t, s, 100*ms)
		c.advance(20 * ms)
		position(t, s, 20*ms, true)
		if s.Err() != nil || s.Lost() != 0 {
			t.Fatal(s.Err())
		}
		s.Pause(paused)
		c.advance(10 * ms)
		b.err = errors.New("unplugged")
		want := 30 * ms
		if paused {
			want = 20 * ms
		}
		position(t, s, want, true) // where the sound stopped
		if err := s.Err(); !errors.Is(err, media.ErrDeviceLost) || !strings.Contains(err.Error(), "unplugged") {
			t.Errorf("got %v", err)
		}
		if s.Lost() != 1 || !strings.HasPrefix(s.Name(), "null") {
			t.Errorf("lost %d, name %s", s.Lost(), s.Name())
		}
		s.Pause(false)
		c.advance(5 * ms)
		position(t, s, want+5*ms, true)
		write(t, s, 50*ms)
		c.advance(time.Second)
		position(t, s, 150*ms, true)
		s.Flush()
		position(t, s, 0, false)
		write(t, s, 50*ms)
		c.advance(7 * ms)
		position(t, s, 7*ms, true)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnchor(t *testing.T) {
	var a anchor
	if _, ok := a.at(0); ok {
		t.Error("a line without a measurement")
	}
	// A server that counts in periods of 20 ms, asked every 7 ms: stale by 0 to 20 ms.
	period := 20 * ms
	for now := 40 * ms; now < 2*time.Second; now += 7 * ms {
		a.add(now-now%period, media.Instant(now))
	}
	now := media.Instant(2 * time.Second)
	if d, ok := a.at(now); !ok || d < 2*time.Second-6*ms || d > 2*time.Second {
		t.Errorf("a stale server gives %v at 2 s", d)
	}
	// A stop longer than slip is believed at once.
	a.add(1900*ms, now)
	if d, _ := a.at(now); d != 1900*ms {
		t.Errorf("after a gap: %v", d)
	}
	// A device that is 1000 ppm slow is followed.
	a.reset()
	for now := time.Duration(0); now < 10*time.Second; now += 100 * ms {
		a.add(now-now/1000, media.Instant(now))
	}
	if d, _ := a.at(media.Instant(10 * time.Second)); d < 9990*ms || d > 9991*ms {
		t.Errorf("a slow device: %v", d)
	}
}

func FuzzRing(f *testing.F) {
	f.Add([]byte{3, 200, 4, 17, 90, 255, 1})
	f.Fuzz(func(t *testing.T, ops []byte) {
		r := newRing(100)
		var model []float32
		next := float32(0)
		for i, op := range ops {
			n := int(op >> 2)
			switch op & 3 {
			case 0, 1:
				x := make([]float32, n)
				for j := range x {
					x[j] = next + float32(j)
				}
				k := r.push(x)
				if k != min(n, 128-len(model)) {
					t.Fatalf("op %d: pushed %d of %d with %d inside", i, k, n, len(model))
				}
				model = append(model, x[:k]...)
				next += float32(k)
			case 2:
				x := make([]float32, n)
				k := r.pop(x)
				if k != min(n, len(model)) {
					t.Fatalf("op %d: popped %d of %d with %d inside", i, k, n, len(model))
				}
				for j := range k {
					if x[j] != model[j] {
						t.Fatalf("op %d: sample %d is %v, want %v", i, j, x[j], model[j])
					}
				}
				model = model[k:]
			case 3:
				n = min(n, len(model))
				r.dropTo(r.tail.Load() + uint64(n))
				model = model[n:]
			}
			if r.length() != len(model) || r.free() != 128-len(model) {
				t.Fatalf("op %d: length %d free %d, want %d", i, r.length(), r.free(), len(model))
			}
		}
	})
}

func TestRingConcurrent(t *testing.T) {
	r := newRing(64)
	const total = 200_000
	go func() {
		x := make([]float32, 48)
		for i := 0; i < total; {
			n := min(1+i%len(x), total-i)
			for j := range n {
				x[j] = float32((i + j) % 4093)
			}
			i += r.push(x[:n])
		}
	}()
	x := make([]float32, 37)
	for i := 0; i < total; {
		n := r.pop(x)
		for j := range n {
			if x[j] != float32((i+j)%4093) {
				t.Fatalf("sample %d is %v", i+j, x[j])
			}
		}
		i += n
	}
}
