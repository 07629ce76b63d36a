package render

import (
	"fmt"
	"runtime"
	"time"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// BenchResult is what drawing many frames cost.
type BenchResult struct {
	Upload  UploadMode
	Draw    DrawMode
	Frames  int
	Elapsed time.Duration
	CPU     time.Duration // of the whole process, 0 where the system does not say
	Allocs  uint64        // Go heap allocations
	Copies  int           // planes copied by the CPU
	Bytes   int64         // of samples in the frames
}

// Rate is frames a second.
func (b *BenchResult) Rate() float64 { return float64(b.Frames) / b.Elapsed.Seconds() }

func (b *BenchResult) String() string {
	n := float64(b.Frames)
	return fmt.Sprintf("%-22v %-8v %9.0f frames/s %7.2f GB/s %7.2f µs CPU/frame %5.2f allocs/frame %3.1f copies/frame", b.Upload, b.Draw, b.Rate(),
		float64(b.Bytes)/b.Elapsed.Seconds()/1e9, float64(b.CPU.Nanoseconds())/1e3/n, float64(b.Allocs)/n, float64(b.Copies)/n)
}

// Bench presents frames in turn, n in all, as fast as the GPU takes them, and waits for
// the last one. A target without refresh interval gives throughput. A few dozen frames
// go before, so that nothing is built while the clock runs.
// Ownership: frames are borrowed.
func Bench(o *Offscreen, frames []*media.Frame, n int) (BenchResult, error) {
	b := BenchResult{Upload: o.r.mode, Draw: o.cfg.Draw, Frames: n}
	if o.r.stageAll {
		b.Upload = UploadStaging
	}
	if len(frames) == 0 || n <= 0 {
		return b, fmt.Errorf("render: bench of %d frames", n)
	}
	s := new(media.Scheduled)
	var p media.Presented
	show := func(i int) error {
		if err := o.Begin(0); err != nil {
			return err
		}
		f := frames[i%len(frames)]
		s.Frame, s.Number = f.Retain(), s.Number+1
		if err := o.Present(s); err != nil {
			return err
		}
		b.Bytes += int64(f.Format.Size(f.Width, f.Height))
		for o.Feedback(&p) {
			b.Copies += p.Copies
		}
		return nil
	}
	for i := range max(2*len(o.r.entries), 2*len(frames)) {
		if err := show(i); err != nil {
			return b, err
		}
	}
	if err := o.Wait(); err != nil {
		return b, err
	}
	for o.Feedback(&p) {
	}
	b.Bytes, b.Copies = 0, 0
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	cpu0, t0 := rt.ProcessCPU().Total(), time.Now()
	for i := range n {
		if err := show(i); err != nil {
			return b, err
		}
	}
	if err := o.Wait(); err != nil {
		return b, err
	}
	b.Elapsed, b.CPU = time.Since(t0), rt.ProcessCPU().Total()-cpu0
	runtime.ReadMemStats(&m1)
	b.Allocs = m1.Mallocs - m0.Mallocs
	for o.Feedback(&p) {
		b.Copies += p.Copies
	}
	return b, nil
}
