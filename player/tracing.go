package player

import (
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/trace"
)

// drainInterval is how often a trace is written: a few dozen frames at a time.
const drainInterval = 250 * time.Millisecond

func (p *Player) openTrace() (err error) {
	if p.cfg.Trace == nil {
		return nil
	}
	p.trace, err = trace.New(trace.Config{Writer: p.cfg.Trace, Name: p.info.Name})
	return err
}

// drainTrace writes the trace until playback ends; release writes the rest.
func (p *Player) drainTrace() {
	defer p.stages.Done()
	tick := time.NewTicker(drainInterval)
	defer tick.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
			if err := p.trace.Drain(); err != nil {
				p.log.Warn("no more trace", "error", err)
				return
			}
		}
	}
}

// traceDrop records that a picture is not shown.
func (p *Player) traceDrop(pic *picture, r media.DropReason, due, at media.Instant, behind int) {
	if p.trace == nil {
		return
	}
	f := pic.frame
	p.trace.Add(&trace.Event{Serial: f.Serial, PTS: p.mediaTime(f.PTS, f.Timebase), Received: f.Received, Assembled: f.Assembled,
		Decoded: f.Decoded, Due: due, Reason: r, At: at, Behind: behind, Reanchored: pic.anew})
}

// traceSkip records that a unit is not decoded.
func (p *Player) traceSkip(au *media.AccessUnit, r media.DropReason, at media.Instant) {
	if p.trace == nil {
		return
	}
	t := au.PTS
	if !t.Valid() {
		t = au.DTS
	}
	e := trace.Event{Serial: au.Serial, Received: au.Received, Assembled: au.Assembled, Reason: r, At: at}
	if t.Valid() {
		e.PTS = p.mediaTime(t, au.Timebase)
	}
	p.trace.Add(&e)
}

// traceShown records what became of a frame that was shown.
func (p *Player) traceShown(f *media.Presented, j *journey) {
	if p.trace == nil {
		return
	}
	p.trace.Add(&trace.Event{Number: f.Number, Serial: f.Serial, PTS: p.mediaTime(f.PTS, f.Timebase), Received: j.received,
		Assembled: j.assembled, Decoded: j.decoded, Due: j.due, Target: f.Target, Submitted: f.Submitted, Actual: f.Actual, Refresh: f.Refresh,
		Source: f.Source, Sequence: f.Sequence, Missed: f.Missed, Discarded: f.Discarded, Behind: j.behind, Reanchored: j.anew})
}
