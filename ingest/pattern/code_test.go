package pattern

import (
	"errors"
	"image"
	"math/bits"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

var numbers = []uint32{0, 1, 2, 77, 255, 256, 0x5555, 0xaaaaaaaa, 1 << 31, 1<<32 - 1, 123456789}

func TestCodeDetectsDamage(t *testing.T) {
	for _, n := range numbers {
		code := encode(n)
		var v [codeCols * codeRows]int
		spread := func(code uint64) *[codeCols * codeRows]int {
			for i := range v {
				v[i] = 16 + 219*int(code>>(47-i)&1)
			}
			return &v
		}
		if got, err := decode(spread(code)); err != nil || got != n {
			t.Fatalf("%d decodes as %d, %v", n, got, err)
		}
		for i := range 48 {
			for j := range 48 {
				if damaged := code ^ 1<<i ^ 1<<j; i != j {
					if got, err := decode(spread(damaged)); err == nil {
						t.Fatalf("%d with bits %d and %d flipped decodes as %d", n, i, j, got)
					}
				}
			}
			if _, err := decode(spread(code ^ 1<<i)); err == nil {
				t.Fatalf("%d with bit %d flipped decodes", n, i)
			}
		}
		// A tear between two rows of the code mixes neighbours.
		next := encode(n + 1)
		for _, mask := range []uint64{1<<32 - 1, 1<<16 - 1} {
			if mixed := code&^mask | next&mask; mixed != code && mixed != next && bits.OnesCount64(code^next) > 0 {
				if got, err := decode(spread(mixed)); err == nil {
					t.Errorf("a tear between %d and %d decodes as %d", n, n+1, got)
				}
			}
		}
	}
	var flat [codeCols * codeRows]int
	for _, level := range []int{0, 128, 255} {
		for i := range flat {
			flat[i] = level
		}
		if _, err := decode(&flat); !errors.Is(err, ErrNoCode) {
			t.Errorf("a flat picture: %v", err)
		}
	}
}

func TestReadFrameNumber(t *testing.T) {
	for _, size := range [][2]int{{16, 16}, {17, 19}, {31, 17}, {32, 32}, {63, 99}, {320, 180}, {1001, 77}} {
		for _, format := range []media.PixelFormat{media.I420, media.P010, media.I412, media.Gray8} {
			s := testSource(t, Config{Width: size[0], Height: size[1], Format: format})
			for _, n := range numbers {
				s.frame = int64(n)
				f := mustRead(t, s)
				if got, err := ReadFrameNumber(f); err != nil || got != n {
					t.Errorf("%v %v: frame %d reads as %d, %v", size, format, n, got, err)
				}
				f.Release()
			}
		}
	}
	if _, err := ReadFrameNumber(&media.Frame{Format: media.RGBA}); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("RGBA frame: %v", err)
	}
	if _, err := ReadFrameNumber(&media.Frame{Format: media.I420, Width: 64, Height: 64}); err == nil {
		t.Error("a frame without memory has a number")
	}
}

// scale resizes with a box or nearest filter, and puts the result into a larger image.
func scale(src *image.RGBA, w, h int, at image.Point) *image.RGBA {
	dst := image.NewRGBA(image.Rect(0, 0, at.X+w+5, at.Y+h+3))
	b := src.Bounds()
	for y := range h {
		for x := range w {
			x0, y0 := x*b.Dx()/w, y*b.Dy()/h
			x1, y1 := max((x+1)*b.Dx()/w, x0+1), max((y+1)*b.Dy()/h, y0+1)
			for c := range 4 {
				sum := 0
				for j := y0; j < y1; j++ {
					for i := x0; i < x1; i++ {
						sum += int(src.Pix[src.PixOffset(i, j)+c])
					}
				}
				dst.Pix[dst.PixOffset(at.X+x, at.Y+y)+c] = uint8(sum / ((x1 - x0) * (y1 - y0)))
			}
		}
	}
	return dst.SubImage(image.Rect(at.X, at.Y, at.X+w, at.Y+h)).(*image.RGBA)
}

func TestReadFrameNumberRGBA(t *testing.T) {
	const w, h = 320, 180
	s := testSource(t, Config{Width: w, Height: h, Rate: media.Rational{Num: 60, Den: 1}})
	for _, n := range []uint32{0, 59, 60, 123457} {
		s.frame = int64(n)
		f := mustRead(t, s)
		img := toRGBA(f)
		f.Release()
		for _, size := range [][2]int{{320, 180}, {640, 360}, {160, 90}, {209, 119}, {100, 50}, {500, 350}} {
			scaled := scale(img, size[0], size[1], image.Pt(3, 7))
			got, err := ReadFrameNumberRGBA(scaled, w, h)
			if err != nil || got != n {
				t.Errorf("frame %d at %v reads as %d, %v", n, size, got, err)
			}
			if got := Flash(scaled, w, h); got != s.Flash(int64(n)) {
				t.Errorf("frame %d at %v: flash %v", n, size, got)
			}
		}
	}
	for _, img := range []*image.RGBA{image.NewRGBA(image.Rectangle{}), image.NewRGBA(image.Rect(0, 0, 100, 100))} {
		if _, err := ReadFrameNumberRGBA(img, w, h); !errors.Is(err, ErrNoCode) {
			t.Errorf("a blank image: %v", err)
		}
		if _, err := ReadFrameNumberRGBA(img, 1, 1<<30); !errors.Is(err, ErrNoCode) {
			t.Errorf("absurd size: %v", err)
		}
		if Flash(img, w, h) || Flash(img, 0, 0) {
			t.Error("a blank image flashes")
		}
	}
}

// The flash and the first sample of the beep have the same time, at every rate.
func TestFlashAndBeepCoincide(t *testing.T) {
	for _, c := range []struct {
		rate       media.Rational
		sampleRate int
		exact      bool
	}{
		{media.Rational{Num: 25, Den: 1}, 48000, true}, {media.Rational{Num: 60, Den: 1}, 48000, true},
		{media.Rational{Num: 120, Den: 1}, 48000, true}, {media.Rational{Num: 1, Den: 1}, 48000, true},
		{media.Rational{Num: 30000, Den: 1001}, 48000, false}, {media.Rational{Num: 24000, Den: 1001}, 48000, true},
		{media.Rational{Num: 60000, Den: 1001}, 44100, false}, {media.Rational{Num: 25, Den: 2}, 8000, true},
		{media.Rational{Num: 240, Den: 1}, 44100, false}, {media.Rational{Num: 3, Den: 2}, 48000, true},
	} {
		const seconds = 8
		s := testSource(t, Config{Width: 32, Height: 32, Rate: c.rate, Beep: true, SampleRate: c.sampleRate, Channels: 3, Duration: seconds * time.Second})
		var flashes []time.Duration
		lit := false
		for {
			f, err := s.ReadFrame()
			if err != nil {
				break
			}
			r := s.paint.flash
			on := sample(f, r.x, r.y)[0] > 128
			if on != s.Flash(int64(f.PTS)) {
				t.Errorf("%v: Flash(%d) = %v, painted %v", c.rate, f.PTS, !on, on)
			}
			// A new second begins whether or not the square went dark in between.
			if on && (!lit || s.second(int64(f.PTS)) != s.second(int64(f.PTS)-1)) {
				flashes = append(flashes, f.Timebase.Duration(f.PTS))
			}
			lit = on
			f.Release()
		}
		var beeps []time.Duration
		total, silent := int64(0), int64(1)<<40
		var b media.AudioBlock
		for s.ReadAudio(&b) == nil {
			if b.PTS != media.Timestamp(total) || b.Channels != 3 || b.Rate != c.sampleRate {
				t.Fatalf("%v: block %+v after %d samples", c.rate, b, total)
			}
			for i := range b.Count() {
				v := b.Samples[i*3]
				if v != b.Samples[i*3+1] || v != b.Samples[i*3+2] {
					t.Fatal("channels differ")
				}
				switch {
				case v == 0:
					silent++
				default:
					if silent > int64(c.sampleRate)/100 {
						beeps = append(beeps, b.Timebase.Duration(media.Timestamp(total+int64(i))))
					}
					silent = 0
				}
			}
			total += int64(b.Count())
		}
		if total != seconds*int64(c.sampleRate) {
			t.Errorf("%v: %d samples", c.rate, total)
		}
		if len(flashes) < 6 || len(beeps) != len(flashes) {
			t.Fatalf("%v at %d Hz: %d flashes, %d beeps", c.rate, c.sampleRate, len(flashes), len(beeps))
		}
		half := time.Second/time.Duration(2*c.sampleRate) + 1
		for i := range flashes {
			d := (beeps[i] - flashes[i]).Abs()
			if c.exact && d > 1 || d > half {
				t.Errorf("%v at %d Hz: flash at %v, beep at %v", c.rate, c.sampleRate, flashes[i], beeps[i])
			}
			if w := flashes[i]; w != 0 && w%time.Second > time.Duration(float64(time.Second)/c.rate.Float()) {
				t.Errorf("%v: flash at %v", c.rate, w)
			}
		}
	}
}

func TestTimecode(t *testing.T) {
	s := testSource(t, Config{Width: 32, Height: 32, Rate: media.Rational{Num: 120, Den: 1}})
	u := testSource(t, Config{Width: 32, Height: 32, Rate: media.Rational{Num: 30000, Den: 1001}})
	for _, c := range []struct {
		s    *Source
		n    int64
		want string
	}{
		{s, 0, "00:00:00:00000000000"},
		{s, 119, "00:00:00:11900000119"},
		{s, 120, "00:00:01:00000000120"},
		{s, 120*3661 + 7, "01:01:01:00700439327"},
		{u, 29, "00:00:00:29 00000029"},
		{u, 30, "00:00:01:00 00000030"},
		{u, 1 << 40, "49:19:08:26 11627776"},
	} {
		var text [timecodeLen + numberLen]byte
		c.s.text(&text, c.n)
		if c.n == 1<<40 { // wraps instead of overflowing: only the number is checked
			if string(text[timecodeLen:]) != c.want[timecodeLen:] {
				t.Errorf("frame %d: %q", c.n, text)
			}
		} else if string(text[:]) != c.want {
			t.Errorf("frame %d: %q, want %q", c.n, text, c.want)
		}
	}
}
