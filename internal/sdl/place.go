package sdl

import (
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
)

// How large a window is and where: within the display, or all over it.

// maxSize is the largest width and height of a window.
const maxSize = 1 << 14

// centered is SDL_WINDOWPOS_CENTERED: in the middle of the first display.
const centered = 0x2FFF0000

// rectangle is an SDL_Rect, in screen units.
type rectangle struct{ x, y, w, h int32 }

// usable returns the part of the first display that panels leave free; false where SDL does
// not know it.
func (w *Window) usable() (rectangle, bool) {
	r := new(rectangle)
	ok := int32(dl.Call(w.s.fn.getDisplayUsableBounds, 0, uintptr(unsafe.Pointer(r)))) == 0
	return *r, ok && r.w > 0 && r.h > 0
}

// fit returns the size of a window that should have width and height, made small enough for
// the display and for borders: x and y are those at the left and top, w and h all of them.
func (w *Window) fit(width, height int, borders rectangle) (int, int) {
	limitW, limitH := maxSize, maxSize
	if r, ok := w.usable(); ok {
		limitW, limitH = max(int(r.w-borders.w), 1), max(int(r.h-borders.h), 1)
	}
	return shrink(width, height, limitW, limitH)
}

// shrink returns width and height, made smaller in proportion until they are within limits.
func shrink(width, height, limitW, limitH int) (int, int) {
	switch {
	case width <= limitW && height <= limitH:
		return width, height
	case width*limitH > height*limitW:
		return limitW, max((height*limitW+width/2)/width, 1)
	}
	return max((width*limitH+height/2)/height, 1), limitH
}

// fitBorders makes the window smaller where it does not fit with its borders, which are known
// once it is shown: then width and height are those that it should have had.
func (w *Window) fitBorders(width, height int) {
	borders, ok := w.borders()
	if !ok {
		return
	}
	dl.Call(w.s.fn.pumpEvents) // SDL places windows by the borders that it knows
	had := w.frame()
	if width, height = w.fit(width, height, borders); width < int(had.w) || height < int(had.h) {
		w.place(w.middle(width, height, borders))
	}
}

// borders returns what the window system has drawn around the window; false where it draws
// nothing, or nothing that it tells of.
func (w *Window) borders() (rectangle, bool) {
	var left, top, right, bottom int32
	if x, window := w.xlib(); x != nil {
		// SDL learns of it by an event that is yet to come.
		e := x.property(window, "_NET_FRAME_EXTENTS")
		if len(e) != 4 {
			return rectangle{}, false
		}
		left, right, top, bottom = int32(e[0]), int32(e[1]), int32(e[2]), int32(e[3])
	} else {
		b := new([4]int32)
		if int32(dl.Call(w.s.fn.getWindowBordersSize, w.win, uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&b[1])),
			uintptr(unsafe.Pointer(&b[2])), uintptr(unsafe.Pointer(&b[3])))) != 0 {
			return rectangle{}, false
		}
		top, left, bottom, right = b[0], b[1], b[2], b[3]
	}
	r := rectangle{x: left, y: top, w: left + right, h: top + bottom}
	return r, min(left, top, right, bottom) >= 0 && max(r.w, r.h) > 0
}

// middle returns the place of a window of that size and those borders in the middle of what
// can be used of the first display.
func (w *Window) middle(width, height int, borders rectangle) rectangle {
	r := rectangle{w: int32(width), h: int32(height)}
	free, _ := w.usable()
	r.x = free.x + borders.x + max(free.w-borders.w-r.w, 0)/2
	r.y = free.y + borders.y + max(free.h-borders.h-r.h, 0)/2
	return r
}

// frame returns where the window is, without its borders.
func (w *Window) frame() rectangle {
	r := new(rectangle)
	dl.Call(w.s.fn.getWindowPosition, w.win, uintptr(unsafe.Pointer(&r.x)), uintptr(unsafe.Pointer(&r.y)))
	dl.Call(w.s.fn.getWindowSize, w.win, uintptr(unsafe.Pointer(&r.w)), uintptr(unsafe.Pointer(&r.h)))
	return *r
}

// place moves the window and gives it a size.
func (w *Window) place(r rectangle) {
	dl.Call(w.s.fn.setWindowSize, w.win, uintptr(r.w), uintptr(r.h))
	dl.Call(w.s.fn.setWindowPosition, w.win, uintptr(r.x), uintptr(r.y))
}

// SetFullscreen makes the window cover the display, or not. The new size arrives as an
// event.
func (w *Window) SetFullscreen(on bool) error {
	if w.covering || on && !w.Fullscreen() && !w.managed() {
		w.cover(on)
		return nil
	}
	var flags uintptr
	if on {
		flags = windowFullscreenDesktop
	}
	if int32(dl.Call(w.s.fn.setWindowFullscreen, w.win, flags)) != 0 {
		return w.s.failed("switch fullscreen", "")
	}
	return nil
}

// Fullscreen reports whether the window covers the display.
func (w *Window) Fullscreen() bool {
	return w.covering || uint32(dl.Call(w.s.fn.getWindowFlags, w.win))&1 != 0
}

// cover lays the window over its display, or puts it back. SDL leaves that to the window
// manager, also where there is none, and then believes in a size that the window never gets.
func (w *Window) cover(on bool) {
	if on == w.covering {
		return
	}
	w.covering = on
	if !on {
		w.place(w.before)
		return
	}
	w.before = w.frame()
	r := new(rectangle)
	i := max(int32(dl.Call(w.s.fn.getWindowDisplayIndex, w.win)), 0)
	if int32(dl.Call(w.s.fn.getDisplayBounds, uintptr(i), uintptr(unsafe.Pointer(r)))) == 0 {
		w.place(*r)
	}
}
