package pace

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/scanout-av/scanout/media"
)

// ParseSimulated reads a simulated display: its rate in Hz, or the range of a variable one,
// then its faults.
//
//	120
//	59.94,jitter=0.5ms,miss=1%,seed=7
//	48-144,jitter=100us
func ParseSimulated(spec string) (*Simulated, error) {
	s := new(Simulated)
	rate, rest, options := strings.Cut(spec, ",")
	slow, fast, variable := strings.Cut(rate, "-")
	first, err := parseHertz(slow)
	if err != nil {
		return nil, err
	}
	if s.Period = first; variable {
		s.VRRMax = first
		if s.VRRMin, err = parseHertz(fast); err != nil {
			return nil, err
		}
		s.Period = s.VRRMin
		if s.VRRMax <= s.VRRMin {
			return nil, fmt.Errorf("%q is not a range of rates: write the slower one first, like 48-144", rate)
		}
	}
	if !options {
		return s, s.Check()
	}
	for option := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "jitter":
			if s.Jitter, err = time.ParseDuration(value); err != nil {
				return nil, fmt.Errorf("%q is not a time: write it like jitter=0.5ms", option)
			}
		case "miss":
			number, percent := strings.CutSuffix(value, "%")
			if s.Miss, err = strconv.ParseFloat(number, 64); err != nil {
				return nil, fmt.Errorf("%q is not a share: write it like miss=1%%", option)
			}
			if percent {
				s.Miss /= 100
			}
		case "seed":
			if s.Seed, err = strconv.ParseUint(value, 10, 64); err != nil {
				return nil, fmt.Errorf("%q is not a number: write it like seed=7", option)
			}
		default:
			return nil, fmt.Errorf("%q is nothing that a simulated display has: use jitter, miss or seed", option)
		}
	}
	return s, s.Check()
}

// parseHertz returns the interval of a rate.
func parseHertz(s string) (time.Duration, error) {
	hz, err := strconv.ParseFloat(s, 64)
	if err != nil || !(hz >= 1 && hz <= 10_000) { // so that NaN is refused, too
		return 0, fmt.Errorf("%q is not a refresh rate: use 1 to 10000, or a range like 48-144", s)
	}
	return time.Duration(math.Round(1e9 / hz)), nil
}

// Check reports what no display can be like.
func (s *Simulated) Check() error {
	switch {
	case s.Period < 0 || s.Depth < 0 || s.VRRMin < 0 || s.VRRMax < 0:
		return errors.New("pace: a simulated display with a negative interval")
	case s.VRRMax > 0 && !s.variable():
		return fmt.Errorf("pace: a variable refresh of %v to %v", s.VRRMin, s.VRRMax)
	case len(s.Recorded) > 0 && s.Period == 0:
		return errors.New("pace: recorded refreshes need a period for what comes after them")
	case s.Jitter < 0 || s.Jitter > 0 && 2*s.Jitter >= s.Interval():
		return fmt.Errorf("pace: a jitter of %v is out of range: use less than half the interval of %v", s.Jitter, s.Interval())
	case !(s.Miss >= 0 && s.Miss <= 0.9):
		return fmt.Errorf("pace: %v of all refreshes missed: use 0 to 0.9", s.Miss)
	case s.Miss > 0 && s.variable():
		return errors.New("pace: a variable refresh waits for pictures and misses none: leave miss out")
	}
	return nil
}

// String is what ParseSimulated reads.
func (s *Simulated) String() string {
	hertz := func(d time.Duration) string {
		if d <= 0 {
			return "0"
		}
		return strconv.FormatFloat(1e9/float64(d), 'g', 7, 64)
	}
	text := hertz(s.Period)
	if s.variable() {
		text = hertz(s.VRRMax) + "-" + hertz(s.VRRMin)
	}
	if s.Jitter > 0 {
		text += ",jitter=" + s.Jitter.String()
	}
	if s.Miss > 0 {
		text += fmt.Sprintf(",miss=%g%%", s.Miss*100)
	}
	if s.Seed != 0 {
		text += fmt.Sprintf(",seed=%d", s.Seed)
	}
	return text
}

// Interval is the shortest time between two refreshes, 0 for a display without any.
func (s *Simulated) Interval() time.Duration {
	if s.variable() {
		return s.VRRMin
	}
	return s.Period
}

// Before returns the last refresh at or before t; of a variable display, the newest
// picture's.
func (s *Simulated) Before(t media.Instant) media.Instant {
	if s.Period <= 0 || s.variable() {
		return s.last
	}
	return s.Refresh(s.number(t+1) - 1)
}

// Slip moves the newest picture, which was not ready when it should have become visible, to
// the next refresh at which the display takes one; with a variable refresh it becomes
// visible when it is looked at again. It returns when that is.
func (s *Simulated) Slip(now media.Instant) media.Instant {
	if s.Period <= 0 || s.variable() {
		s.last = max(s.last+1, now)
		return s.last
	}
	n := s.number(s.last) + 1
	for !s.takes(n) {
		n++
	}
	s.last = s.Refresh(n)
	return s.last
}

// Show puts a picture that is ready at done in the queue of a display that does not know
// when it is wanted, like a swapchain in FIFO mode; a variable one waits for target. It
// returns when the picture becomes visible.
func (s *Simulated) Show(done, target media.Instant) media.Instant {
	if !s.variable() {
		done, target = done+1, 0 // what comes with a refresh has missed it
	}
	at, _ := s.Present(done, target)
	return at
}
