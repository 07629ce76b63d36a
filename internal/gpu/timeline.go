package gpu

import (
	"fmt"
	"time"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// Timeline is a timeline semaphore: a count that a queue raises as it finishes work.
// Concurrency: one goroutine at a time.
type Timeline struct {
	Handle vk.Semaphore
	// Next is the value that the last submitted work will signal.
	Next uint64

	d    *Device
	done uint64
	// What the driver writes and reads lies here, on the heap.
	value uint64
	wait  vk.SemaphoreWaitInfo
}

// NewTimeline makes a timeline that stands at 0.
func (d *Device) NewTimeline() (*Timeline, error) {
	t := &Timeline{d: d}
	info := &vk.SemaphoreCreateInfo{SType: vk.STypeSemaphoreCreateInfo, PNext: vk.Pointer(&vk.SemaphoreTypeCreateInfo{
		SType: vk.STypeSemaphoreTypeCreateInfo, SemaphoreType: vk.SEMAPHORE_TYPE_TIMELINE})}
	if err := d.Commands.CreateSemaphore(new(dl.Caller), d.Handle, info, nil, &t.Handle).Err(); err != nil {
		return nil, fmt.Errorf("gpu: timeline semaphore: %w", err)
	}
	t.wait = vk.SemaphoreWaitInfo{SType: vk.STypeSemaphoreWaitInfo, SemaphoreCount: 1, PSemaphores: &t.Handle, PValues: &t.value}
	return t, nil
}

// NewSemaphore makes a binary semaphore.
func (d *Device) NewSemaphore() (vk.Semaphore, error) {
	s := new(vk.Semaphore)
	if err := d.Commands.CreateSemaphore(new(dl.Caller), d.Handle, &vk.SemaphoreCreateInfo{SType: vk.STypeSemaphoreCreateInfo}, nil, s).Err(); err != nil {
		return 0, fmt.Errorf("gpu: semaphore: %w", err)
	}
	return *s, nil
}

// Done returns whether the timeline has reached v. It never waits.
// Errors: media.ErrDeviceLost.
func (t *Timeline) Done(c *dl.Caller, v uint64) (bool, error) {
	if v <= t.done {
		return true, nil
	}
	err := t.read(c)
	return v <= t.done, err
}

// Reached returns how far the work is that was submitted; it asks the driver unless all of
// it is done.
// Errors: media.ErrDeviceLost.
func (t *Timeline) Reached(c *dl.Caller) (v uint64, err error) {
	if t.done < t.Next {
		err = t.read(c)
	}
	return t.done, err
}

func (t *Timeline) read(c *dl.Caller) error {
	if r := t.d.Commands.GetSemaphoreCounterValue(c, t.d.Handle, t.Handle, &t.value); r < 0 {
		return fmt.Errorf("gpu: read a timeline: %w", r)
	}
	t.done = t.value
	return nil
}

// Wait waits until the timeline reaches v, at most for timeout.
// Units: a negative timeout waits for ever.
// Errors: media.ErrAgain at the timeout, media.ErrDeviceLost.
func (t *Timeline) Wait(c *dl.Caller, v uint64, timeout time.Duration) error {
	if v <= t.done {
		return nil
	}
	ns := ^uint64(0)
	if timeout >= 0 {
		ns = uint64(timeout)
	}
	t.value = v
	switch r := t.d.Commands.WaitSemaphores(c, t.d.Handle, &t.wait, ns); {
	case r == vk.SUCCESS:
		t.done = v
		return nil
	case r == vk.TIMEOUT:
		return media.ErrAgain
	default:
		return fmt.Errorf("gpu: wait for a timeline: %w", r)
	}
}

// Close destroys the semaphore; nil is fine.
func (t *Timeline) Close() {
	if t != nil {
		t.d.Commands.DestroySemaphore(new(dl.Caller), t.d.Handle, t.Handle, nil)
	}
}
