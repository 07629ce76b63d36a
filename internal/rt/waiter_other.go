//go:build !linux

package rt

import "github.com/scanout-av/scanout/media"

type parking struct{ goPark }

func (w *Waiter) sleep(deadline media.Instant) bool { return w.park.sleep(deadline) }

func (w *Waiter) rouse() { w.park.rouse() }
