package framepool

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/scanout-av/scanout/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newPool(t testing.TB, slots, bytes int) *Pool {
	t.Helper()
	p, err := New(Config{Slots: slots, SlotBytes: bytes, Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func mustGet(t testing.TB, p *Pool) *media.Frame {
	t.Helper()
	f, err := p.Get()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func wantPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}

func TestConfigIsChecked(t *testing.T) {
	for _, cfg := range []Config{
		{}, {Slots: 1}, {Slots: -1, SlotBytes: 1}, {Slots: 1 << 15, SlotBytes: 1},
		{Slots: 4, SlotBytes: 1 << 50}, {Slots: 1, SlotBytes: 1, HugePages: 9},
	} {
		if p, err := New(cfg); err == nil {
			t.Errorf("New(%+v) succeeded", cfg)
			p.Close()
		}
	}
}

func TestExhaustionAndReuse(t *testing.T) {
	p := newPool(t, 3, 100)
	if p.SlotBytes() != PageBytes || len(p.Mapping()) < 3*PageBytes {
		t.Fatalf("slot %d bytes, mapping %d", p.SlotBytes(), len(p.Mapping()))
	}
	a, b, c := mustGet(t, p), mustGet(t, p), mustGet(t, p)
	if a.Slot == b.Slot || b.Slot == c.Slot || a.Slot == c.Slot {
		t.Fatalf("slots %d %d %d", a.Slot, b.Slot, c.Slot)
	}
	if _, err := p.Get(); err != ErrExhausted {
		t.Fatalf("fourth Get: %v", err)
	}
	p.CountFallback()
	want := b.Slot
	a.Release()
	b.Release()
	d := mustGet(t, p)
	if d.Slot != want {
		t.Errorf("got slot %d, want the last one released, %d", d.Slot, want)
	}
	if s := p.Stats(); s.InUse != 2 || s.Peak != 3 || s.Gets != 4 || s.Fallbacks != 1 || s.Slots != 3 {
		t.Errorf("stats %+v", s)
	}
	c.Release()
	d.Release()
}

func TestFrameStartsEmpty(t *testing.T) {
	p := newPool(t, 1, 1<<16)
	f := mustGet(t, p)
	if err := p.Layout(f, media.I420, 64, 64, 0); err != nil {
		t.Fatal(err)
	}
	f.PTS, f.Serial, f.Key, f.Native, f.Decoded = 7, 8, true, 9, 10
	ref := f.Ref()
	f.Release()
	if ref.Valid() {
		t.Error("a reference survived the release")
	}
	g := mustGet(t, p)
	if g.Planes[0].Data != nil || g.Planes[0].Offset != -1 || g.PTS.Valid() || g.Serial != 0 || g.Key || g.Native != 0 || g.Decoded != 0 || g.Color != media.ColorUnspecified {
		t.Errorf("a reused frame carries %+v", g)
	}
	if ref.Valid() {
		t.Error("a reference to the slot's former frame became valid again")
	}
	g.Release()
}

func TestMisusePanics(t *testing.T) {
	p := newPool(t, 2, 1)
	s, ok := p.GetSlot()
	if !ok {
		t.Fatal("no slot")
	}
	p.PutSlot(s)
	wantPanic(t, "a second PutSlot", func() { p.PutSlot(s) })
	wantPanic(t, "PutSlot of a slot that was never out", func() { p.PutSlot(1) })
	wantPanic(t, "PutSlot(-1)", func() { p.PutSlot(-1) })
	wantPanic(t, "PutSlot(2)", func() { p.PutSlot(2) })
	f := mustGet(t, p)
	wantPanic(t, "PutSlot of a frame's slot", func() { p.PutSlot(f.Slot) })
	foreign := &media.Frame{Slot: f.Slot}
	wantPanic(t, "a foreign frame", func() { (*reclaimer)(p).ReclaimFrame(foreign) })
	f.Release()
	wantPanic(t, "a second Release", func() { f.Release() })
}

func TestCloseNamesLeaks(t *testing.T) {
	p, err := New(Config{Slots: 4, SlotBytes: 10, Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	f := mustGet(t, p)
	s, _ := p.GetSlot()
	err = p.Close()
	var leak *LeakError
	if !errors.As(err, &leak) || len(leak.Slots) != 2 || len(leak.Stacks) != 2 {
		t.Fatalf("Close: %v", err)
	}
	if !strings.Contains(err.Error(), "TestCloseNamesLeaks") {
		t.Errorf("the report does not name the taker:\n%v", err)
	}
	if _, err := p.Get(); err != os.ErrClosed {
		t.Errorf("Get after Close: %v", err)
	}
	if _, err := p.Wait(nil); err != os.ErrClosed {
		t.Errorf("Wait after Close: %v", err)
	}
	if _, ok := p.GetSlot(); ok {
		t.Error("GetSlot after Close")
	}
	// The memory must still be there.
	p.SlotData(f.Slot)[0] = 1
	p.SlotData(s)[9] = 1
	f.Release()
	p.SlotData(s)[9] = 2
	p.PutSlot(s)
	if err := p.Close(); err != nil {
		t.Errorf("Close with everything back: %v", err)
	}
}

func TestWait(t *testing.T) {
	p := newPool(t, 1, 1)
	f := mustGet(t, p)
	got := make(chan *media.Frame)
	go func() {
		g, err := p.Wait(nil)
		if err != nil {
			t.Error(err)
		}
		got <- g
	}()
	for p.waiters.Load() == 0 {
		runtime.Gosched()
	}
	f.Release()
	g := <-got

	cancel := make(chan struct{})
	close(cancel)
	if _, err := p.Wait(cancel); err != os.ErrClosed {
		t.Errorf("cancelled Wait: %v", err)
	}
	g.Release()
	if h, err := p.Wait(cancel); err != nil {
		t.Errorf("Wait with a free slot: %v", err)
	} else {
		h.Release()
	}
}

// Two slots come back while two waiters are between their last look and their sleep: one
// token for both. Whoever gets it must pass it on.
func TestMergedTokens(t *testing.T) {
	p := newPool(t, 2, 1)
	a, b := mustGet(t, p), mustGet(t, p)
	p.waiters.Add(2) // stand-ins: the moment cannot be held still
	a.Release()
	b.Release()
	if len(p.freed) != 1 {
		t.Fatalf("%d tokens", len(p.freed))
	}
	<-p.freed
	first := p.popAndPassOn()
	if len(p.freed) != 1 {
		t.Fatal("the first waiter did not pass the token on")
	}
	<-p.freed
	p.waiters.Add(-1) // it has what it wanted
	second := p.popAndPassOn()
	p.waiters.Add(-1)
	if first < 0 || second < 0 || len(p.freed) != 0 {
		t.Fatalf("slots %d and %d, %d tokens left", first, second, len(p.freed))
	}
	p.arm(first).Release()
	p.arm(second).Release()
}

func TestCloseWakesWaiters(t *testing.T) {
	p, err := New(Config{Slots: 1, SlotBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	f := mustGet(t, p)
	done := make(chan error)
	for range 3 {
		go func() { _, err := p.Wait(nil); done <- err }()
	}
	for p.waiters.Load() < 3 {
		runtime.Gosched()
	}
	if err := p.Close(); err == nil {
		t.Error("Close reported no leak")
	}
	for range 3 {
		if err := <-done; err != os.ErrClosed {
			t.Error(err)
		}
	}
	f.Release()
}

// Many goroutines, few slots: nobody may starve, no slot may be held twice.
func TestConcurrent(t *testing.T) {
	p := newPool(t, 3, 1)
	var held [3]atomic.Int32
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			for n := range 2000 {
				if (n+k)%4 == 0 {
					if s, ok := p.GetSlot(); ok {
						if held[s].Add(1) != 1 {
							t.Error("slot held twice")
						}
						held[s].Add(-1)
						p.PutSlot(s)
					}
					continue
				}
				f, err := p.Wait(nil)
				if err != nil {
					t.Error(err)
					return
				}
				s := f.Slot
				if held[s].Add(1) != 1 {
					t.Error("slot held twice")
				}
				p.SlotData(s)[0] = byte(k)
				g := f.Retain()
				f.Release()
				held[s].Add(-1)
				g.Release()
			}
		})
	}
	wg.Wait()
	if s := p.Stats(); s.InUse != 0 || s.Peak > 3 {
		t.Errorf("stats %+v", s)
	}
}

// Closing while others take and return: no slot may be lost and memory must not go away
// under its holder.
func TestConcurrentClose(t *testing.T) {
	for range 200 {
		p, err := New(Config{Slots: 2, SlotBytes: 1, Trace: true})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for {
					f, err := p.Wait(nil)
					if err != nil {
						return
					}
					p.SlotData(f.Slot)[1] = 1
					f.Release()
				}
			})
		}
		for p.Stats().Gets < 10 {
			runtime.Gosched()
		}
		first := p.Close()
		wg.Wait()
		if err := p.Close(); err != nil {
			t.Fatalf("after everything came back: %v (first: %v)", err, first)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	p, err := New(Config{Slots: 4, SlotBytes: FrameBytes(media.I420, 1920, 1080, 0)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	step := func() {
		f, err := p.Wait(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Layout(f, media.I420, 1920, 1080, 0); err != nil {
			t.Fatal(err)
		}
		f.Retain().Release()
		f.Release()
		s, _ := p.GetSlot()
		p.PutSlot(s)
		_ = p.Stats()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	for range 1000 {
		step()
	}
	runtime.ReadMemStats(&b)
	if n := b.Mallocs - a.Mallocs; n > 10 { // the test runtime's own
		t.Errorf("%d allocations in 1000 frames", n)
	}
}

func BenchmarkGetRelease(b *testing.B) {
	p, err := New(Config{Slots: 8, SlotBytes: 4096})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	for b.Loop() {
		f, _ := p.Get()
		f.Release()
	}
}

func BenchmarkGetSlotPutSlot(b *testing.B) {
	p, err := New(Config{Slots: 8, SlotBytes: 4096})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	for b.Loop() {
		s, _ := p.GetSlot()
		p.PutSlot(s)
	}
}

func BenchmarkContended(b *testing.B) {
	p, err := New(Config{Slots: 8, SlotBytes: 4096})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if f, err := p.Get(); err == nil {
				f.Release()
			}
		}
	})
}
