package render

import (
	"fmt"
	"slices"
	"time"

	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// swapchain is a swapchain with its images, and the arguments of its calls.
type swapchain struct {
	handle        vk.SwapchainKHR
	width, height int
	wantW, wantH  int // the window's size when it was made
	mode          media.PresentMode
	firstID       uint64 // the first present that is this swapchain's
	images        []swapImage

	// Semaphores that acquiring signals, in turns. One may be used again when the draw
	// that waited for it is finished.
	semaphores []acquireSemaphore
	next       int

	// Arguments that Vulkan reads, on the heap with the window.
	index   uint32
	id      uint64
	drawn   vk.Semaphore
	ids     vk.PresentIdKHR
	ids2    vk.PresentId2KHR
	wait2   vk.PresentWait2InfoKHR
	info    vk.PresentInfoKHR
	waits   waitKind // by which extension it is known that a present is on the screen
	support presentSupport
	stamps  stamps // the driver's own word for when that was
	fence   vk.Fence
	fences  vk.SwapchainPresentFenceInfoKHR
	caps    vk.SurfaceCapabilitiesKHR
}

type swapImage struct {
	image *gpu.Image
	drawn vk.Semaphore // presenting waits for it
	// free signals when the display is done with what was presented last, and with drawn;
	// 0 where nothing says so.
	free      vk.Fence
	presented bool
}

type acquireSemaphore struct {
	handle    vk.Semaphore
	drawValue uint64
}

// init finds out what the surface says of presents.
func (s *swapchain) init(r *renderer, surface vk.SurfaceKHR) {
	s.ids = vk.PresentIdKHR{SType: vk.STypePresentIdKHR, SwapchainCount: 1, PPresentIds: &s.id}
	s.ids2 = vk.PresentId2KHR{SType: vk.STypePresentId2KHR, SwapchainCount: 1, PPresentIds: &s.id}
	s.wait2 = vk.PresentWait2InfoKHR{SType: vk.STypePresentWait2InfoKHR}
	s.info = vk.PresentInfoKHR{SType: vk.STypePresentInfoKHR, WaitSemaphoreCount: 1, PWaitSemaphores: &s.drawn,
		SwapchainCount: 1, PSwapchains: &s.handle, PImageIndices: &s.index}
	s.fences = vk.SwapchainPresentFenceInfoKHR{SType: vk.STypeSwapchainPresentFenceInfoKHR, SwapchainCount: 1, PFences: &s.fence}
	s.support = presentSupportOf(r, surface)
	s.waits = chooseWait(r.d, s.support)
	s.stamps.init(s.support.stages, r.d.DisplayTiming, r.cfg.Now)
}

// numbered reports whether presents have numbers.
func (s *swapchain) numbered() bool { return s.waits != waitNone || s.stamps.on() }

// link chains what goes with the next present; stamped says that its moment is asked for.
func (s *swapchain) link(r *renderer, stamped bool) {
	next := &s.info.PNext
	switch {
	case s.waits == waitSecond || s.stamps.source == media.PresentTiming:
		*next, next = vk.Pointer(&s.ids2), &s.ids2.PNext
	case s.waits == waitFirst:
		*next, next = vk.Pointer(&s.ids), &s.ids.PNext
	}
	switch {
	case stamped && s.stamps.source == media.PresentTiming:
		*next, next = vk.Pointer(&s.stamps.timings), &s.stamps.timings.PNext
	case stamped && s.stamps.source == media.PresentGoogle:
		*next, next = vk.Pointer(&s.stamps.times), &s.stamps.times.PNext
	}
	if r.d.SwapchainMaint1 {
		*next, next = vk.Pointer(&s.fences), &s.fences.PNext
	}
	*next = nil
}

// modes are the presentation modes that Vulkan has for ours.
var modes = [...]vk.PresentModeKHR{
	media.PresentModeFIFO:      vk.PRESENT_MODE_FIFO_KHR,
	media.PresentModeLatest:    vk.PRESENT_MODE_FIFO_LATEST_READY_KHR,
	media.PresentModeMailbox:   vk.PRESENT_MODE_MAILBOX_KHR,
	media.PresentModeImmediate: vk.PRESENT_MODE_IMMEDIATE_KHR,
}

// offered lists the modes that the surface has.
func (s *swapchain) offered(r *renderer, surface vk.SurfaceKHR) ([]media.PresentMode, error) {
	n := new(uint32)
	k := r.in.Commands
	if err := k.GetPhysicalDeviceSurfacePresentModesKHR(r.c, r.d.Physical, surface, n, nil).Err(); err != nil {
		return nil, fmt.Errorf("render: the window's present modes: %w", err)
	}
	vs := make([]vk.PresentModeKHR, *n+1)
	if err := k.GetPhysicalDeviceSurfacePresentModesKHR(r.c, r.d.Physical, surface, n, &vs[0]).Err(); err != nil {
		return nil, fmt.Errorf("render: the window's present modes: %w", err)
	}
	var ms []media.PresentMode
	for m := media.PresentModeFIFO; int(m) < len(modes); m++ {
		if slices.Contains(vs[:*n], modes[m]) && (m != media.PresentModeLatest || r.d.LatestReady) {
			ms = append(ms, m)
		}
	}
	return ms, nil
}

// chooseMode picks a mode out of those offered: FIFO, which loses and tears nothing, unless
// another was asked for; and the newest frame at each refresh where the source is faster
// than the display, because a queue would only fill.
// Errors: media.ErrNotSupported when the one that was asked for is not offered.
func chooseMode(want media.PresentMode, offered []media.PresentMode, source, refresh time.Duration) (media.PresentMode, error) {
	if want == media.PresentModeAuto {
		if source > 0 && source < refresh-refresh/100 && slices.Contains(offered, media.PresentModeLatest) {
			return media.PresentModeLatest, nil
		}
		return media.PresentModeFIFO, nil // every surface has it
	}
	if slices.Contains(offered, want) {
		return want, nil
	}
	return 0, fmt.Errorf("render: this window has no present mode %v: %w: choose from %v", want, media.ErrNotSupported, offered)
}

// recreate replaces the swapchain by one that fits the surface and has at least so many
// images.
// Errors: media.ErrAgain when the surface has no area.
func (s *swapchain) recreate(r *renderer, surface vk.SurfaceKHR, width, height, images int, mode media.PresentMode) error {
	if s.handle != 0 {
		if err := r.idle(); err != nil {
			return err
		}
	}
	caps := &s.caps
	if err := r.in.Commands.GetPhysicalDeviceSurfaceCapabilitiesKHR(r.c, r.d.Physical, surface, caps).Err(); err != nil {
		return fmt.Errorf("render: the window's surface: %w", err)
	}
	s.wantW, s.wantH = width, height
	extent := caps.CurrentExtent
	if extent.Width == ^uint32(0) { // Wayland: the swapchain decides
		extent.Width = min(max(uint32(max(width, 0)), caps.MinImageExtent.Width), caps.MaxImageExtent.Width)
		extent.Height = min(max(uint32(max(height, 0)), caps.MinImageExtent.Height), caps.MaxImageExtent.Height)
	}
	if extent.Width == 0 || extent.Height == 0 {
		return media.ErrAgain
	}
	format, err := s.format(r, surface)
	if err != nil {
		return err
	}
	count := max(caps.MinImageCount, uint32(images))
	if caps.MaxImageCount > 0 {
		count = min(count, caps.MaxImageCount)
	}
	alpha := vk.COMPOSITE_ALPHA_OPAQUE_BIT_KHR
	if caps.SupportedCompositeAlpha&alpha == 0 {
		alpha = caps.SupportedCompositeAlpha & -caps.SupportedCompositeAlpha
	}
	info := &vk.SwapchainCreateInfoKHR{SType: vk.STypeSwapchainCreateInfoKHR, Surface: surface, MinImageCount: count,
		ImageFormat: format.Format, ImageColorSpace: format.ColorSpace, ImageExtent: extent, ImageArrayLayers: 1,
		ImageUsage: vk.IMAGE_USAGE_COLOR_ATTACHMENT_BIT, PreTransform: caps.CurrentTransform, CompositeAlpha: alpha,
		PresentMode: modes[mode], Clipped: 1, OldSwapchain: s.handle, Flags: s.stamps.flags()}
	if s.waits == waitSecond {
		info.Flags |= vk.SWAPCHAIN_CREATE_PRESENT_ID_2_BIT_KHR | vk.SWAPCHAIN_CREATE_PRESENT_WAIT_2_BIT_KHR
	}
	handle := new(vk.SwapchainKHR)
	res := r.d.Commands.CreateSwapchainKHR(r.c, r.d.Handle, info, nil, handle)
	s.free(r)
	if err := res.Err(); err != nil {
		return fmt.Errorf("render: swapchain of %dx%d: %w", extent.Width, extent.Height, err)
	}
	s.mode = mode
	s.handle, s.width, s.height = *handle, int(extent.Width), int(extent.Height)
	s.stamps.begin(r, s.handle)
	return s.views(r, format.Format)
}

// fits reports whether the swapchain has the size of a window of width×height. The
// toolkit may know a new size before the display server does: as long as the two differ,
// the surface is asked.
func (s *swapchain) fits(r *renderer, surface vk.SurfaceKHR, width, height int) bool {
	if width != s.wantW || height != s.wantH || s.handle == 0 {
		return false
	}
	if width == s.width && height == s.height {
		return true
	}
	if r.in.Commands.GetPhysicalDeviceSurfaceCapabilitiesKHR(r.c, r.d.Physical, surface, &s.caps) < 0 {
		return true
	}
	e := s.caps.CurrentExtent
	return e.Width == ^uint32(0) || int(e.Width) == s.width && int(e.Height) == s.height
}

// format picks 8 bits a channel without conversion: the shader's output is what is
// shown.
func (s *swapchain) format(r *renderer, surface vk.SurfaceKHR) (vk.SurfaceFormatKHR, error) {
	n := new(uint32)
	k := r.in.Commands
	if err := k.GetPhysicalDeviceSurfaceFormatsKHR(r.c, r.d.Physical, surface, n, nil).Err(); err != nil || *n == 0 {
		if err != nil {
			return vk.SurfaceFormatKHR{}, fmt.Errorf("render: the window's formats: %w", err)
		}
		return vk.SurfaceFormatKHR{}, fmt.Errorf("render: the window's surface has no format: %w", media.ErrNotSupported)
	}
	fs := make([]vk.SurfaceFormatKHR, *n)
	if err := k.GetPhysicalDeviceSurfaceFormatsKHR(r.c, r.d.Physical, surface, n, &fs[0]).Err(); err != nil {
		return vk.SurfaceFormatKHR{}, fmt.Errorf("render: the window's formats: %w", err)
	}
	for _, f := range fs {
		if (f.Format == vk.FORMAT_B8G8R8A8_UNORM || f.Format == vk.FORMAT_R8G8B8A8_UNORM) && f.ColorSpace == vk.COLOR_SPACE_SRGB_NONLINEAR_KHR {
			return f, nil
		}
	}
	return vk.SurfaceFormatKHR{}, fmt.Errorf("render: the window takes none of BGRA8 and RGBA8: %w", media.ErrNotSupported)
}

func (s *swapchain) views(r *renderer, format vk.Format) error {
	n := new(uint32)
	k := r.d.Commands
	if err := k.GetSwapchainImagesKHR(r.c, r.d.Handle, s.handle, n, nil).Err(); err != nil {
		return fmt.Errorf("render: images of the swapchain: %w", err)
	}
	images := make([]vk.Image, max(*n, 1))
	if err := k.GetSwapchainImagesKHR(r.c, r.d.Handle, s.handle, n, &images[0]).Err(); err != nil {
		return fmt.Errorf("render: images of the swapchain: %w", err)
	}
	for _, h := range images[:*n] {
		im, err := r.d.NewView(h, format, s.width, s.height)
		if err != nil {
			return err
		}
		s.images = append(s.images, swapImage{image: im}) // from here on free destroys it
		si := &s.images[len(s.images)-1]
		if si.drawn, err = r.d.NewSemaphore(); err != nil {
			return err
		}
		if r.d.SwapchainMaint1 {
			f := new(vk.Fence)
			if err := k.CreateFence(r.c, r.d.Handle, &vk.FenceCreateInfo{SType: vk.STypeFenceCreateInfo}, nil, f).Err(); err != nil {
				return fmt.Errorf("render: fence: %w", err)
			}
			si.free = *f
		}
	}
	for range len(r.entries) + 1 {
		sem, err := r.d.NewSemaphore()
		if err != nil {
			return err
		}
		s.semaphores = append(s.semaphores, acquireSemaphore{handle: sem})
	}
	return nil
}

// acquire asks for the next image.
func (s *swapchain) acquire(r *renderer, timeout uint64, index *uint32) vk.Result {
	sem := &s.semaphores[s.next]
	if err := r.draws.Wait(r.c, sem.drawValue, -1); err != nil {
		return vk.ERROR_DEVICE_LOST
	}
	res := r.d.Commands.AcquireNextImageKHR(r.c, r.d.Handle, s.handle, timeout, sem.handle, 0, &s.index)
	*index = s.index
	return res
}

// pendingSemaphore is what the draw to the acquired image waits for.
func (s *swapchain) pendingSemaphore() vk.Semaphore { return s.semaphores[s.next].handle }

// used says that draw v waits for the pending semaphore.
func (s *swapchain) used(v uint64) {
	s.semaphores[s.next].drawValue = v
	s.next = (s.next + 1) % len(s.semaphores)
}

func (s *swapchain) present(r *renderer, index uint32, id uint64) vk.Result {
	im := &s.images[index]
	s.index, s.id, s.drawn = index, id, im.drawn
	if im.free != 0 {
		s.fence = im.free
		if im.presented {
			// The image has been acquired again, so this is over or about to be.
			if err := r.d.Commands.WaitForFences(r.c, r.d.Handle, 1, &s.fence, 1, ^uint64(0)); err < 0 {
				return err
			}
			if err := r.d.Commands.ResetFences(r.c, r.d.Handle, 1, &s.fence); err < 0 {
				return err
			}
		}
		im.presented = true
	}
	s.link(r, s.stamps.ask(id))
	return r.d.Graphics.Present(r.d, r.c, &s.info)
}

// shown waits up to timeout, in ns, for the present with the given id to be on screen.
func (s *swapchain) shown(r *renderer, id, timeout uint64) vk.Result {
	if s.waits == waitSecond {
		s.wait2.PresentId, s.wait2.Timeout = id, timeout
		return r.d.Commands.WaitForPresent2KHR(r.c, r.d.Handle, s.handle, &s.wait2)
	}
	return r.d.Commands.WaitForPresentKHR(r.c, r.d.Handle, s.handle, id, timeout)
}

// free destroys everything; the device must be idle.
func (s *swapchain) free(r *renderer) {
	k := r.d.Commands
	for i := range s.images {
		im := &s.images[i]
		if im.presented && r.lost == nil {
			// The device being idle says nothing of the display, which may still wait for drawn.
			s.fence = im.free
			_ = k.WaitForFences(r.c, r.d.Handle, 1, &s.fence, 1, uint64(time.Second)) // a second is all it gets
		}
		if im.free != 0 {
			k.DestroyFence(r.c, r.d.Handle, im.free, nil)
		}
		r.d.FreeView(im.image)
		k.DestroySemaphore(r.c, r.d.Handle, im.drawn, nil)
	}
	for _, sem := range s.semaphores {
		k.DestroySemaphore(r.c, r.d.Handle, sem.handle, nil)
	}
	if s.handle != 0 {
		k.DestroySwapchainKHR(r.c, r.d.Handle, s.handle, nil)
	}
	s.images, s.semaphores, s.next, s.handle = s.images[:0], s.semaphores[:0], 0, 0
}
