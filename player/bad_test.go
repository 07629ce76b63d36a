package player

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/render/dump"
	"github.com/scanout-av/scanout/trace"
)

// What can go wrong around a stream, with the whole pipeline from the demuxer to a simulated
// display: a clip of badSeconds is disturbed at badAt, and a second after that has passed
// everything is as before, and accounted for. Package pace tests the same on paper.
const (
	badRate    = 30
	badSeconds = 7
	badAt      = 1500 * time.Millisecond
)

// badClip codes that clip, with sound.
func badClip(t *testing.T, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.mkv")
	all := []string{"-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=64x64:rate=%d", badRate), "-f", "lavfi", "-i", "sine=r=48000",
		"-t", fmt.Sprint(badSeconds), "-c:v", "libx264", "-preset", "ultrafast", "-g", "15", "-bf", "0", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"}
	avtest.FFmpeg(t, append(append(all, args...), path)...)
	return path
}

// liveSource lets the units of a file come at their time, as a sender does.
type liveSource struct {
	Source
	info  media.Info
	bad   func(i int, au *media.AccessUnit) // disturbs picture i
	start media.Instant
	n     int
	sent  atomic.Int64 // pictures
	stop  chan struct{}
}

func newLiveSource(src Source) *liveSource {
	s := &liveSource{Source: src, info: *src.Info(), stop: make(chan struct{})}
	s.info.Live, s.info.LocalTime, s.info.Seekable, s.info.Duration = true, true, false, 0
	return s
}

func (s *liveSource) Info() *media.Info { return &s.info }
func (s *liveSource) Interrupt()        { close(s.stop); s.Source.Interrupt() }

func (s *liveSource) Read(au *media.AccessUnit) error {
	if err := s.Source.Read(au); err != nil {
		return err
	}
	if s.start == 0 {
		s.start = clock.Now()
	}
	due := s.start.Add(au.Timebase.Duration(au.PTS))
	select {
	case <-time.After(due.Sub(clock.Now())):
	case <-s.stop:
	}
	au.Received = clock.Now()
	if s.info.Streams[au.Stream].Kind == media.KindVideo {
		if s.bad != nil {
			s.bad(s.n, au)
		}
		s.n++
		s.sent.Add(1)
	}
	return nil
}

// strangeSource disturbs the pictures of a file.
type strangeSource struct {
	Source
	bad func(i int, au *media.AccessUnit)
	n   int
}

func (s *strangeSource) Read(au *media.AccessUnit) error {
	err := s.Source.Read(au)
	if err == nil && s.Info().Streams[au.Stream].Kind == media.KindVideo {
		s.bad(s.n, au)
		s.n++
	}
	return err
}

// stallingDecoder does nothing for a while when it is given a picture of at or later.
type stallingDecoder struct {
	VideoDecoder
	at     time.Duration
	wait   time.Duration
	before func()
	after  func()
}

func (d *stallingDecoder) Send(au *media.AccessUnit) error {
	if d.wait > 0 && au != nil && au.Timebase.Duration(au.PTS) >= d.at {
		d.before()
		<-time.After(d.wait)
		d.wait = 0
		d.after()
	}
	return d.VideoDecoder.Send(au)
}

// slowDecoder takes its time for every picture.
type slowDecoder struct {
	VideoDecoder
	takes time.Duration
}

func (d *slowDecoder) Send(au *media.AccessUnit) error {
	if au != nil {
		<-time.After(d.takes)
	}
	return d.VideoDecoder.Send(au)
}

// watchedSink counts how often the presenting goroutine looks around, which it does once a
// round, and may lie about its rate or take nothing for a while.
type watchedSink struct {
	VideoSink
	looks  *atomic.Int64
	claims time.Duration
	gone   func() bool
}

func (s *watchedSink) Poll(e *media.Event) bool {
	s.looks.Add(1)
	return s.VideoSink.Poll(e)
}

func (s *watchedSink) Display() media.Display {
	d := s.VideoSink.Display()
	if s.claims > 0 {
		d.Refresh = s.claims
	}
	return d
}

func (s *watchedSink) Feedback(p *media.Presented) bool {
	ok := s.VideoSink.Feedback(p)
	if s.claims > 0 {
		p.Refresh = s.claims
	}
	return ok
}

func (s *watchedSink) Begin(deadline media.Instant) error {
	for s.gone != nil && s.gone() {
		now := clock.Now()
		if now >= deadline {
			return media.ErrAgain
		}
		<-time.After(min(deadline.Sub(now), 10*time.Millisecond))
	}
	return s.VideoSink.Begin(deadline)
}

// badRun is what came of a disturbed playback.
type badRun struct {
	Stats
	shown []time.Duration // media times, in order
	lag   []int64         // of live ones: how many pictures the source was ahead by
	looks int64           // while nothing could be shown
	trace []trace.Event
}

// since is how many pictures of from at on were shown.
func (r *badRun) since(at time.Duration) (n int) {
	for _, v := range r.shown {
		if v >= at {
			n++
		}
	}
	return n
}

// behind is the median of how many pictures the source was ahead by, of those of from to to.
func (r *badRun) behind(from, to time.Duration) int64 {
	var all []int64
	for i, v := range r.shown {
		if v >= from && v < to {
			all = append(all, r.lag[i])
		}
	}
	if len(all) == 0 {
		return -1
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// badCase is a way to disturb playback.
type badCase struct {
	name    string
	live    bool
	latency Latency
	sound   bool
	stall   time.Duration                     // of the decoder
	slow    time.Duration                     // and what it takes for each picture
	gone    time.Duration                     // how long the display takes nothing
	bad     func(i int, au *media.AccessUnit) // of the source
	hz      float64                           // of the display; 0: 60
	claims  float64                           // and what it says; 0: the truth

	anew   bool             // time must start anew
	least  int              // pictures that are shown in all, with a machine that rests now and then
	reason media.DropReason // of at least so many that are not
	many   int64
}

// run plays path. It is called on goroutines of its own.
func (c *badCase) run(ctx context.Context, path string) (*badRun, error) {
	r := &badRun{}
	var file bytes.Buffer
	var looks atomic.Int64
	var live *liveSource
	cfg := Config{Media: path, Output: OutputNull, Audio: AudioNone, Latency: c.latency, Trace: &file, Threads: 1, Decoder: DecoderFFmpeg}
	if c.sound {
		cfg.Audio = AudioNull
	}
	if cfg.Refresh = c.hz; c.hz == 0 {
		cfg.Refresh = 60
	}
	cfg.aroundSource = func(s Source) Source {
		if c.live {
			live = newLiveSource(s)
			live.bad = c.bad
			return live
		}
		if c.bad != nil {
			return &strangeSource{Source: s, bad: c.bad}
		}
		return s
	}
	if c.stall > 0 {
		cfg.aroundDecoder = func(d VideoDecoder) VideoDecoder {
			return &stallingDecoder{VideoDecoder: d, at: badAt, wait: c.stall,
				before: func() { r.looks = -looks.Load() }, after: func() { r.looks += looks.Load() }}
		}
	}
	if c.slow > 0 {
		cfg.aroundDecoder = func(d VideoDecoder) VideoDecoder { return &slowDecoder{d, c.slow} }
	}
	cfg.OnPresent = func(s *media.Scheduled) {
		at := s.Frame.Timebase.Duration(s.Frame.PTS)
		r.shown = append(r.shown, at)
		if live != nil {
			r.lag = append(r.lag, live.sent.Load()-1-int64((at*badRate+time.Second/2)/time.Second))
		}
	}
	p, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var goneAt media.Instant
	p.newSink = func() (VideoSink, error) {
		s := &watchedSink{VideoSink: dump.NewNull(dump.NullConfig{Refresh: p.refresh(), Now: clock.Now, Sleep: p.sleepUntil()}), looks: &looks}
		if c.claims > 0 {
			s.claims = time.Duration(float64(time.Second) / c.claims)
		}
		if c.gone > 0 {
			s.gone = func() bool {
				if n := len(r.shown); n == 0 || r.shown[n-1] < badAt || r.looks > 0 {
					return false
				}
				if goneAt == 0 {
					goneAt, r.looks = clock.Now(), -looks.Load()
				}
				if clock.Now().Sub(goneAt) < c.gone {
					return true
				}
				r.looks += looks.Load()
				return false
			}
		}
		return s, nil
	}
	if err := errors.Join(p.Run(ctx), p.Close()); err != nil {
		return nil, err
	}
	r.Stats = p.Stats()
	r.trace, err = trace.Read(&file)
	return r, err
}

// shift moves the timestamps of pictures from badAt on.
func shift(d time.Duration) func(int, *media.AccessUnit) {
	return func(i int, au *media.AccessUnit) {
		if i >= int(badAt.Seconds()*badRate) {
			au.PTS, au.DTS = au.PTS+au.Timebase.Ticks(d), au.DTS+au.Timebase.Ticks(d)
		}
	}
}

// TestBadInput plays with a decoder that stalls, timestamps that make no sense and displays
// that lie or take nothing: nothing hangs or spins, every picture is accounted for in the
// counts and in the trace, and no lag stays.
func TestBadInput(t *testing.T) {
	path := badClip(t)
	const all = badSeconds * badRate
	repeat := func(i int, au *media.AccessUnit) {
		if i%2 == 1 {
			au.PTS -= au.Timebase.Ticks(time.Second / badRate)
			au.DTS = au.PTS
		}
	}
	back := func(i int, au *media.AccessUnit) {
		if i%10 == 9 {
			au.PTS -= au.Timebase.Ticks(2 * time.Second / badRate)
			au.DTS = au.PTS
		}
	}
	cases := []badCase{
		{name: "timestamps repeat", bad: repeat, least: all / 4},
		{name: "timestamps go back by two, often", bad: back, least: all / 3},
		{name: "timestamps go back by 5 s", bad: shift(-5 * time.Second), anew: true, least: all / 3},
		{name: "timestamps go back by 5 s", sound: true, bad: shift(-5 * time.Second), least: all / 5, reason: media.DropLate, many: 50},
		{name: "display says 60 Hz and is 50", hz: 50, claims: 60, least: all / 3},
		{name: "display says 60 Hz and is 75", hz: 75, claims: 60, least: all / 3},
		{name: "display says 50 Hz and is 60", hz: 60, claims: 50, least: all / 3},
	}
	for _, sound := range []bool{false, true} {
		cases = append(cases,
			badCase{name: "decoder stalls", sound: sound, stall: 3 * time.Second, anew: !sound, least: all / 4},
			badCase{name: "display is gone", sound: sound, gone: 3 * time.Second, least: all / 4, reason: media.DropHidden, many: 40})
		for _, l := range []Latency{LatencyFreshest, LatencyBalanced, LatencySmooth} {
			cases = append(cases, badCase{name: "decoder stalls", live: true, latency: l, sound: sound, stall: 3 * time.Second, least: all / 4})
		}
	}
	for _, l := range []Latency{LatencyFreshest, LatencyBalanced} {
		anew := l == LatencyBalanced // the other takes pictures as they come
		cases = append(cases,
			badCase{name: "display is gone", live: true, latency: l, gone: 3 * time.Second, least: all / 4, reason: media.DropHidden, many: 20},
			badCase{name: "timestamps go back by 5 s", live: true, latency: l, bad: shift(-5 * time.Second), anew: anew, least: all / 3},
			badCase{name: "timestamps jump by 5 s", live: true, latency: l, bad: shift(5 * time.Second), anew: anew, least: all / 3})
	}
	cases = append(cases,
		badCase{name: "timestamps repeat", live: true, latency: LatencyBalanced, bad: repeat, least: all / 4},
		badCase{name: "timestamps go back by two, often", live: true, latency: LatencyBalanced, bad: back, least: all / 3},
		badCase{name: "timestamps jump by an hour", live: true, latency: LatencyBalanced, bad: shift(time.Hour), least: all / 3})

	// Most of the time is waited; -parallel is for tests that compute.
	runs, errs := make([]*badRun, len(cases)), make([]error, len(cases))
	turns := make(chan struct{}, 8)
	var players sync.WaitGroup
	for i := range cases {
		turns <- struct{}{}
		players.Go(func() {
			runs[i], errs[i] = cases[i].run(t.Context(), path)
			<-turns
		})
	}
	players.Wait()
	for i, c := range cases {
		name := c.name
		if c.live {
			name += ", " + string(c.latency)
		}
		if c.sound {
			name += ", with sound"
		}
		t.Run(name, func(t *testing.T) {
			c.try(t, path, runs[i], errs[i])
		})
	}
}

// try checks a run, and where it looks as if the machine had stood still, another one.
func (c *badCase) try(t *testing.T, path string, r *badRun, err error) {
	avtest.Try(t, func() error {
		if r == nil && err == nil {
			r, err = c.run(t.Context(), path)
		}
		if err != nil {
			t.Fatal(err)
		}
		wrong := c.check(t, r)
		r = nil
		return wrong
	})
}

// check fails the test for what may not happen in any run, and returns what a machine that
// stands still may bring about.
func (c *badCase) check(t *testing.T, r *badRun) (wrong error) {
	t.Logf("%d decoded, %d shown, drops %v, %d times anew, %d looks while nothing could be shown", r.Decoded, r.Presented, r.Drops, r.Reanchored, r.looks)
	var traced [media.NumDropReasons]int64
	shown, anew := int64(0), int64(0)
	for _, e := range r.trace {
		if e.Reason != media.DropNone {
			traced[e.Reason]++
		} else {
			shown++
		}
		if e.Reanchored {
			anew++
		}
	}
	dropped := int64(0)
	for _, n := range r.Drops {
		dropped += n
	}
	if dropped+r.Presented != badSeconds*badRate {
		t.Errorf("%d shown and %d dropped of %d", r.Presented, dropped, badSeconds*badRate)
	}
	if traced != r.Drops || shown != r.Presented || anew != r.Reanchored {
		t.Errorf("in the trace %d are shown, dropped are %v, and time starts anew %d times", shown, traced, anew)
	}
	if c.anew && r.Reanchored == 0 {
		t.Error("time did not start anew")
	}
	if r.Pool.InUseAtClose != 0 {
		t.Errorf("%d frames are still out after close", r.Pool.InUseAtClose)
	}
	if r.Presented < int64(c.least) {
		wrong = errors.Join(wrong, fmt.Errorf("%d shown, want %d", r.Presented, c.least))
	}
	if r.Drops[c.reason] < c.many {
		wrong = errors.Join(wrong, fmt.Errorf("%d dropped as %v, want %d", r.Drops[c.reason], c.reason, c.many))
	}
	still := c.stall + c.gone
	if still == 0 {
		return wrong
	}
	// Window events are looked at every 10 ms; a loop that does not wait makes 100,000 a second.
	if n := int64(still/eventInterval) * 5; r.looks > n {
		t.Errorf("%d looks around in %v, want %d at most", r.looks, still, n)
	}
	after := badAt + still + time.Second
	if rest := int((badSeconds*time.Second - after).Seconds() * badRate); r.since(after) < rest/3 {
		wrong = errors.Join(wrong, fmt.Errorf("%d of %d shown from a second after it on", r.since(after), rest))
	}
	if c.live {
		before, after := r.behind(badAt/3, badAt), r.behind(after, (badSeconds-1)*time.Second)
		t.Logf("%d pictures behind before, %d after", before, after)
		most := before + badRate/3
		if c.latency == LatencySmooth {
			most += badRate // it may wait for a second, where the machine is busy
		}
		if after > most {
			wrong = errors.Join(wrong, fmt.Errorf("%d pictures behind before and %d a second after it", before, after))
		}
	}
	return wrong
}

// TestRoomOfABacklog: what a full frame ring holds up is not the pictures' lateness, and what
// the decoder itself takes is.
func TestRoomOfABacklog(t *testing.T) {
	var r room
	at := func(ms int) media.Instant {
		return media.Instant(time.Second).Add(time.Duration(ms) * time.Millisecond)
	}
	for i, s := range []struct {
		full, received, begin int // ms; full 0: it was not
		held                  time.Duration
	}{
		{0, 0, 1, 0},
		{0, 10, 900, 0},    // the decoder took its time
		{910, 20, 950, 40}, // the ring was full for 40 ms,
		{960, 30, 1000, 80},
		{0, 40, 1005, 80},     // which later ones still are late for
		{1010, 1015, 1020, 5}, // but not those that came since
		{0, 1030, 1030, 0},
	} {
		if s.full != 0 {
			r.full(at(s.full))
		}
		if r.begin(at(s.received), at(s.begin)); r.held != s.held*time.Millisecond {
			t.Errorf("unit %d: held for %v, want %v", i, r.held, s.held*time.Millisecond)
		}
	}
}

// TestSlowDecoder has a decoder that takes 4 pictures' time for 3: the pictures that no other
// refers to are left out, and counted and traced as such, by which it can keep up.
func TestSlowDecoder(t *testing.T) {
	path := badClip(t, "-bf", "3", "-x264-params", "b-adapt=0:b-pyramid=0:scenecut=0")
	const takes = time.Second / badRate * 4 / 3
	for _, c := range []badCase{
		{name: "file", slow: takes, least: badSeconds * badRate / 8, reason: media.DropUnneeded, many: 20},
		{name: "file, with sound", slow: takes, sound: true, least: badSeconds * badRate / 8, reason: media.DropUnneeded, many: 20},
		{name: "balanced", slow: takes, live: true, latency: LatencyBalanced, least: badSeconds * badRate / 8, reason: media.DropUnneeded, many: 20},
		{name: "quick enough"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.try(t, path, nil, nil)
		})
	}
	// Where every picture counts, none is left out.
	var b bytes.Buffer
	cfg := Config{Media: path, Output: OutputFrameMD5 + "-", Writer: &b, Threads: 1, Decoder: DecoderFFmpeg, Frames: 30,
		aroundDecoder: func(d VideoDecoder) VideoDecoder { return &slowDecoder{d, takes} }}
	p, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.strained.Store(true)
	if err := errors.Join(p.Run(t.Context()), p.Close()); err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.Presented != 30 || s.Drops != [media.NumDropReasons]int64{} {
		t.Errorf("%d written, drops %v", s.Presented, s.Drops)
	}
}
