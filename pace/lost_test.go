package pace

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

// forgetful is a display that leaves out reports, and once says something else of itself.
type forgetful struct {
	*Pacer
	lose    func(number uint64) bool
	changed func(number uint64) *media.Display
}

func (f forgetful) Observe(p *media.Presented) {
	if f.changed != nil {
		if d := f.changed(p.Number); d != nil {
			f.SetDisplay(*d)
		}
	}
	if !f.lose(p.Number) {
		f.Pacer.Observe(p)
	}
}

// TestLostReportsAreForgotten: a display that does not report a frame, or whose reports
// come after it was set anew, is waited for no longer than its next report takes.
func TestLostReportsAreForgotten(t *testing.T) {
	lost := func(n uint64) bool { return n >= 200 && n < 203 }
	all := func(uint64) bool { return false }
	one := func(n uint64) bool { return n == 200 }
	for _, c := range []struct {
		name    string
		lose    func(uint64) bool
		changed bool
	}{{"none", all, false}, {"one lost", one, false}, {"three lost", lost, false}, {"set anew", all, true}} {
		for _, live := range []bool{false, true} {
			display := &Simulated{Period: hertz(60), Depth: 2}
			display.Start(start)
			p := newPacer(t, Config{Live: live, FrameInterval: hertz(60)}, hertz(60))
			d := forgetful{Pacer: p, lose: c.lose}
			if c.changed {
				d.changed = func(n uint64) *media.Display {
					if n != 201 {
						return nil
					}
					m := display.Display(hertz(60))
					return &m
				}
			}
			s := Simulation{Display: display, Start: start, Frames: 1200, Draw: time.Millisecond,
				PTS: func(i int) time.Duration { return time.Duration(i) * hertz(60) }}
			dropped, shown := 0, 0
			s.Each = func(f *Fate) {
				switch {
				case f.Frame < 300:
				case f.Reason != media.DropNone:
					dropped++
				default:
					shown++
				}
			}
			s.Run(d)
			if dropped > 0 {
				t.Errorf("%s, live %v: %d of %d frames dropped long after", c.name, live, dropped, dropped+shown)
			}
			if p.stats.Mistimed > 2 {
				t.Errorf("%s, live %v: %d frames mistimed", c.name, live, p.stats.Mistimed)
			}
		}
	}
}
