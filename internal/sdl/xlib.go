package sdl

import (
	"slices"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
)

// xlib is what is called of Xlib, which SDL has loaded.
type xlib struct {
	internAtom, defaultRootWindow, getWindowProperty, queryTree, free, connectionNumber uintptr
	display                                                                             uintptr
}

// xlib returns what a window on X11 is asked by, and the window there; nil on other window
// systems.
func (w *Window) xlib() (x *xlib, window uintptr) {
	n := w.Native()
	if n.System != SystemX11 {
		return nil, 0
	}
	so, err := dl.Open("libX11.so.6")
	if err != nil {
		return nil, 0
	}
	x = &xlib{display: n.Display}
	if so.Resolve(map[string]*uintptr{"XInternAtom": &x.internAtom, "XDefaultRootWindow": &x.defaultRootWindow,
		"XGetWindowProperty": &x.getWindowProperty, "XQueryTree": &x.queryTree, "XFree": &x.free,
		"XConnectionNumber": &x.connectionNumber}) != nil {
		return nil, 0
	}
	return x, n.Window
}

// managed reports whether somebody makes the window fullscreen when SDL asks for it: on X11 a
// window manager that says that it does, everywhere else the window system itself.
func (w *Window) managed() bool {
	x, _ := w.xlib()
	if x == nil {
		return true
	}
	// The property of a window manager that was killed stays; its window does not.
	root := dl.Call(x.defaultRootWindow, x.display)
	check := x.property(root, "_NET_SUPPORTING_WM_CHECK")
	if len(check) == 0 || !slices.Contains(x.children(root), check[0]) {
		return false
	}
	return slices.Contains(x.property(root, "_NET_SUPPORTED"), x.atom("_NET_WM_STATE_FULLSCREEN"))
}

// atom returns the X server's number for a name, 0 when nobody has used the name there.
func (x *xlib) atom(name string) uintptr {
	return dl.Call(x.internAtom, x.display, uintptr(unsafe.Pointer(dl.CString(name))), 1)
}

// property returns a window's property that is a list of 32-bit items, which Xlib stores as
// longs; nil when the window has none of that name. The window must exist: Xlib ends the
// process otherwise.
func (x *xlib) property(window uintptr, name string) []uintptr {
	atom := x.atom(name)
	if atom == 0 {
		return nil
	}
	const longs, anyType = 1024, 0
	out := new(struct {
		kind               uintptr
		format             int32
		count, after, data uintptr
	})
	if int32(dl.Call(x.getWindowProperty, x.display, window, atom, 0, longs, 0, anyType, uintptr(unsafe.Pointer(&out.kind)), uintptr(unsafe.Pointer(&out.format)),
		uintptr(unsafe.Pointer(&out.count)), uintptr(unsafe.Pointer(&out.after)), uintptr(unsafe.Pointer(&out.data)))) != 0 || out.data == 0 {
		return nil
	}
	defer dl.Call(x.free, out.data)
	if out.format != 32 {
		return nil
	}
	return slices.Clone(unsafe.Slice((*uintptr)(dl.Pointer(out.data)), int(out.count)))
}

// children returns the windows that lie in a window.
func (x *xlib) children(window uintptr) []uintptr {
	out := new(struct {
		root, parent, list uintptr
		count              uint32
	})
	if int32(dl.Call(x.queryTree, x.display, window, uintptr(unsafe.Pointer(&out.root)), uintptr(unsafe.Pointer(&out.parent)),
		uintptr(unsafe.Pointer(&out.list)), uintptr(unsafe.Pointer(&out.count)))) == 0 || out.list == 0 {
		return nil
	}
	defer dl.Call(x.free, out.list)
	return slices.Clone(unsafe.Slice((*uintptr)(dl.Pointer(out.list)), int(out.count)))
}
