package libav

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/media"
)

func lib(t testing.TB) *Lib {
	t.Helper()
	l, err := Open()
	if err != nil {
		t.Skipf("needs FFmpeg: %v", err)
	}
	return l
}

func TestOpen(t *testing.T) {
	l := lib(t)
	if l.Version == "" || offsetTables[l.Major] == nil {
		t.Errorf("version %q, major %d", l.Version, l.Major)
	}
	t.Logf("FFmpeg %s, libavcodec %d, libswscale %v", l.Version, l.Major, l.Scale)
}

func TestAbsent(t *testing.T) {
	_, err := load(t.TempDir())
	if !errors.Is(err, media.ErrNotSupported) || !strings.Contains(err.Error(), "install") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line that says what to install", err)
	}
}

// TestWrongOffsets makes sure that a table for another version is refused.
func TestWrongOffsets(t *testing.T) {
	l := *lib(t)
	bad := *l.o
	bad.codecContextThreadCount += 4
	l.o = &bad
	if l.selfCheck() == nil {
		t.Error("a wrong thread_count offset was accepted")
	}
	bad = *offsetTables[l.Major]
	bad.codecContextGetBuffer2 += 8
	if l.selfCheck() == nil {
		t.Error("a wrong get_buffer2 offset was accepted")
	}
}

func TestErrors(t *testing.T) {
	lib(t)
	for _, c := range []struct {
		err  Error
		is   error
		text string
	}{
		{ErrEOF, io.EOF, "End of file"},
		{ErrExit, os.ErrClosed, "Immediate exit"},
		{ErrAgain, media.ErrAgain, "temporarily"},
		{errNoEntry, fs.ErrNotExist, "No such file"},
		{errAccess, fs.ErrPermission, "denied"},
		{ErrDecoderNotFound, media.ErrNotSupported, "Decoder not found"},
		{ErrInvalidData, ErrInvalidData, "Invalid data"},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("%d: %q, is %v: %v", int32(c.err), c.err.Error(), c.is, errors.Is(c.err, c.is))
		}
		if c.is != ErrInvalidData && errors.Is(c.err, ErrInvalidData) {
			t.Errorf("%v is ErrInvalidData", c.err)
		}
	}
	e := ErrAgain // as a C int, in the low half of the register
	if err := check(uintptr(uint32(e))); err != media.ErrAgain {
		t.Errorf("check: %v", err)
	}
}

func TestNames(t *testing.T) {
	l := lib(t)
	for _, n := range []string{"h264", "hevc", "vp9", "av1", "aac"} {
		id := l.CodecID(n)
		if id == 0 || l.CodecName(id) != n {
			t.Errorf("%s: id %d, name %q", n, id, l.CodecName(id))
		}
	}
	if l.CodecID("no such codec") != 0 {
		t.Error("an unknown codec has an id")
	}
	for _, f := range media.PixelFormats() {
		if n := l.PixelFormat(f.String()); n < 0 || l.PixelFormatName(n) != f.String() {
			t.Errorf("%v: %d, %q", f, n, l.PixelFormatName(n))
		}
	}
}

func TestHotCallsAllocateNothing(t *testing.T) {
	l := lib(t)
	c := l.NewCalls()
	f, p := c.NewFrame(), c.NewPacket()
	defer c.FreeFrame(f)
	defer c.FreePacket(p)
	var v FrameProps
	var pv PacketProps
	if n := testing.AllocsPerRun(100, func() {
		c.UnrefFrame(f)
		c.UnrefPacket(p)
		l.PictureProps(f, &v)
		l.SoundProps(f, &v)
		l.PacketProps(p, &pv)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type fakeSlots struct {
	mem  []byte
	size int
	free []int32
}

func newFakeSlots(n, size int) *fakeSlots {
	raw := make([]byte, n*size+PlaneAlign)
	off := int(-AddressOf(raw) % PlaneAlign)
	s := &fakeSlots{mem: raw[off : off+n*size], size: size}
	for i := range n {
		s.free = append(s.free, int32(i))
	}
	return s
}
func (s *fakeSlots) Mapping() []byte { return s.mem }
func (s *fakeSlots) SlotBytes() int  { return s.size }
func (s *fakeSlots) GetSlot() (int32, bool) {
	if len(s.free) == 0 {
		return 0, false
	}
	i := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	return i, true
}
func (s *fakeSlots) PutSlot(i int32) { s.free = append(s.free, i) }

func TestAllocator(t *testing.T) {
	l := lib(t)
	c := l.NewCalls()
	ctx := c.NewCodecContext(l.FindDecoder(l.CodecID("h264")))
	defer c.FreeCodecContext(ctx)
	yuv := l.PixelFormat("yuv420p")
	need, err := c.PictureBytes(ctx, yuv, 64, 48)
	if err != nil || need < 64*48*3/2 {
		t.Fatalf("%d bytes, %v", need, err)
	}
	slots := newFakeSlots(2, need)
	a, err := l.NewAllocator(slots, func(f int32) bool { return f == yuv })
	if err != nil {
		t.Fatal(err)
	}
	frames := [3]Frame{c.NewFrame(), c.NewFrame(), c.NewFrame()}
	for i, want := range []bool{true, true, false} {
		l.Describe(frames[i], yuv, 64, 48)
		if got := a.Alloc(ctx, frames[i]); got != want {
			t.Errorf("frame %d: %v", i, got)
		}
	}
	c.UnrefFrame(frames[1])
	l.Describe(frames[1], l.PixelFormat("gbrp"), 64, 48)
	if a.Alloc(ctx, frames[1]) {
		t.Error("a format that is not accepted got a slot")
	}
	l.Describe(frames[1], yuv, 640, 480)
	if a.Alloc(ctx, frames[1]) {
		t.Error("a picture larger than the slot got one")
	}
	a.Close()
	if LiveAllocators() != 1 || len(slots.free) != 1 {
		t.Errorf("closed with a picture out: %d live, %d free", LiveAllocators(), len(slots.free))
	}
	for _, f := range frames {
		c.FreeFrame(f)
	}
	if LiveAllocators() != 0 || len(slots.free) != 2 {
		t.Errorf("last picture dropped: %d live, %d free", LiveAllocators(), len(slots.free))
	}
	if _, err := l.NewAllocator(newFakeSlots(1, need+8), nil); err == nil {
		t.Error("misaligned slots were accepted")
	}
}

func TestProtocols(t *testing.T) {
	l, err := Open()
	if err != nil {
		t.Skipf("needs FFmpeg's libraries: %v", err)
	}
	if !l.HasProtocol("udp") || !l.HasProtocol("tcp") || l.HasProtocol("gopherx") || l.HasProtocol("") {
		t.Errorf("udp %v, tcp %v, gopherx %v, none %v", l.HasProtocol("udp"), l.HasProtocol("tcp"), l.HasProtocol("gopherx"), l.HasProtocol(""))
	}
}
