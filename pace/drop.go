package pace

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// reanchorAfter is how far behind frames may fall before time starts anew with them, where
// no sound keeps it: catching up by dropping a second of pictures takes longer than it is
// worth, and a machine that was suspended would drop for hours.
const reanchorAfter = time.Second

// recently reports whether a picture was shown lately, so that one may be dropped.
func (p *Pacer) recently(now media.Instant) bool {
	return p.shown && now.Sub(p.lastShow) < p.cfg.MinRate
}

// reanchors reports whether time should start anew with a frame that is late. Where
// pictures are free of sound that is better than to drop what cannot be caught up with: a
// slow decoder shows all it decodes, slower, instead of a picture a second.
func (p *Pacer) reanchors(c *Candidate, late time.Duration) bool {
	if !c.Free || p.cfg.Live || p.hidden {
		return false
	}
	return late > reanchorAfter || !c.HasNext && late > max(p.cfg.LateTolerance, c.Duration)
}

func (p *Pacer) drop(c *Candidate, now media.Instant, reason media.DropReason) Decision {
	p.seen(c.Due, c.Media)
	p.stats.Dropped++
	p.stats.Drops[reason]++
	return Decision{Action: Drop, Late: max(now.Sub(c.Due), 0), Reason: reason}
}
