// Command push shows frames of its own: take one from the pool, fill it, present it at
// its moment. No decoder, no player, no copy on the way to the GPU.
//
//	go run ./examples/push
package main

import (
	"errors"
	"fmt"
	"log"
	"runtime"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/pace"
	"github.com/scanout-av/scanout/player"
	"github.com/scanout-av/scanout/render"
)

const (
	width, height = 640, 360
	rate          = 60
)

func main() {
	runtime.LockOSThread() // a window belongs to one thread
	if err := push(5 * rate); err != nil {
		log.Fatal(err)
	}
}

// push shows n frames.
func push(n int) (err error) {
	pool, err := framepool.New(framepool.Config{Slots: 8, SlotBytes: framepool.FrameBytes(media.I420, width, height, 0)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }() // it says if a frame was kept
	sink, err := open(pool)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	pacer, err := pace.New(pace.Config{})
	if err != nil {
		return err
	}
	pacer.SetDisplay(sink.Display())

	start := clock.Now().Add(100 * time.Millisecond)
	for i := range n {
		f, err := pool.Wait(nil) // a free slot, with one reference, ours
		if err != nil {
			return err
		}
		if err := pool.Layout(f, media.I420, width, height, 0); err != nil {
			f.Release()
			return err
		}
		paint(f, i)
		if quit, err := show(sink, pacer, f, i, start.Add(time.Duration(i)*time.Second/rate)); quit || err != nil {
			return err
		}
	}
	fmt.Printf("%s: %+v\n", sink.Name(), pacer.Stats())
	return nil
}

// show presents f when it is due, and takes it.
func show(sink player.VideoSink, pacer *pace.Pacer, f *media.Frame, i int, due media.Instant) (quit bool, err error) {
	var d pace.Decision
	for {
		d = pacer.Decide(clock.Now(), pace.Candidate{Due: due, Duration: time.Second / rate})
		if d.Action != pace.Wait {
			break
		}
		sleepUntil(d.Until)
	}
	var e media.Event
	for sink.Poll(&e) {
		quit = quit || e.Kind == media.EventQuit
	}
	if quit || d.Action == pace.Drop {
		f.Release()
		return quit, nil
	}
	if err := sink.Begin(0); err != nil {
		f.Release()
		return false, err
	}
	if err := sink.Present(&media.Scheduled{Frame: f, Target: d.Target, Number: uint64(i + 1)}); err != nil {
		return false, err
	}
	pacer.Showing(clock.Now())
	var shown media.Presented
	for sink.Feedback(&shown) {
		pacer.Observe(&shown)
	}
	return false, nil
}

// open opens a window, or an offscreen image where there is no display.
func open(pool *framepool.Pool) (player.VideoSink, error) {
	cfg := render.Config{Pool: pool, Width: width, Height: height, Now: clock.Now, Sleep: sleepUntil}
	if player.HasDisplay() {
		return render.OpenWindow(cfg, "push", false)
	}
	cfg.Refresh = time.Second / rate
	return render.NewOffscreen(cfg)
}

func sleepUntil(t media.Instant) { time.Sleep(time.Duration(t - clock.Now())) }

// paint draws a diagonal gradient that moves.
func paint(f *media.Frame, n int) {
	y := &f.Planes[0]
	for row := range height {
		line := y.Data[row*y.Stride:][:width]
		for x := range line {
			line[x] = byte(16 + (x+row+4*n)%220)
		}
	}
	for p := 1; p < 3; p++ {
		c := &f.Planes[p]
		for row := range height / 2 {
			line := c.Data[row*c.Stride:][:width/2]
			for x := range line {
				line[x] = byte(64 + (x*p+n)%128)
			}
		}
	}
	f.Color = media.ColorUnspecified
	f.Timebase = media.Nanoseconds
}
