package media

import (
	"math"
	"math/big"
	"testing"
	"time"
)

// mulDivBig is the specification of mulDiv: round(a·b/c), half away from zero, saturating.
func mulDivBig(a, b, c int64) int64 {
	if b <= 0 || c <= 0 {
		return 0
	}
	n := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	neg := n.Sign() < 0
	n.Abs(n)
	n.Add(n.Lsh(n, 1), big.NewInt(c)) // (2n+c) / 2c rounds half up
	n.Quo(n, new(big.Int).Lsh(big.NewInt(c), 1))
	if limit := big.NewInt(math.MaxInt64); n.Cmp(limit) > 0 {
		n.Set(limit)
	}
	if neg {
		n.Neg(n)
	}
	return n.Int64()
}

var mulDivCases = []struct{ a, b, c int64 }{
	{0, 1, 1},
	{1, 1, 2}, {-1, 1, 2}, {3, 1, 2}, {-3, 1, 2}, {1, 1, 3}, {2, 1, 3}, {-2, 1, 3},
	{math.MaxInt64, 1, 1}, {math.MaxInt64, math.MaxInt64, math.MaxInt64},
	{math.MaxInt64, 2, 1}, {math.MinInt64 + 1, 2, 1}, {math.MinInt64, 1, 1}, {math.MinInt64, 2, 1},
	{math.MaxInt64, math.MaxInt64, 1}, {math.MinInt64, math.MaxInt64, math.MaxInt64 - 1},
	{math.MaxInt64, 1, math.MaxInt64}, {1, math.MaxInt64, 2}, {1, 1, math.MaxInt64},
	{12345, 1001 * 1e9, 30000}, {-12345, 1001 * 1e9, 30000},
	{5, 0, 3}, {5, 3, 0}, {5, -1, 3}, {5, 3, -1},
}

func TestMulDiv(t *testing.T) {
	for _, c := range mulDivCases {
		if got, want := mulDiv(c.a, c.b, c.c), mulDivBig(c.a, c.b, c.c); got != want {
			t.Errorf("mulDiv(%d, %d, %d) = %d, want %d", c.a, c.b, c.c, got, want)
		}
	}
}

func FuzzMulDiv(f *testing.F) {
	for _, c := range mulDivCases {
		f.Add(c.a, c.b, c.c)
	}
	f.Fuzz(func(t *testing.T, a, b, c int64) {
		if got, want := mulDiv(a, b, c), mulDivBig(a, b, c); got != want {
			t.Errorf("mulDiv(%d, %d, %d) = %d, want %d", a, b, c, got, want)
		}
	})
}

func FuzzRescale(f *testing.F) {
	f.Add(int64(90000), int32(1), int32(90000), int32(1001), int32(30000))
	f.Add(int64(-7), int32(1001), int32(30000), int32(1), int32(1000000000))
	f.Add(int64(math.MinInt64), int32(1), int32(2), int32(1), int32(3))
	f.Add(int64(math.MaxInt64), int32(math.MaxInt32), int32(1), int32(1), int32(math.MaxInt32))
	f.Fuzz(func(t *testing.T, ts int64, fn, fd, tn, td int32) {
		from, to := Timebase{fn, fd}, Timebase{tn, td}
		got := Rescale(Timestamp(ts), from, to)
		if Timestamp(ts) == NoTimestamp || from == to {
			if got != Timestamp(ts) {
				t.Fatalf("Rescale(%d, %v, %v) = %d", ts, from, to, got)
			}
			return
		}
		want := Timestamp(0)
		if from.Valid() && to.Valid() {
			want = Timestamp(mulDivBig(ts, int64(fn)*int64(td), int64(fd)*int64(tn)))
		}
		if got != want {
			t.Fatalf("Rescale(%d, %v, %v) = %d, want %d", ts, from, to, got, want)
		}
		if got == NoTimestamp {
			t.Fatal("a known timestamp became unknown")
		}
	})
}

func TestTimebase(t *testing.T) {
	ntsc := Timebase{1001, 30000}
	for _, c := range []struct {
		tb Timebase
		ts Timestamp
		d  time.Duration
	}{
		{RTPVideo, 90000, time.Second},
		{RTPVideo, 1, 11111},
		{RTPVideo, -1, -11111},
		{ntsc, 30000, 1001 * time.Second},
		{ntsc, 1, 33366667},
		{AudioTicks, 480, 10 * time.Millisecond},
		{Nanoseconds, 123456789, 123456789},
	} {
		if got := c.tb.Duration(c.ts); got != c.d {
			t.Errorf("%v.Duration(%d) = %d, want %d", c.tb, c.ts, got, c.d)
		}
		if got := c.tb.Ticks(c.d); got != c.ts {
			t.Errorf("%v.Ticks(%v) = %d, want %d", c.tb, c.d, got, c.ts)
		}
	}
	if d := RTPVideo.Duration(NoTimestamp); d != 0 {
		t.Errorf("Duration(NoTimestamp) = %v", d)
	}
	if d := (Timebase{}).Duration(5); d != 0 {
		t.Errorf("a zero time base gave %v", d)
	}
	if d := (Timebase{1, 1}).Duration(math.MaxInt64); d != math.MaxInt64 {
		t.Errorf("no saturation: %v", d)
	}
	if d := (Timebase{1, 1}).Duration(math.MinInt64 + 1); d != math.MinInt64+1 {
		t.Errorf("no saturation: %v", d)
	}
	if (Timebase{0, 1}).Valid() || (Timebase{1, 0}).Valid() || (Timebase{-1, -1}).Valid() || !ntsc.Valid() {
		t.Error("Timebase.Valid is wrong")
	}
	if NoTimestamp.Valid() || !Timestamp(0).Valid() {
		t.Error("Timestamp.Valid is wrong")
	}
	if i := Instant(5).Add(3); i != 8 || i.Sub(5) != 3 {
		t.Errorf("Instant arithmetic: %d", i)
	}
}

func TestRational(t *testing.T) {
	for _, c := range []struct{ in, want Rational }{
		{Rational{30000, 1001}, Rational{30000, 1001}},
		{Rational{50, 2}, Rational{25, 1}},
		{Rational{1920, 1080}, Rational{16, 9}},
		{Rational{0, 5}, Rational{0, 1}},
		{Rational{0, 0}, Rational{0, 0}},
		{Rational{-4, 6}, Rational{-2, 3}},
		{Rational{math.MinInt32, 2}, Rational{math.MinInt32 / 2, 1}},
		{Rational{math.MinInt32, math.MinInt32}, Rational{-1, -1}},
	} {
		if got := c.in.Reduce(); got != c.want {
			t.Errorf("%v.Reduce() = %v, want %v", c.in, got, c.want)
		}
	}
	if (Rational{}).Float() != 0 || (Rational{1, 2}).Float() != 0.5 {
		t.Error("Float is wrong")
	}
	if (Rational{}).Valid() || (Rational{1, -1}).Valid() || !(Rational{1, 2}).Valid() {
		t.Error("Valid is wrong")
	}
}
