//go:build linux || freebsd || netbsd || openbsd || dragonfly

package x11

import (
	"fmt"
	"time"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// Feedback watches what one window shows.
type Feedback struct {
	c      *connection
	q      pending
	now    func() media.Instant
	window uint32
	err    error
	out    [notifySize]byte
	take   func([]byte) // f.message, made once
}

// DisplayName returns the name of a display that Xlib has opened: the address of a Display.
func DisplayName(display uintptr) (string, error) {
	so, err := dl.Open("libX11.so.6")
	if err != nil {
		return "", fmt.Errorf("x11: %w: %w", media.ErrNotSupported, err)
	}
	f, err := so.Symbol("XDisplayString")
	if err != nil {
		return "", fmt.Errorf("x11: %w: %w", media.ErrNotSupported, err)
	}
	return dl.GoString(dl.Call(f, display)), nil
}

// Watch begins to watch a window of a display. copies says that its pictures are copied into
// it, each before the call of Committed, rather than presented by a Vulkan driver. now reads
// CLOCK_MONOTONIC.
// Errors: media.ErrNotSupported.
func Watch(display string, window uintptr, copies bool, now func() media.Instant) (*Feedback, error) {
	c, err := dial(display)
	if err != nil {
		return nil, err
	}
	f := &Feedback{c: c, now: now, window: uint32(window), q: pending{copies: copies}}
	f.take = f.message
	if err := c.send(selectInput(c.present, c.base, f.window)); err != nil {
		c.close()
		return nil, err
	}
	return f, nil
}

// Request asks about the picture that is about to be handed over. p is what is known of it
// and comes back from Next.
func (f *Feedback) Request(p *media.Presented) {
	if f.err == nil {
		f.q.push(p)
	}
}

// Committed says that the picture of the newest Request was copied into the window.
func (f *Feedback) Committed() {
	q := &f.q
	if f.err != nil || q.mute || !q.copies || q.size == 0 {
		return
	}
	q.serial++
	q.at(q.size - 1).serial = q.serial
	notify(&f.out, f.c.present, f.window, q.serial)
	f.err = f.c.send(f.out[:])
}

// Withdraw takes back the newest Request, whose picture was not handed over.
func (f *Feedback) Withdraw() { f.q.drop() }

// Queued returns how many pictures the display has not shown, as of the last call of Next
// or Wait.
func (f *Feedback) Queued() int { return f.q.queued() }

// Wait waits until the display has yet to show at most n pictures.
// Units: deadline is ns, CLOCK_MONOTONIC; 0 waits for ever.
// Errors: media.ErrAgain at the deadline; media.ErrDeviceLost.
func (f *Feedback) Wait(n int, deadline media.Instant) error {
	for {
		if err := f.read(); err != nil {
			return err
		}
		if f.q.queued() <= n {
			return nil
		}
		timeout := time.Duration(-1)
		if deadline != 0 {
			if timeout = deadline.Sub(f.now()); timeout <= 0 {
				return media.ErrAgain
			}
		}
		if err := f.c.wait(timeout); err != nil {
			f.err = err
			return err
		}
	}
}

// read takes in what the server has sent.
func (f *Feedback) read() error {
	for f.err == nil {
		more, err := f.c.fill()
		if err != nil {
			f.err = err
		}
		f.c.each(f.take)
		if !more {
			break
		}
	}
	return f.err
}

// message looks at one message of the server's.
func (f *Feedback) message(b []byte) {
	if b[0]&^0x80 == kindError {
		f.q.fallSilent() // the window is gone, or is not what it was taken for
		return
	}
	if c, ok := parseComplete(b, f.c.present); ok && c.window == f.window {
		f.q.see(c)
	}
}

// Next pops what became of the oldest picture; false when that is not known yet.
func (f *Feedback) Next(p *media.Presented) bool {
	if f.q.size == 0 {
		return false
	}
	if !f.q.at(0).answered {
		_ = f.read() // Wait reports it
	}
	return f.q.pop(p)
}

// Refresh returns the display's interval as measured, 0 while it is not.
func (f *Feedback) Refresh() time.Duration { return f.q.rate }

// Source says where stamps come from: media.PresentX11, or media.PresentFence once it is
// known that the server says nothing of this window.
func (f *Feedback) Source() media.PresentSource {
	if f.q.mute {
		return media.PresentFence
	}
	return media.PresentX11
}

// Close ends it. Closing twice does nothing.
func (f *Feedback) Close() { f.c.close() }
