//go:build linux || freebsd || netbsd || openbsd || dragonfly

package wl

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/media"
)

// library is libwayland-client with the interfaces that are not built into it.
type library struct {
	displayCreateQueue, displayPrepareReadQueue, displayReadEvents, displayCancelRead,
	displayDispatchQueuePending, displayRoundtripQueue, displayFlush, displayGetFD,
	eventQueueDestroy,
	createWrapper, wrapperDestroy, setQueue, addDispatcher, getVersion, destroy,
	marshal, construct uintptr

	// Interfaces of the library's own.
	registry, callback, output, surface uintptr

	// Presentation-time's interfaces, in C layout and in Go memory; referenced from here,
	// because the library keeps pointers to them.
	presentation, feedback *wlInterface
	kept                   []any
}

// wlMessage is a struct wl_message.
type wlMessage struct {
	name, signature *byte
	types           *uintptr // of struct wl_interface *, one for each argument
}

// wlInterface is a struct wl_interface.
type wlInterface struct {
	name        *byte
	version     int32
	methodCount int32
	methods     *wlMessage
	eventCount  int32
	events      *wlMessage
}

// load opens the library once; it is the one that SDL has opened.
var load = sync.OnceValues(func() (*library, error) {
	so, err := dl.Open("libwayland-client.so.0")
	if err != nil {
		return nil, fmt.Errorf("wl: %w: %w", media.ErrNotSupported, err)
	}
	l := new(library)
	err = so.Resolve(map[string]*uintptr{
		"wl_display_create_queue":                      &l.displayCreateQueue,
		"wl_display_prepare_read_queue":                &l.displayPrepareReadQueue,
		"wl_display_read_events":                       &l.displayReadEvents,
		"wl_display_cancel_read":                       &l.displayCancelRead,
		"wl_display_dispatch_queue_pending":            &l.displayDispatchQueuePending,
		"wl_display_roundtrip_queue":                   &l.displayRoundtripQueue,
		"wl_display_flush":                             &l.displayFlush,
		"wl_display_get_fd":                            &l.displayGetFD,
		"wl_event_queue_destroy":                       &l.eventQueueDestroy,
		"wl_proxy_create_wrapper":                      &l.createWrapper,
		"wl_proxy_wrapper_destroy":                     &l.wrapperDestroy,
		"wl_proxy_set_queue":                           &l.setQueue,
		"wl_proxy_add_dispatcher":                      &l.addDispatcher,
		"wl_proxy_get_version":                         &l.getVersion,
		"wl_proxy_destroy":                             &l.destroy,
		"wl_proxy_marshal_array":                       &l.marshal,
		"wl_proxy_marshal_array_constructor_versioned": &l.construct,
		"wl_registry_interface":                        &l.registry,
		"wl_callback_interface":                        &l.callback,
		"wl_output_interface":                          &l.output,
		"wl_surface_interface":                         &l.surface,
	})
	if err != nil {
		return nil, fmt.Errorf("wl: this libwayland-client is too old, 1.11 or newer is needed: %w: %w", media.ErrNotSupported, err)
	}
	l.feedback = l.describe("wp_presentation_feedback", nil, []message{
		{"sync_output", "o", []uintptr{l.output}},
		{"presented", "uuuuuuu", nil},
		{"discarded", "", nil},
	})
	l.presentation = l.describe("wp_presentation", []message{
		{"destroy", "", nil},
		{"feedback", "on", []uintptr{l.surface, uintptr(unsafe.Pointer(l.feedback))}},
	}, []message{
		{"clock_id", "u", nil},
	})
	return l, nil
})

type message struct {
	name, signature string
	types           []uintptr
}

const maxVersion = 2

func (l *library) describe(name string, methods, events []message) *wlInterface {
	table := func(ms []message) *wlMessage {
		if len(ms) == 0 {
			return nil
		}
		t := make([]wlMessage, len(ms))
		for i, m := range ms {
			types := make([]uintptr, max(len(m.signature), 1))
			copy(types, m.types)
			l.kept = append(l.kept, types)
			t[i] = wlMessage{dl.CString(m.name), dl.CString(m.signature), &types[0]}
		}
		l.kept = append(l.kept, t)
		return &t[0]
	}
	return &wlInterface{dl.CString(name), maxVersion, int32(len(methods)), table(methods), int32(len(events)), table(events)}
}
