package render

import (
	"errors"
	"fmt"
	"image"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/sdl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// faults makes one call of the driver fail, and counts what was made and not destroyed.
// Callbacks are never freed, so the process has one set.
var faults struct {
	sync.Mutex
	driver map[string]uintptr         // the driver's own functions
	hooks  map[string]uintptr         // what stands in for them
	live   map[string]map[uint64]bool // objects by the function that made them
	calls  int                        // so far
	fail   int                        // which of them fails, from 1
	failed string
	refuse int // so many presents are answered so
	answer vk.Result
	made   map[string]int // objects so far, by the function that made them
}

// made are the functions that make an object, with what destroys it and how many arguments
// come before the one that it is written to.
var made = map[string]struct {
	destroy string
	out     int
}{
	"CreateImage": {"DestroyImage", 3}, "CreateImageView": {"DestroyImageView", 3}, "CreateBuffer": {"DestroyBuffer", 3},
	"AllocateMemory": {"FreeMemory", 3}, "CreateSampler": {"DestroySampler", 3}, "CreateSemaphore": {"DestroySemaphore", 3},
	"CreateFence": {"DestroyFence", 3}, "CreateCommandPool": {"DestroyCommandPool", 3}, "CreateShaderModule": {"DestroyShaderModule", 3},
	"CreateDescriptorSetLayout": {"DestroyDescriptorSetLayout", 3}, "CreatePipelineLayout": {"DestroyPipelineLayout", 3},
	"CreateDescriptorPool": {"DestroyDescriptorPool", 3}, "CreateGraphicsPipelines": {"DestroyPipeline", 5},
	"CreateComputePipelines": {"DestroyPipeline", 5}, "CreateSwapchainKHR": {"DestroySwapchainKHR", 3},
}

// other functions that may fail.
var other = []string{"BindImageMemory", "BindBufferMemory", "MapMemory", "AllocateCommandBuffers", "AllocateDescriptorSets",
	"BeginCommandBuffer", "EndCommandBuffer", "QueueSubmit2", "AcquireNextImageKHR", "QueuePresentKHR"}

func hook(name string) uintptr {
	m, makes := made[name]
	return dl.NewCallback(func(a, b, c, d, e, f uintptr) uintptr {
		faults.Lock()
		faults.calls++
		if faults.calls == faults.fail {
			faults.failed = name
			fn := faults.driver[name]
			faults.Unlock()
			if name == "EndCommandBuffer" {
				dl.Call(fn, a) // it is recorded no longer, whatever else it is
			}
			out := vk.ERROR_OUT_OF_DEVICE_MEMORY
			return uintptr(out)
		}
		fn := faults.driver[name]
		refuse := name == "QueuePresentKHR" && faults.refuse > 0
		if refuse {
			faults.refuse--
		}
		faults.Unlock()
		r := dl.Call(fn, a, b, c, d, e, f)
		if refuse {
			return uintptr(faults.answer) // the wait for its semaphore counts all the same
		}
		if makes && vk.Result(r) >= 0 {
			h := dl.Load[uint64]([]uintptr{a, b, c, d, e, f}[m.out], 0)
			faults.Lock()
			if faults.live[m.destroy] == nil {
				faults.live[m.destroy] = map[uint64]bool{}
			}
			faults.live[m.destroy][h] = true
			faults.made[name]++
			faults.Unlock()
		}
		return r
	})
}

func unhook(name string) uintptr {
	return dl.NewCallback(func(device, h, alloc uintptr) uintptr {
		faults.Lock()
		delete(faults.live[name], uint64(h))
		fn := faults.driver[name]
		faults.Unlock()
		return dl.Call(fn, device, h, alloc)
	})
}

// withFaults puts the stand-ins between d and its driver.
func withFaults(d *gpu.Device) {
	faults.Lock()
	defer faults.Unlock()
	first := faults.hooks == nil
	if first {
		faults.hooks = map[string]uintptr{}
	}
	faults.driver, faults.live, faults.made = map[string]uintptr{}, map[string]map[uint64]bool{}, map[string]int{}
	k := reflect.ValueOf(d.Commands).Elem()
	put := func(name string, make func(string) uintptr) {
		f := k.FieldByName("Pfn" + name)
		if faults.driver[name] != 0 || f.Uint() == 0 {
			return
		}
		if faults.hooks[name] == 0 {
			faults.hooks[name] = make(name)
		}
		faults.driver[name] = uintptr(f.Uint())
		f.SetUint(uint64(faults.hooks[name]))
	}
	for name, m := range made {
		put(name, hook)
		put(m.destroy, unhook)
	}
	for _, name := range other {
		put(name, hook)
	}
}

// arm lets the n-th call from now on fail.
func arm(n int) {
	faults.Lock()
	faults.calls, faults.fail, faults.failed = 0, n, ""
	faults.Unlock()
}

// respond lets the next n presents return r, and says how many swapchains have been made.
func respond(n int, r vk.Result) (swapchains int) {
	faults.Lock()
	defer faults.Unlock()
	faults.fail, faults.refuse, faults.answer = 0, n, r
	return faults.made["CreateSwapchainKHR"]
}

// left describes what was made and is still there, and says which call failed, "" for none.
func left() (objects, failed string) {
	faults.Lock()
	defer faults.Unlock()
	faults.fail = 0
	for name, hs := range faults.live {
		if len(hs) > 0 {
			objects += fmt.Sprintf(" %s: %d", name, len(hs))
			faults.live[name] = nil
		}
	}
	return objects, faults.failed
}

// everyFault runs something with each call of the driver failing in turn, until it calls
// it no more often; nothing may be left of it.
func everyFault(t *testing.T, d *gpu.Device, run func(), pools ...*framepool.Pool) {
	t.Helper()
	said := len(d.Instance.Messages())
	for n := 1; ; n++ {
		arm(n)
		run()
		objects, failed := left()
		if objects != "" {
			t.Errorf("call %d, %s, failed: not destroyed:%s", n, failed, objects)
		}
		for _, p := range pools {
			if in := p.Stats().InUse; in != 0 {
				t.Fatalf("call %d, %s, failed: %d frames not released", n, failed, in)
			}
		}
		if ms := d.Instance.Messages(); len(ms) > said {
			t.Errorf("call %d, %s, failed: %.600s", n, failed, ms[said])
			said = len(ms)
		}
		if failed == "" {
			t.Logf("%d calls", n-1)
			return
		}
	}
}

// TestFaultsOffscreen: whichever call of the driver fails, nothing is left behind, no frame
// is lost, and the validation layer has nothing to say.
func TestFaultsOffscreen(t *testing.T) {
	d := sharedDevice(t)
	withFaults(d)
	for _, c := range []struct {
		mode UploadMode
		draw DrawMode
	}{{UploadTransferBufferImage, DrawTriangle}, {UploadLinear, DrawCompute}} {
		t.Run(c.mode.String()+"/"+c.draw.String(), func(t *testing.T) {
			p, elsewhere := newPool(t, 4, 64*1024), newPool(t, 2, 64*1024)
			cfg := Config{On: d, Pool: p, Upload: c.mode, Draw: c.draw, InFlight: 2, oneQueue: true}
			everyFault(t, d, func() { playOffscreen(t, cfg, p, elsewhere) }, p, elsewhere)
		})
	}
}

// playOffscreen does what can be done with a target, whatever comes of it. Frames of
// elsewhere are staged.
func playOffscreen(t *testing.T, cfg Config, p, elsewhere *framepool.Pool) {
	o, err := NewOffscreen(cfg)
	if err != nil {
		return
	}
	for i, f := range []*media.Frame{
		newFrame(t, p, media.I420, 32, 16, 1), newFrame(t, elsewhere, media.I420, 32, 16, 2), newFrame(t, p, media.NV12, 64, 32, 3),
	} {
		if o.Begin(0) == nil {
			_ = o.Present(&media.Scheduled{Frame: f.Retain(), Number: uint64(i + 1)})
			_ = o.Present(&media.Scheduled{Frame: f.Retain(), Repeat: true})
		}
		f.Release()
	}
	if w, h := o.Size(); w > 0 {
		_ = o.ReadRGBA(image.NewRGBA(image.Rect(0, 0, w, h)))
	}
	_, _ = o.Screenshot()
	_ = o.Close()
}

// TestFaultsWindow does the same with a window, whose swapchain is made anew meanwhile.
func TestFaultsWindow(t *testing.T) {
	d, open := sharedWindow(t)
	withFaults(d)
	p := newPool(t, 4, 64*1024)
	c := &fakeClock{now: 1}
	everyFault(t, d, func() {
		native := open()
		w, err := NewWindow(Config{On: d, Pool: p, Now: c.Now, InFlight: 2}, native)
		if err != nil {
			native.Close()
			return
		}
		for i := range 4 {
			f := newFrame(t, p, media.I420, 32, 16, 1)
			w.stale = w.stale || i == 2
			c.now += 1_000_000
			if w.Begin(c.now+1_000_000_000) == nil {
				_ = w.Present(&media.Scheduled{Frame: f.Retain(), Number: uint64(i + 1)})
			}
			f.Release()
		}
		_, _ = w.Screenshot()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}, p)
}

// sharedWindow opens a device for windows, and returns what opens one.
func sharedWindow(t *testing.T) (*gpu.Device, func() NativeWindow) {
	t.Helper()
	s, err := sdl.Load()
	if err != nil {
		t.Skip(err)
	}
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	x := avtest.Xvfb(t, 400, 300)
	for _, n := range []string{"WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "SDL_VIDEODRIVER"} {
		s.Setenv(n, "")
	}
	s.Setenv("DISPLAY", x.Name)
	d, err := gpu.OpenDevice(gpu.InstanceConfig{Surfaces: true, Validation: true}, gpu.Config{Device: "llvmpipe", Present: true})
	if err != nil {
		t.Skipf("needs lavapipe and the validation layer: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, func() NativeWindow {
		native, err := s.OpenWindow(sdl.WindowConfig{Title: "render", Width: 64, Height: 32})
		if err != nil {
			t.Skipf("needs a Vulkan window: %v", err)
		}
		return native
	}
}

// answeredWindow opens a window whose driver answers as the test has it (see respond).
func answeredWindow(t *testing.T) (*Window, *framepool.Pool, *fakeClock) {
	t.Helper()
	d, open := sharedWindow(t)
	withFaults(d)
	p := newPool(t, 2, 64*1024)
	c := &fakeClock{now: 1}
	w, err := NewWindow(Config{On: d, Pool: p, Now: c.Now}, open())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, p, c
}

// TestOutOfDate: a frame that the window does not take, the second time either, is not
// reported as shown: Present says so.
func TestOutOfDate(t *testing.T) {
	w, p, c := answeredWindow(t)
	w.unwatch() // X says nothing of lavapipe's pictures, and takes a while to be found out
	present := func(number uint64) error {
		c.now += 1_000_000
		if err := w.Begin(0); err != nil {
			t.Fatal(err)
		}
		return w.Present(&media.Scheduled{Frame: newFrame(t, p, media.I420, 32, 16, 1), Number: number})
	}
	if err := present(1); err != nil {
		t.Fatal(err)
	}
	respond(2, vk.ERROR_OUT_OF_DATE_KHR)
	if err := present(2); !errors.Is(err, media.ErrOutOfDate) {
		t.Errorf("Present: %v", err)
	}
	respond(1, vk.ERROR_OUT_OF_DATE_KHR)
	if err := present(3); err != nil { // taken at the second try
		t.Error(err)
	}
	if err := w.r.idle(); err != nil {
		t.Fatal(err)
	}
	var reported []uint64
	if err := avtest.Eventually(func() bool {
		var f media.Presented
		for w.Feedback(&f) {
			reported = append(reported, f.Number)
		}
		return len(reported) >= 2
	}); err != nil {
		t.Error(err)
	}
	if !slices.Equal(reported, []uint64{1, 3}) {
		t.Errorf("reported as shown: %v", reported)
	}
}

// TestSuboptimalForGood: a driver to which nothing is ever right, because the display is
// turned or another GPU's, is not given a new swapchain for each frame; one that is content
// again has a new say.
func TestSuboptimalForGood(t *testing.T) {
	w, p, c := answeredWindow(t)
	play := func(frames int) {
		t.Helper()
		for i := range frames {
			c.now += 1_000_000
			if err := w.Begin(0); err != nil {
				t.Fatal(err)
			}
			if err := w.Present(&media.Scheduled{Frame: newFrame(t, p, media.I420, 32, 16, 1), Number: uint64(i + 1)}); err != nil {
				t.Fatal(err)
			}
			if err := w.r.wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	play(2)
	for range 2 {
		before := respond(30, vk.SUBOPTIMAL_KHR)
		play(30)
		if n := respond(0, vk.SUCCESS) - before; n != maxSuboptimal {
			t.Errorf("%d swapchains for 30 frames, want %d", n, maxSuboptimal)
		}
		play(2)
	}
	w.stale = true // by a change of size or whatever else
	before := respond(1, vk.SUBOPTIMAL_KHR)
	play(1)
	if n := respond(0, vk.SUCCESS) - before; n != 1 {
		t.Errorf("%d swapchains for one that did not fit", n)
	}
}
