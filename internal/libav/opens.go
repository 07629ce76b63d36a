package libav

import (
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/scanout-av/scanout/internal/dl"
)

// Interrupt is what libavformat is told while it is in a call: that it should return, and
// while it opens something, that it has opened enough.
//
// Playlists of HLS that name playlists are read to their end, of which there is none where
// they lead in circles. libavformat asks for each file by AVFormatContext.io_open, where
// they are counted; but those of one HTTP server it asks for over one connection, without
// opening anything. So that ordinary playlists go on doing that, the option that says so
// (http_persistent of hls) is switched off only after so many looks at Stop as opening a
// hundred playlists takes, and on again when the call has ended.
//
// RTSP opens its connections without asking. There the looks themselves are counted, of which
// each byte of an answer's headers takes some: a server that redirects in circles, or answers
// without end, has had its say after so many. So has one of HTTP whose headers do not end,
// which is read as fast as it sends: they are counted while a file is being opened. And so
// has one whose chunk has a length that does not end, or that sends nothing but noise: looks
// are counted during each call that opens or reads ([Interrupt.Bound]).
//
// Ownership: libavformat holds its address until the context is closed.
type Interrupt struct {
	// Stop ends blocking calls with ErrExit when it is other than 0.
	Stop atomic.Int32
	// The assembly counts looks down and writes value to what target points to when none is
	// left; nothing where target is 0. That is C memory (persistent), or over.
	looks  int32
	value  int32
	over   int32 // as Stop, of the call under way
	target uintptr
	was    int32 // what target pointed to

	lib      *Lib
	opened   int
	circle   bool
	endless  bool
	playlist bool    // http_persistent is what is counted for
	original uintptr // io_open
}

const (
	// persistentLooks is how often Stop is looked at before playlists are counted: 7 times
	// for a small one.
	persistentLooks = 1000
	// talkLooks is how often Stop is looked at before an RTSP server has said too much: 600
	// times for one stream, 12,000 for 64, 260 for a redirect.
	talkLooks = 1 << 17
	// openLooks is the same for one file, whose server has to have said what it sends by then:
	// there are two for 4 KiB of HTTP, and ten a second while nothing comes.
	openLooks = 1 << 13
	// callLooks is the same for a call that opens or reads: 512 MB of HTTP that nothing comes of,
	// or a twentieth where it comes in chunks of a packet of MPEG-TS, which take four each; to
	// find streams 5 MB are read. Waiting takes ten looks a second.
	callLooks = 1 << 18
	// mostOpened is how many files one call may open to open one: a playlist names some
	// dozens at most, and a segment of each is opened.
	mostOpened = 1000
	// refusedFile is ErrInvalidData as a C int.
	refusedFile = uintptr(1<<32 + int64(ErrInvalidData))
)

// What the assembly relies on.
var (
	_ [unsafe.Offsetof(Interrupt{}.Stop)]struct{}        = [0]struct{}{}
	_ [unsafe.Offsetof(Interrupt{}.looks) - 4]struct{}   = [0]struct{}{}
	_ [unsafe.Offsetof(Interrupt{}.value) - 8]struct{}   = [0]struct{}{}
	_ [unsafe.Offsetof(Interrupt{}.over) - 12]struct{}   = [0]struct{}{}
	_ [unsafe.Offsetof(Interrupt{}.target) - 16]struct{} = [0]struct{}{}
)

// Circle reports whether the last OpenInput was refused files because it opened ever more
// of them.
func (in *Interrupt) Circle() bool { return in.circle }

// Endless reports whether the last OpenInput, or the opening of a file in it, was ended because
// a server answered without end, perhaps by redirects in a circle.
func (in *Interrupt) Endless() bool { return in.endless }

// Bound makes libavformat's calls end with ErrExit after so many looks at Stop as reading more
// takes than anything can need, until Unbound. For HTTP only: RTMP takes some for each 128
// bytes.
func (in *Interrupt) Bound() {
	in.looks, in.value, in.over = callLooks, 1, 0
	in.target = dl.Addr(in) + unsafe.Offsetof(in.over)
}

// Unbound ends that, and reports whether a call was ended.
func (in *Interrupt) Unbound() bool {
	ended := in.over != 0
	in.target, in.over = 0, 0
	return ended
}

// listen counts looks down from n; the function that it returns ends that and goes on with what
// was counted before.
func (in *Interrupt) listen(n int32) (done func()) {
	looks, value, target := in.looks, in.value, in.target
	in.looks, in.value, in.over = n, 1, 0
	in.target = dl.Addr(in) + unsafe.Offsetof(in.over)
	return func() {
		in.endless = in.endless || in.over != 0
		in.looks, in.value, in.target, in.over = looks, value, target, 0
	}
}

// opening holds what is being opened, by the address of its AVFormatContext, and
// libavformat's own io_open.
var opening struct {
	sync.RWMutex
	m        map[uintptr]*Interrupt
	original uintptr
}

// openCallback is made once for the process, because callbacks are never freed.
var openCallback = sync.OnceValue(func() uintptr { return dl.NewCallback(openFile) })

// countOpens counts what url leads to until the function that it returns is called: with true
// while ctx is still there.
func (l *Lib) countOpens(ctx FormatContext, in *Interrupt, url string) (done func(open bool)) {
	in.lib, in.opened, in.circle, in.endless, in.playlist, in.target, in.over = l, 0, false, false, false, 0, 0
	if strings.HasPrefix(url, "rtsp") { // rtsps, too
		done := in.listen(talkLooks)
		return func(bool) { done() }
	}
	if strings.HasPrefix(url, "http") || strings.HasPrefix(url, "hls") {
		in.Bound()
	}
	at := l.ioOpenAt(ctx)
	if at == 0 {
		return func(bool) { in.endless = in.Unbound() } // time bounds the rest
	}
	in.original = dl.Load[uintptr](uintptr(ctx), at)
	opening.Lock()
	if opening.m == nil {
		opening.m = map[uintptr]*Interrupt{}
	}
	opening.m[uintptr(ctx)], opening.original = in, in.original
	opening.Unlock()
	dl.Store(uintptr(ctx), at, openCallback())
	return func(open bool) {
		opening.Lock()
		delete(opening.m, uintptr(ctx))
		opening.Unlock()
		if open {
			dl.Store(uintptr(ctx), at, in.original)
			if in.playlist {
				dl.Store(in.target, 0, in.was)
			}
		}
		in.endless = in.Unbound() || in.endless
	}
}

// openFile is AVFormatContext.io_open.
func openFile(ctx, pb, url, flags, options uintptr) uintptr {
	opening.RLock()
	in, original := opening.m[ctx], opening.original
	opening.RUnlock()
	if in == nil {
		return dl.Call(original, ctx, pb, url, flags, options) // a context that took it over (IMF does)
	}
	if in.opened++; in.opened > mostOpened {
		in.circle = true
		return refusedFile
	}
	if !in.playlist {
		in.limitPersistent(ctx)
	}
	defer in.listen(openLooks)()
	return dl.Call(in.original, ctx, pb, url, flags, options)
}

// limitPersistent begins to count looks, if ctx reads a playlist of HLS.
func (in *Interrupt) limitPersistent(ctx uintptr) {
	l := in.lib
	f, priv := dl.Load[uintptr](ctx, l.o.formatContextIformat), dl.Load[uintptr](ctx, l.o.formatContextPrivData)
	if f == 0 || priv == 0 || !strings.HasPrefix(dl.GoString(dl.Load[uintptr](f, l.o.inputFormatName)), "hls") {
		return
	}
	if o := l.option(priv, "http_persistent"); o >= 0 {
		at := priv + uintptr(o)
		in.was, in.looks, in.value, in.target, in.playlist = dl.Load[int32](at, 0), persistentLooks, 0, at, true
	}
}

// option returns where an option of an object that begins with an AVClass lies in it,
// negative when it has none of that name.
func (l *Lib) option(object uintptr, name string) int {
	o := l.withStrings(l.fn.optFind, []uintptr{object, hole, 0, 0, 0}, name)
	if o == 0 {
		return -1
	}
	return int(dl.Load[int32](o, l.o.optionOffset))
}

// ioOpenAt returns where io_open lies in an AVFormatContext, 0 when that is not certain. It
// follows on one of two options, by version, and another function follows on it; both are
// libavformat's own at first, which is what tells.
func (l *Lib) ioOpenAt(ctx FormatContext) uintptr {
	const far = 64 << 20 // libraries are smaller
	inside := func(at uintptr) bool {
		d := int64(dl.Load[uintptr](uintptr(ctx), at)) - int64(l.fn.openInput)
		return d > -far && d < far
	}
	for _, name := range []string{"protocol_whitelist", "dump_separator"} {
		if o := l.option(uintptr(ctx), name); o > 0 && inside(uintptr(o)+8) && inside(uintptr(o)+16) {
			return uintptr(o) + 8
		}
	}
	return 0
}
