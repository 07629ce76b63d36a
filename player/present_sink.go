package player

import (
	"fmt"

	"github.com/scanout-av/scanout/media"
)

// Where pictures go: the sink, what it cannot show, and another in place of a lost one.

// maxRebuilds is how many times a lost device is opened again.
const maxRebuilds = 3

// rebuild replaces a sink whose device was lost.
func (s *presenter) rebuild(cause error) error {
	s.rebuilds++
	s.p.log.Warn("the graphics device was lost, opening it again", "error", cause)
	s.unwatchEvents()
	if err := s.sink.Close(); err != nil {
		s.p.log.Warn("closing the lost device", "error", err)
	}
	s.p.replaceGPU()
	s.dropLost()
	sink, err := s.p.openSink()
	if err != nil {
		s.sink = closedSink{}
		return fmt.Errorf("player: the graphics device was lost and none can be opened in its place: %w", err)
	}
	s.sink, s.begun = sink, false
	s.unblock()
	s.watchEvents()
	s.lookAtSink()
	s.display(true)
	s.p.pacer.Reset()
	s.p.redraw.Store(true)
	if s.fullscreen != s.p.cfg.Fullscreen {
		s.setFullscreen(s.fullscreen)
	}
	return nil
}

// lookAtSink finds out whether the sink shows pictures in GPU memory.
func (s *presenter) lookAtSink() {
	t, ok := s.sink.(takesGPU)
	if s.noGPU = !ok || !t.TakesGPU(); s.noGPU && !s.p.cfg.written() { // written ones are read back
		s.p.refuseGPU()
	}
}

// unfit reports whether f cannot be shown: it is in GPU memory, and that is gone or not the
// sink's.
func (s *presenter) unfit(f *media.Frame) bool {
	if f.GPU == nil || !s.noGPU && !f.GPU.Lost() {
		return false
	}
	s.p.stats.unfit.Add(1)
	return true
}

// dropLost releases the pictures that went with their device.
func (s *presenter) dropLost() {
	if s.shown != nil && s.unfit(s.shown) {
		s.shown.Release()
		s.shown = nil
	}
	if s.hasNext && s.next.frame != nil && s.unfit(s.next.frame) {
		s.next.frame.Release()
		s.hasNext = false
	}
	if s.hasHead && s.unfit(s.head.frame) {
		s.head.frame.Release()
		s.hasHead = false
		s.promote()
	}
}

// display tells the pacer where pictures go, when that is new or has changed: a window may
// move to a display of another rate.
func (s *presenter) display(fresh bool) {
	d := s.sink.Display()
	if fresh || d.Refresh != s.shownOn.Refresh || d.Source != s.shownOn.Source {
		s.p.pacer.SetDisplay(d)
	}
	s.shownOn = d
	if s.p.pacer.Exact() && d.Refresh >= alignFrom && !s.p.live() {
		s.p.aligns.Store(alignOn)
	} else {
		s.p.aligns.Store(alignOff)
	}
	s.p.stats.setSink(s.sink.Name(), d)
}
