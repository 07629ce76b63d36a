package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/scanout-av/scanout/player"
)

// progress draws a line on a terminal twice a second, and nothing anywhere else.
type progress struct {
	done chan struct{}
	wg   sync.WaitGroup
}

// clearLine empties the terminal's current line.
const clearLine = "\r\x1b[K"

func startProgress(env *environment, p *player.Player, quiet bool) *progress {
	pr := &progress{done: make(chan struct{})}
	if quiet || !isTerminal(env.err) {
		return pr
	}
	pr.wg.Add(1)
	go func() {
		defer pr.wg.Done()
		t := time.NewTicker(500 * time.Millisecond)
		defer t.Stop()
		var last player.Stats
		for {
			select {
			case <-t.C:
				s := p.Stats()
				fmt.Fprintf(env.err, clearLine+"%s", progressLine(p, &s, &last))
				last = s
			case <-pr.done:
				fmt.Fprint(env.err, clearLine)
				return
			}
		}
	}()
	return pr
}

func (pr *progress) stop() {
	close(pr.done)
	pr.wg.Wait()
}

// progressLine sums up the stretch since last.
func progressLine(p *player.Player, s, last *player.Stats) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", clockTime(s.Position))
	if d := p.Info().Duration; d > 0 {
		fmt.Fprintf(&b, " / %s", clockTime(d))
	}
	if dt := s.Elapsed - last.Elapsed; dt > 0 {
		fmt.Fprintf(&b, "  %.0f fps", float64(s.Presented-last.Presented)/dt.Seconds())
		fmt.Fprintf(&b, "  cpu %.1f%%", 100*float64(s.CPU.User+s.CPU.System-last.CPU.User-last.CPU.System)/float64(dt))
	}
	if s.AVOffset.Count > 0 {
		fmt.Fprintf(&b, "  A-V %+.1f ms", float64(s.AVOffset.Mean)/1e6)
	}
	fmt.Fprintf(&b, "  dropped %d", s.Dropped)
	if p.Paused() {
		b.WriteString("  paused")
	}
	return b.String()
}

// clockTime formats d like 1:02:03 or 2:03.
func clockTime(d time.Duration) string {
	s := int(max(d, 0) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// lineHandler writes log records as one plain line each.
type lineHandler struct {
	mu    *sync.Mutex
	w     io.Writer
	level slog.Level
	attrs []slog.Attr
}

func newLineHandler(w io.Writer, level slog.Level) *lineHandler {
	return &lineHandler{mu: new(sync.Mutex), w: w, level: level}
}

func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	if isTerminal(h.w) {
		b.WriteString(clearLine) // of progress
	}
	b.WriteString("scanout: ")
	b.WriteString(r.Message)
	attr := func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	}
	for _, a := range h.attrs {
		attr(a)
	}
	r.Attrs(attr)
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, b.String())
	return err
}

func (h *lineHandler) WithAttrs(a []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(append([]slog.Attr(nil), h.attrs...), a...)
	return &c
}

func (h *lineHandler) WithGroup(string) slog.Handler { return h }
