package rt

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/scanout-av/scanout/media"
)

// Method is a way to wake up regularly.
type Method uint8

// Ways to wake up.
const (
	TimeSleep       Method = iota // time.Sleep for a period, again and again
	TimeTicker                    // time.Ticker
	LockedTicker                  // time.Ticker on a locked thread
	Timerfd                       // blocking read of a timerfd on a locked thread
	ClockSleep                    // clock_nanosleep, absolute, on a locked thread
	ClockSleepFine                // the same with a timer slack of 1 ns, in two steps: what Thread does
	ClockSleepSpin                // the same, spinning for the last stretch
	ClockSleepAdapt               // the same, spinning no longer than this machine needs
	WaiterSleep                   // Waiter.Wait with a deadline, timer slack of 1 ns
	Nap                           // Napper: the same sleep on a goroutine that is not locked
)

var methodNames = [...]string{
	"time.Sleep", "time.Ticker", "Ticker + LockOSThread", "timerfd", "clock_nanosleep",
	"clock_nanosleep in two steps + slack 1 ns", "clock_nanosleep + spin", "clock_nanosleep + adaptive spin", "futex deadline", "yield and clock_nanosleep",
}

func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return fmt.Sprintf("method %d", uint8(m))
}

// Methods lists what this system has, worst first.
func Methods() []Method {
	all := []Method{TimeSleep, TimeTicker, LockedTicker, ClockSleep, Timerfd, Nap, WaiterSleep, ClockSleepFine, ClockSleepAdapt, ClockSleepSpin}
	return slices.DeleteFunc(all, func(m Method) bool { return m == Timerfd && !haveTimerfd })
}

// LatenessConfig describes a measurement.
type LatenessConfig struct {
	Method   Method
	Period   time.Duration
	Duration time.Duration
	Spin     time.Duration // of ClockSleepSpin, and at most of ClockSleepAdapt; 0 is 200 µs
	Priority int           // SCHED_FIFO priority of Thread's ways, 0 for none
	Awake    bool          // ThreadConfig.KeepAwake of Thread's ways
}

// Lateness is how late the wake-ups were.
type Lateness struct {
	Method              Method
	Wakeups             int
	Missed              int // periods that passed without a wake-up
	Mean, P50, P99, Max time.Duration
	// Drift is how far the last wake-up was from its place in the schedule.
	Drift time.Duration
	// CPU is what the whole process used meanwhile, Wall how long it took.
	CPU, Wall time.Duration
	Notes     string // what the system refused
	// Sorted are all of them, in order of size.
	Sorted []time.Duration
}

// MeasureLateness wakes up every Period for Duration and says how late it was.
// Concurrency: runs on the calling goroutine; anything else that the process does shows
// in CPU and in the lateness.
func MeasureLateness(cfg LatenessConfig) (Lateness, error) {
	if cfg.Period <= 0 || cfg.Duration < cfg.Period {
		return Lateness{}, fmt.Errorf("rt: measure every %v for %v: want a positive period and at least one of it", cfg.Period, cfg.Duration)
	}
	if !slices.Contains(Methods(), cfg.Method) {
		return Lateness{}, fmt.Errorf("rt: %v: %w on %s", cfg.Method, media.ErrNotSupported, runtime.GOOS)
	}
	if cfg.Spin == 0 {
		cfg.Spin = 200 * time.Microsecond
	}
	s := &sleeper{cfg: cfg}
	defer s.stop()
	if err := s.start(); err != nil {
		return Lateness{}, fmt.Errorf("rt: measure %v: %w", cfg.Method, err)
	}

	n := int(cfg.Duration / cfg.Period)
	late := make([]time.Duration, 0, n)
	res := Lateness{Method: cfg.Method}
	if s.thread != nil {
		res.Notes = s.thread.Notes()
	}
	cpu0, start := ProcessCPU().Total(), s.origin
	var woke media.Instant
	for k := 1; k <= n; k++ {
		target := start.Add(time.Duration(k) * cfg.Period)
		if cfg.Method == TimeSleep {
			target = Now().Add(cfg.Period) // each sleep counts from the last
		}
		if err := s.sleep(target); err != nil {
			return Lateness{}, fmt.Errorf("rt: measure %v: %w", cfg.Method, err)
		}
		woke = Now()
		l := woke.Sub(target)
		late = append(late, max(l, -l))
		if cfg.Method != TimeSleep && l >= cfg.Period {
			res.Missed += int(l / cfg.Period)
			k += int(l / cfg.Period)
		}
		if cfg.Method == TimeSleep {
			res.Drift = woke.Sub(start.Add(time.Duration(k) * cfg.Period))
		} else {
			res.Drift = l % cfg.Period
		}
	}
	res.CPU, res.Wall = ProcessCPU().Total()-cpu0, woke.Sub(start)
	slices.Sort(late)
	res.Sorted = late
	res.sumUp()
	return res, nil
}

// sumUp computes the figures of l.Sorted.
func (l *Lateness) sumUp() {
	var sum time.Duration
	for _, d := range l.Sorted {
		sum += d
	}
	n := len(l.Sorted)
	l.Wakeups, l.Mean = n, sum/time.Duration(n)
	l.P50, l.P99, l.Max = l.Sorted[n/2], l.Sorted[n*99/100], l.Sorted[n-1]
}

// Join returns the measurement of which l and o, of the same method, are parts.
func (l Lateness) Join(o Lateness) Lateness {
	if len(l.Sorted) == 0 {
		return o
	}
	l.Sorted = append(slices.Clone(l.Sorted), o.Sorted...)
	slices.Sort(l.Sorted)
	l.Missed += o.Missed
	l.Drift = o.Drift
	l.CPU += o.CPU
	l.Wall += o.Wall
	l.sumUp()
	return l
}

// sleeper is one method at work.
type sleeper struct {
	cfg    LatenessConfig
	origin media.Instant
	thread *Thread
	ticker *time.Ticker
	waiter *Waiter
	nap    Napper
	fd     int
}

func (s *sleeper) start() error {
	switch s.cfg.Method {
	case ClockSleepFine, WaiterSleep:
		s.thread = Lock(ThreadConfig{Priority: s.cfg.Priority, KeepAwake: s.cfg.Awake})
	case ClockSleepSpin:
		s.thread = Lock(ThreadConfig{Priority: s.cfg.Priority, KeepAwake: s.cfg.Awake, Spin: s.cfg.Spin})
	case ClockSleepAdapt:
		s.thread = Lock(ThreadConfig{Priority: s.cfg.Priority, KeepAwake: s.cfg.Awake, Spin: s.cfg.Spin, Adaptive: true})
	case LockedTicker, Timerfd, ClockSleep:
		runtime.LockOSThread()
	}
	s.waiter = NewWaiter(SleepKernel)
	s.origin = Now()
	switch s.cfg.Method {
	case TimeTicker, LockedTicker:
		s.ticker = time.NewTicker(s.cfg.Period)
	case Timerfd:
		return s.openTimerfd()
	}
	return nil
}

func (s *sleeper) sleep(target media.Instant) error {
	switch s.cfg.Method {
	case TimeSleep:
		time.Sleep(s.cfg.Period)
	case TimeTicker, LockedTicker:
		<-s.ticker.C
	case Timerfd:
		return s.readTimerfd()
	case WaiterSleep:
		s.waiter.Wait(target)
	case Nap:
		s.nap.SleepUntil(target)
	case ClockSleepFine, ClockSleepSpin, ClockSleepAdapt:
		s.thread.SleepUntil(target)
	default:
		SleepUntil(target)
	}
	return nil
}

func (s *sleeper) stop() {
	if s.ticker != nil {
		s.ticker.Stop()
	}
	s.closeTimerfd()
	switch s.cfg.Method {
	case ClockSleepFine, ClockSleepSpin, ClockSleepAdapt, WaiterSleep:
		s.thread.Unlock()
	case LockedTicker, Timerfd, ClockSleep:
		runtime.UnlockOSThread()
	}
}
