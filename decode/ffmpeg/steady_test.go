package ffmpeg

import (
	"io"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

// clip1080 makes n frames of 1080p H.264 with B-frames.
func clip1080(t testing.TB, n int) string {
	return generate(t, "clip.mp4", "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=60", "-frames:v", strconv.Itoa(n),
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30", "-pix_fmt", "yuv420p")
}

// step decodes one frame and releases it.
func (d *deck) step() {
	f, err := d.next()
	if err == io.EOF {
		if err := d.src.Seek(0); err != nil {
			d.t.Fatal(err)
		}
		d.dec.Flush(0)
		d.ended = false
		return
	}
	if err != nil {
		d.t.Fatal(err)
	}
	if f.Slot < 0 || f.Planes[0].Offset < 0 {
		d.t.Fatal("a frame outside the pool")
	}
	f.Release()
}

// TestSteady decodes 1080p straight into the pool: nothing copied, nothing allocated,
// every slot back.
func TestSteady(t *testing.T) {
	path := clip1080(t, 45)
	for _, threads := range []int{1, 2} {
		t.Run(strconv.Itoa(threads), func(t *testing.T) {
			d := newDeck(t, path, threads, false)
			for range 60 { // every slot, shell and packet there is; through a seek
				d.step()
			}
			if libav.FastAllocation {
				var before, after runtime.MemStats
				gc := debug.SetGCPercent(-1)
				runtime.ReadMemStats(&before)
				for range 100 {
					d.step()
				}
				runtime.ReadMemStats(&after)
				debug.SetGCPercent(gc)
				// The measurement itself and the runtime's own threads may allocate.
				if n := after.Mallocs - before.Mallocs; n > 10 {
					t.Errorf("%d heap allocations in 100 frames", n)
				}
				if n := testing.AllocsPerRun(10, d.step); n != 0 {
					t.Errorf("%v heap allocations per frame", n)
				}
			}
			if n := d.dec.alloc.Fast(); libav.FastAllocation && n < 100 {
				t.Errorf("%d pictures were placed without entering Go", n)
			}
			st := d.dec.Stats()
			if st.Copies != 0 || st.Fallbacks != 0 || st.Errors != 0 {
				t.Errorf("%+v", st)
			}
			d.close() // fails when a slot is out
			if ps := d.pool.Stats(); ps.InUse != 0 || ps.Fallbacks != 0 {
				t.Errorf("pool: %+v", ps)
			}
		})
	}
}

// TestOutlive holds frames beyond Close of decoder and source, and releases them on
// other goroutines.
func TestOutlive(t *testing.T) {
	d := newDeck(t, clip1080(t, 8), 2, false)
	var held []*media.Frame
	for range 3 {
		f, err := d.next()
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, f)
	}
	sum := 0
	for _, b := range held[0].Planes[0].Data {
		sum += int(b)
	}
	d.dec.Close()
	d.src.Close()
	after := 0
	for _, b := range held[0].Planes[0].Data {
		after += int(b)
	}
	if sum != after || sum == 0 {
		t.Errorf("the picture changed when the decoder was closed: %d, %d", sum, after)
	}
	if n := d.pool.Stats().InUse; n == 0 {
		t.Error("no slot is out while frames are")
	}
	done := make(chan bool)
	for _, f := range held {
		go func() { f.Release(); done <- true }()
	}
	for range held {
		<-done
	}
	if n := d.pool.Stats().InUse; n != 0 {
		t.Errorf("%d slots out after the last release", n)
	}
	if err := d.pool.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.dec.Receive(); err == nil {
		t.Error("a closed decoder gave a frame")
	}
	if err := d.dec.Send(&media.AccessUnit{}); err == nil {
		t.Error("a closed decoder took a unit")
	}
	if err := d.dec.Close(); err != nil {
		t.Error("closing twice:", err)
	}
}

// TestExhausted decodes with too few slots and with slots too small: everything is shown
// and counted.
func TestExhausted(t *testing.T) {
	path := clip1080(t, 10)
	for name, size := range map[string]int{"few": 4 << 20, "small": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			d := newDeck(t, path, 1, false)
			d.dec.Close()
			if err := d.pool.Close(); err != nil {
				t.Fatal(err)
			}
			var err error
			d.pool, err = framepool.New(framepool.Config{Slots: 2, SlotBytes: size, Trace: true})
			if err != nil {
				t.Fatal(err)
			}
			d.dec, err = NewVideo(Config{Stream: d.stream, Pool: d.pool, Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			var held []*media.Frame
			n := 0
			for {
				f, err := d.next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				n++
				if len(held) < 2 {
					held = append(held, f)
					continue
				}
				f.Release()
			}
			for _, f := range held {
				f.Release()
			}
			st := d.dec.Stats()
			if n != 10 || st.Fallbacks == 0 || st.Fallbacks != d.pool.Stats().Fallbacks || name == "small" && st.Fallbacks != 10 {
				t.Errorf("%d frames, %+v, pool %+v", n, st, d.pool.Stats())
			}
			d.close()
		})
	}
}

// TestReopen opens and closes decoders while the garbage collector runs all the time:
// callbacks come from FFmpeg's threads, and nothing may be freed under them.
func TestReopen(t *testing.T) {
	path := generate(t, "small.mp4", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-frames:v", "24", "-c:v", "libx264", "-g", "12")
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	for i := range 25 {
		d := newDeck(t, path, 1+i%4, false)
		var last *media.Frame
		for range 5 + i%7 {
			f, err := d.next()
			if err != nil {
				t.Fatal(err)
			}
			if last != nil {
				last.Release()
			}
			last = f
		}
		if i%3 == 0 {
			d.dec.Flush(uint32(i))
		}
		if i%2 == 0 {
			d.dec.Close()
			last.Release()
		} else {
			last.Release()
		}
		d.close()
	}
}

// BenchmarkDecode1080 reports CPU time through the benchmark's wall time on one thread.
func BenchmarkDecode1080(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(strconv.Itoa(threads), func(b *testing.B) {
			d := newDeck(b, clip1080(b, 60), threads, false)
			defer d.close()
			for range 30 {
				d.step()
			}
			b.ReportAllocs()
			cpu := cpuTime()
			for b.Loop() {
				d.step()
			}
			b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N)/1e6, "cpu-ms/frame")
		})
	}
}
