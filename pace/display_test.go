package pace

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

func TestParseSimulated(t *testing.T) {
	for spec, want := range map[string]Simulated{
		"120":                               {Period: 8333333},
		"59.94,jitter=0.5ms,miss=1%,seed=7": {Period: 16683350, Jitter: 500 * time.Microsecond, Miss: 0.01, Seed: 7},
		"60,miss=0.25":                      {Period: 16666667, Miss: 0.25},
		"48-144,jitter=100us":               {Period: 6944444, VRRMin: 6944444, VRRMax: 20833333, Jitter: 100 * time.Microsecond},
	} {
		got, err := ParseSimulated(spec)
		if err != nil {
			t.Errorf("%q: %v", spec, err)
			continue
		}
		if got.String() != want.String() || got.Interval() != want.Interval() || got.VRRMax != want.VRRMax || got.Miss != want.Miss {
			t.Errorf("%q: %+v, want %+v", spec, got, want)
		}
		again, err := ParseSimulated(got.String())
		if err != nil || again.String() != got.String() || (again.Interval()-got.Interval()).Abs() > time.Microsecond {
			t.Errorf("%q reads back as %v: %v", spec, again, err)
		}
	}
	for _, spec := range []string{"", "0", "NaN", "-1", "60Hz", "144-48", "48-", "60,", "60,jitter", "60,jitter=9ms", "60,jitter=-1ms",
		"60,miss=95%", "60,miss=x", "60,miss=NaN", "48-144,miss=1%", "60,seed=-1", "60,vrr=1", "20000", "60,,miss=1%"} {
		if got, err := ParseSimulated(spec); err == nil {
			t.Errorf("%q is read as %v", spec, got)
		}
	}
}

func FuzzParseSimulated(f *testing.F) {
	f.Add("120,jitter=0.5ms,miss=1%,seed=7")
	f.Add("48-144")
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := ParseSimulated(spec)
		if err != nil {
			return
		}
		if s.Interval() <= 0 {
			t.Fatalf("%q has no interval", spec)
		}
		s.Start(start)
		last := media.Instant(0)
		for i := range 10 {
			at := s.Show(start.Add(time.Duration(i)*time.Millisecond), 0)
			if at <= last {
				t.Fatalf("%q: shown at %d after %d", spec, at, last)
			}
			last = at
		}
	})
}

// TestSlip moves a picture that was not drawn in time.
func TestSlip(t *testing.T) {
	s := Simulated{Period: 10 * time.Millisecond, Miss: 0.4, Seed: 3}
	s.Start(start)
	at := s.Show(start.Add(time.Millisecond), 0)
	for range 20 {
		later := s.Slip(at)
		if d := later.Sub(at); d < s.Period || d%s.Period != 0 || s.Before(later) != later || s.Before(later-1) != later.Add(-s.Period) {
			t.Fatalf("from %d to %d; before that %d", at, later, s.Before(later-1))
		}
		at = later
	}
	if next := s.Show(at.Add(-time.Millisecond), 0); next <= at {
		t.Errorf("the next picture at %d, not after %d", next, at)
	}
	v := Simulated{VRRMin: 5 * time.Millisecond, VRRMax: 20 * time.Millisecond}
	v.Start(start)
	at = v.Show(start, start.Add(7*time.Millisecond))
	if at != start.Add(7*time.Millisecond) {
		t.Errorf("variable: shown at %d", at-start)
	}
	if later := v.Slip(at.Add(time.Millisecond)); later != at.Add(time.Millisecond) || v.Before(later) != later {
		t.Errorf("variable: slipped to %d", later-start)
	}
}
