package impair

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// through pushes n packets, one each interval, and returns what left for each of them.
func through(t *testing.T, cfg Config, n, size int, interval time.Duration) (out [][]Delivery, s Stats) {
	t.Helper()
	l, err := NewLink(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		out = append(out, l.Push(time.Duration(i)*interval, size, nil))
	}
	return out, l.Stats()
}

func near(got int64, want, tolerance float64) bool { return math.Abs(float64(got)-want) <= tolerance }

func TestNothingHappensByDefault(t *testing.T) {
	out, s := through(t, Config{}, 1000, 1200, ms)
	for i, d := range out {
		if len(d) != 1 || d[0] != (Delivery{time.Duration(i) * ms, -1}) {
			t.Fatalf("packet %d: %v", i, d)
		}
	}
	if s != (Stats{In: 1000, Out: 1000}) {
		t.Errorf("%+v", s)
	}
}

func TestLoss(t *testing.T) {
	for _, tt := range []struct {
		share float64
		burst int
	}{{0, 1}, {0.01, 1}, {0.05, 1}, {0.05, 20}, {0.3, 4}, {1, 1}, {1, 20}} {
		const n = 100_000
		out, s := through(t, Config{Seed: 7, Loss: tt.share, Burst: tt.burst}, n, 1200, ms)
		want := tt.share * n
		// Five standard deviations of n/burst independent events of burst packets.
		if !near(s.Lost, want, 5*math.Sqrt(want*(1-tt.share)*float64(tt.burst))+1) {
			t.Errorf("%v in bursts of %d: lost %d of %d", tt.share, tt.burst, s.Lost, n)
		}
		for i := 0; i < n; {
			run := 0
			for i+run < n && len(out[i+run]) == 0 {
				run++
			}
			if run%tt.burst != 0 && i+run < n {
				t.Fatalf("%v in bursts of %d: %d in a row are lost at %d", tt.share, tt.burst, run, i)
			}
			i += run + 1
		}
	}
}

// The same packets have the same fate whatever else happens and whenever they come.
func TestFateDependsOnSeedAndNumberAlone(t *testing.T) {
	full := Config{Seed: 3, Loss: 0.1, Reorder: 0.1, Duplicate: 0.1, Corrupt: 0.1, Jitter: 50 * ms, Delay: ms}
	a, sa := through(t, full, 5000, 1200, ms)
	b, _ := through(t, full, 5000, 1200, ms)
	c, sc := through(t, full, 5000, 1200, 7*ms)
	other := full
	other.Seed = 4
	d, _ := through(t, other, 5000, 1200, ms)
	differ := 0
	for i := range a {
		if !slices.Equal(a[i], b[i]) {
			t.Fatalf("packet %d: %v, then %v", i, a[i], b[i])
		}
		if len(a[i]) != len(c[i]) || len(a[i]) > 0 && a[i][0].Flip != c[i][0].Flip {
			t.Fatalf("packet %d: %v, at another pace %v", i, a[i], c[i])
		}
		if len(a[i]) != len(d[i]) {
			differ++
		}
	}
	if sa != sc {
		t.Errorf("%+v, at another pace %+v", sa, sc)
	}
	if differ == 0 {
		t.Error("another seed changes nothing")
	}
	// Loss alone hits the same packets as loss among other things.
	e, _ := through(t, Config{Seed: 3, Loss: 0.1}, 5000, 1200, ms)
	for i := range a {
		if (len(a[i]) == 0) != (len(e[i]) == 0) {
			t.Fatalf("packet %d is lost only with or only without the rest", i)
		}
	}
}

func TestJitterKeepsOrderAndRange(t *testing.T) {
	for _, interval := range []time.Duration{100 * time.Microsecond, 5 * ms, 33 * ms} {
		out, _ := through(t, Config{Seed: 1, Delay: 20 * ms, Jitter: 50 * ms}, 20_000, 1200, interval)
		last := time.Duration(0)
		low, high := time.Hour, time.Duration(0)
		for i, d := range out {
			wait := d[0].At - time.Duration(i)*interval
			if wait < 20*ms || wait > 70*ms || d[0].At < last {
				t.Fatalf("every %v: packet %d waits %v, after one that left at %v", interval, i, wait, last)
			}
			last = d[0].At
			low, high = min(low, wait), max(high, wait)
		}
		if low > 25*ms || high < 60*ms {
			t.Errorf("every %v: waits from %v to %v only", interval, low, high)
		}
	}
	// What comes together leaves together.
	l, err := NewLink(Config{Jitter: 50 * ms})
	if err != nil {
		t.Fatal(err)
	}
	a, b := l.Push(time.Second, 1, nil), l.Push(time.Second, 1, nil)
	if a[0] != b[0] {
		t.Errorf("two packets of one moment: %v and %v", a, b)
	}
}

func TestReorder(t *testing.T) {
	out, s := through(t, Config{Seed: 5, Reorder: 0.05}, 20_000, 1200, ms)
	held := int64(0)
	for i, d := range out {
		switch d[0].At - time.Duration(i)*ms {
		case 0:
		case 10 * ms:
			held++
		default:
			t.Fatalf("packet %d leaves at %v", i, d[0].At)
		}
	}
	if held != s.Reordered || !near(held, 1000, 160) {
		t.Errorf("%d held back, counted %d", held, s.Reordered)
	}
}

func TestDuplicateAndCorrupt(t *testing.T) {
	out, s := through(t, Config{Seed: 6, Duplicate: 0.02, Corrupt: 0.01}, 50_000, 100, ms)
	twice, flipped := int64(0), int64(0)
	bits := map[int]bool{}
	for _, d := range out {
		if len(d) == 2 {
			twice++
		}
		if f := d[0].Flip; f >= 0 {
			flipped++
			bits[f] = true
			if f >= 800 {
				t.Fatalf("bit %d of 800", f)
			}
		}
	}
	if twice != s.Duplicated || flipped != s.Corrupted || s.Out != s.In+twice || !near(twice, 1000, 160) || !near(flipped, 500, 120) || len(bits) < 200 {
		t.Errorf("%d twice, %d damaged in %d places; %+v", twice, flipped, len(bits), s)
	}
	if out, _ := through(t, Config{Corrupt: 1}, 10, 0, ms); out[0][0].Flip != -1 {
		t.Error("a bit of an empty packet was turned over")
	}
}

func TestRate(t *testing.T) {
	// 1 Mbit/s carries 100 packets of 1222+28 bytes a second, 10 ms each; 200 are offered.
	out, s := through(t, Config{Rate: 1_000_000, Queue: 55 * ms}, 2000, 1222, 5*ms)
	var passed int64
	for i, d := range out {
		if len(d) == 0 {
			continue
		}
		passed++
		if wait := d[0].At - time.Duration(i)*5*ms; wait < 10*ms || wait > 65*ms {
			t.Fatalf("packet %d waits %v", i, wait)
		}
	}
	if !near(passed, 1000, 8) || s.Queued != 2000-passed {
		t.Errorf("%d passed, %+v", passed, s)
	}
	// Silence lets the queue run empty, and saves nothing up.
	l, err := NewLink(Config{Rate: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	l.Push(0, 1222, nil)
	if d := l.Push(time.Hour, 1222, nil); d[0].At != time.Hour+10*ms {
		t.Errorf("after an hour: %v", d[0].At-time.Hour)
	}
}

func TestPartition(t *testing.T) {
	out, s := through(t, Config{Partitions: []Span{{100 * ms, 50 * ms}, {200 * ms, 10 * ms}}}, 300, 1200, ms)
	for i, d := range out {
		cut := i >= 100 && i < 150 || i >= 200 && i < 210
		if (len(d) == 0) != cut {
			t.Fatalf("packet %d: %v", i, d)
		}
	}
	if s.Cut != 60 || s.Lost != 0 {
		t.Errorf("%+v", s)
	}
	l, err := NewLink(Config{})
	if err != nil {
		t.Fatal(err)
	}
	l.Cut(true)
	a := l.Push(0, 1, nil)
	l.Cut(false)
	if b := l.Push(0, 1, nil); len(a) != 0 || len(b) != 1 {
		t.Errorf("cut: %v, then %v", a, b)
	}
}

func TestConfigOutOfRange(t *testing.T) {
	for _, c := range []Config{
		{Loss: -0.1}, {Loss: 1.1}, {Loss: math.NaN()}, {Reorder: 2}, {Duplicate: 2}, {Corrupt: -1}, {Burst: -1}, {Rate: 10}, {Rate: -1},
		{Delay: -1}, {Delay: time.Hour}, {Jitter: -1}, {Queue: -1}, {Partitions: []Span{{1, 0}}}, {Partitions: []Span{{-1, 1}}},
		{Partitions: make([]Span, 100)},
	} {
		if _, err := NewLink(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func TestParse(t *testing.T) {
	got, err := Parse("loss=5%, burst=20,delay=20ms,jitter=50ms,jitter-period=1s,reorder=0.05,reorder-by=3ms,duplicate=1%,corrupt=0.1%,rate=8M,queue=1s,partition=10s+2s,partition=1m+1s,seed=42,")
	want := Config{Seed: 42, Loss: 0.05, Burst: 20, Delay: 20 * ms, Jitter: 50 * ms, JitterPeriod: time.Second, Reorder: 0.05, ReorderBy: 3 * ms,
		Duplicate: 0.01, Corrupt: 0.001, Rate: 8_000_000, Queue: time.Second,
		Partitions: []Span{{10 * time.Second, 2 * time.Second}, {time.Minute, time.Second}}}
	if err != nil || !equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if c, err := Parse(""); err != nil || !equal(c, Config{}) {
		t.Errorf("%+v, %v", c, err)
	}
	for _, s := range bad {
		if c, err := Parse(s); err == nil {
			t.Errorf("%q was taken as %+v", s, c)
		}
	}
}

func equal(a, b Config) bool { return reflect.DeepEqual(a, b) }

var bad = []string{"loss", "loss=", "loss=101%", "loss=-1", "loss=NaN", "loss=x", "burst=x", "delay=5", "delay=-1s", "rate=1X", "rate=", "rate=Inf",
	"partition=1s", "partition=1s+0s", "partition=-1s+1s", "colour=red", "=", "seed=-1", "corrupt=2", "queue=1h"}

func FuzzParse(f *testing.F) {
	f.Add("loss=5%,burst=20,delay=20ms,jitter=50ms,reorder=5%,rate=8M,partition=10s+2s,seed=1")
	for _, s := range bad {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Parse(s)
		if err != nil {
			return
		}
		l, err := NewLink(c)
		if err != nil {
			t.Fatalf("%q is taken and not valid: %v", s, err)
		}
		for i := range 100 {
			now := time.Duration(i) * 7 * ms
			for _, d := range l.Push(now, i*10, nil) {
				if d.At < now || d.Flip >= i*80 {
					t.Fatalf("%q: packet %d of moment %v leaves at %v, bit %d", s, i, now, d.At, d.Flip)
				}
			}
		}
	})
}
