package ffmpeg

import (
	"sync"

	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

// shells recycles frames: a media.Frame whose Native is an AVFrame for life. It outlives
// its decoder until the last frame is back.
// Concurrency: any goroutine.
type shells struct {
	mu     sync.Mutex
	calls  *libav.Calls
	free   []*media.Frame
	closed bool
}

func newShells(lib *libav.Lib) *shells { return &shells{calls: lib.NewCalls()} }

// reserve makes n shells, so that a queue that fills later does not allocate.
func (s *shells) reserve(n int) {
	s.free = make([]*media.Frame, 0, max(n, 64))
	for range n {
		if p := s.calls.NewFrame(); p != 0 {
			s.free = append(s.free, &media.Frame{Native: uintptr(p)})
		}
	}
}

// get returns an empty shell, nil when memory is out.
func (s *shells) get() *media.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		f := s.free[n-1]
		s.free = s.free[:n-1]
		return f
	}
	p := s.calls.NewFrame()
	if p == 0 {
		return nil
	}
	return &media.Frame{Native: uintptr(p)}
}

// put empties a shell and takes it back.
func (s *shells) put(f *media.Frame) {
	for i := range f.Planes {
		f.Planes[i].Data = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.calls.FreeFrame(libav.Frame(f.Native))
		f.Native = 0
		return
	}
	s.calls.UnrefFrame(libav.Frame(f.Native))
	s.free = append(s.free, f)
}

// ReclaimFrame takes a frame back from whoever released it last.
func (s *shells) ReclaimFrame(f *media.Frame) { s.put(f) }

func (s *shells) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, f := range s.free {
		s.calls.FreeFrame(libav.Frame(f.Native))
	}
	s.free = nil
}
