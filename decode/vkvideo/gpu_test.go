package vkvideo

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/decode/bitstream/av1"
	"github.com/scanout-av/scanout/decode/bitstream/h264"
	"github.com/scanout-av/scanout/decode/bitstream/vp9"
	"github.com/scanout-av/scanout/framepool"
	"github.com/scanout-av/scanout/internal/gpu"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// The tests of this file need a GPU with video queues. They decode the raw streams of the
// folder SCANOUT_CLIPS and compare each frame with the MD5 in the file of the same name
// with .md5 behind it, which ffmpeg -f framemd5 wrote: one sum a line.

// videoDevice opens a device with video queues.
func videoDevice(t testing.TB) *gpu.Device {
	t.Helper()
	if os.Getenv("SCANOUT_CLIPS") == "" {
		t.Skip("needs a GPU that decodes and the folder SCANOUT_CLIPS with raw streams")
	}
	d, err := gpu.OpenDevice(gpu.InstanceConfig{Validation: os.Getenv("SCANOUT_VALIDATION") != ""}, gpu.Config{Device: os.Getenv("SCANOUT_DEVICE"), Video: true})
	if err != nil {
		t.Skipf("needs a GPU: %v", err)
	}
	if d.Decode.Queues == 0 {
		_ = d.Close()
		t.Skipf("needs a GPU with video queues, %s has none", d.Name)
	}
	if d.Instance.Validated { // layers of 2023 take images without a profile for a mistake
		d.Decode.Maintenance1, d.Decode.Maintenance2 = false, false
	}
	t.Cleanup(func() {
		messages := d.Instance.Messages()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		seen := map[string]bool{}
		for _, m := range messages {
			if i := strings.Index(m, "MessageID"); i >= 0 && !seen[m[:i]] {
				seen[m[:i]] = true
				t.Errorf("validation: %.700s", m)
			}
		}
	})
	return d
}

// clip is a raw stream cut into access units with the sums of its frames.
type clip struct {
	name  string
	codec media.Codec
	units [][]byte
	sums  []string
}

func clips(t testing.TB, patterns ...string) (cs []clip) {
	t.Helper()
	var names []string
	for _, p := range patterns {
		more, err := filepath.Glob(filepath.Join(os.Getenv("SCANOUT_CLIPS"), p))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, more...)
	}
	for _, n := range names {
		sums, err := os.ReadFile(n + ".md5")
		if err != nil {
			continue
		}
		cs = append(cs, clip{name: filepath.Base(n), codec: codecOf(n), units: cut(t, n), sums: strings.Fields(string(sums))})
	}
	if len(cs) == 0 {
		t.Skipf("no clips %v", patterns)
	}
	return cs
}

func codecOf(name string) media.Codec {
	switch filepath.Ext(name) {
	case ".265", ".hevc":
		return "hevc"
	case ".obu":
		return "av1"
	case ".ivf":
		return "vp9"
	}
	return "h264"
}

// cut cuts a raw stream into access units.
func cut(t testing.TB, name string) (units [][]byte) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if codecOf(name) == "vp9" {
		for data = data[32:]; len(data) > 12; {
			n := 12 + int(binary.LittleEndian.Uint32(data))
			units = append(units, data[12:n])
			data = data[n:]
		}
		return units
	}
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, len(data)+1)
	sc.Split(splitter(codecOf(name)))
	for sc.Scan() {
		units = append(units, bytes.Clone(sc.Bytes()))
	}
	return units
}

// key reports whether a unit holds an IDR picture or its like.
func key(codec media.Codec, unit []byte) bool {
	if codec == "vp9" { // of profiles 0 to 2: frame_type and show_frame
		return len(unit) > 0 && unit[0]&0x0e == 2
	}
	for pos := 0; codec == "av1"; {
		o, ok, err := av1.NextOBU(unit, pos)
		if !ok || err != nil {
			return false
		}
		if o.Type == av1.OBUFrame || o.Type == av1.OBUFrameHeader { // not an existing frame, a key frame, shown
			return o.End > o.Begin && unit[o.Begin]&0xf0 == 0x10
		}
		pos = o.End
	}
	for i := 0; i+3 < len(unit); i++ {
		if unit[i] != 0 || unit[i+1] != 0 || unit[i+2] != 1 {
			continue
		}
		if codec == "h264" && unit[i+3]&31 == h264.NALIDR {
			return true
		}
		if t := unit[i+3] >> 1 & 63; codec == "hevc" && (t == 19 || t == 20) {
			return true
		}
	}
	return false
}

// run sends units to v and calls got with every frame, which it releases.
func run(t testing.TB, v *Video, units [][]byte, end bool, got func(*media.Frame)) (failed int, err error) {
	t.Helper()
	receive := func() {
		for {
			f, err := v.Receive()
			if err != nil {
				if !errors.Is(err, media.ErrAgain) && !errors.Is(err, io.EOF) {
					t.Errorf("receive: %v", err)
				}
				return
			}
			got(f)
			f.Release()
		}
	}
	for _, u := range units {
		au := &media.AccessUnit{Data: u, PTS: media.NoTimestamp, DTS: media.NoTimestamp, Duration: media.NoTimestamp, Timebase: media.Nanoseconds}
		if e := v.Send(au); e != nil {
			failed++
			err = e
			if errors.Is(e, media.ErrNotSupported) || errors.Is(e, media.ErrDeviceLost) {
				return failed, e
			}
		}
		receive()
	}
	if end {
		if e := v.Send(nil); e != nil {
			err = e
		}
		receive()
	}
	return failed, err
}

// sum is the MD5 of a frame's visible samples.
func sum(f *media.Frame) string {
	h := md5.New()
	for p := range f.Format.Info().Planes {
		rb, rows := f.Format.PlaneSize(p, f.Width, f.Height)
		for y := range rows {
			h.Write(f.Planes[p].Data[y*f.Planes[p].Stride:][:rb])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func readPool(t testing.TB) *framepool.Pool {
	t.Helper()
	p, err := framepool.New(framepool.Config{Slots: 4, SlotBytes: framepool.FrameBytes(media.I010, 4096, 2304, 0)})
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

func open(t testing.TB, cfg Config) *Video {
	t.Helper()
	v, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// needs skips the test where the device does not decode a clip's codec.
func needs(t *testing.T, d *gpu.Device, cl *clip) {
	t.Helper()
	if err := Supports(d, &media.Stream{Codec: cl.codec}); errors.Is(err, media.ErrNotSupported) {
		t.Skip(err)
	}
}

// differ returns the first frame whose sum differs, −1 when all are equal.
func differ(got, want []string) int {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return i
		}
	}
	return -1
}

// pattern shows which frames are right.
func pattern(got, want []string) string {
	b := make([]byte, max(len(got), len(want)))
	for i := range b {
		switch {
		case i >= len(got):
			b[i] = '-'
		case i >= len(want):
			b[i] = '+'
		case got[i] == want[i]:
			b[i] = '.'
		case slices.Contains(want, got[i]):
			b[i] = '~' // another one
		default:
			b[i] = 'X'
		}
	}
	return string(b)
}

// headers tells of AV1 and VP9 what the units up to the n-th say that matters.
func headers(cl *clip, n int) string {
	var b strings.Builder
	switch cl.codec {
	case "av1":
		d, _ := av1.NewDecoder(av1.Config{})
		for i, u := range cl.units[:n+1] {
			pics, _ := d.Decode(u)
			for k := range pics {
				f := &pics[k].Frame
				fmt.Fprintf(&b, "%d: %v show %v existing %v %dx%d of %d slot %d refs %v tiles %d; ", i, f.FrameType, f.ShowFrame, f.ShowExistingFrame, f.FrameWidth, f.FrameHeight, f.UpscaledWidth, pics[k].Slot, pics[k].RefIndex, len(pics[k].Tiles))
				if i == n {
					fmt.Fprintf(&b, "\n%.3000s", fmt.Sprintf("%+v", *f))
				}
			}
		}
	case "vp9":
		d := vp9.NewDecoder()
		for i, u := range cl.units[:n+1] {
			pics, _ := d.Decode(u)
			for k := range pics {
				f := &pics[k].Frame
				fmt.Fprintf(&b, "%d: key %v show %v existing %v %dx%d slot %d refs %v; ", i, f.KeyFrame, f.ShowFrame, f.ShowExistingFrame, f.FrameWidth, f.FrameHeight, pics[k].Slot, pics[k].RefIndex)
				if i == n {
					fmt.Fprintf(&b, "\n%+v", *f)
				}
			}
		}
	}
	return b.String()
}

// TestGPUCapabilities prints what the device says of each profile.
func TestGPUCapabilities(t *testing.T) {
	d := videoDevice(t)
	t.Logf("%s decodes %v", d.Name, d.Decode.Names())
	for name, p := range map[string]*gpu.VideoProfile{
		"H.264 high": gpu.H264Profile(100, false), "H.265 main": gpu.H265Profile(1, 8), "H.265 main 10": gpu.H265Profile(2, 10),
		"AV1 main": gpu.AV1Profile(0, 8, false), "AV1 main, 10 bits": gpu.AV1Profile(0, 10, false), "AV1 main, film grain": gpu.AV1Profile(0, 8, true),
		"AV1 main, film grain, 10 bits": gpu.AV1Profile(0, 10, true), "VP9 profile 0": gpu.VP9Profile(0, 8), "VP9 profile 2": gpu.VP9Profile(2, 10),
	} {
		caps, err := d.VideoCapabilities(p)
		if err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		flags, ok := d.VideoFormat(p, vk.IMAGE_USAGE_VIDEO_DECODE_DPB_BIT_KHR|vk.IMAGE_USAGE_VIDEO_DECODE_DST_BIT_KHR)
		t.Logf("%s: %dx%d to %dx%d, %d slots, %d references, level %d, alignment %d and %d, separate %v, coincide %v, distinct %v; images %v, flags %#x", name, caps.MinWidth, caps.MinHeight,
			caps.MaxWidth, caps.MaxHeight, caps.Slots, caps.References, caps.MaxLevel, caps.OffsetAlign, caps.SizeAlign, caps.Separate, caps.Coincide, caps.Distinct, ok, flags)
	}
}

// TestGPUStreams decodes every clip in every way that the device has.
func TestGPUStreams(t *testing.T) {
	d := videoDevice(t)
	t.Logf("%s, %+v", d.Name, d.Decode)
	pool := readPool(t)
	for _, cl := range clips(t, "*.26[45]", "*.obu", "*.ivf") {
		for _, how := range []struct {
			images Images
			plain  bool
		}{{ImagesAuto, false}, {ImagesCopied, true}, {ImagesDistinct, false}} {
			if os.Getenv("SCANOUT_VALIDATION") != "" && !how.plain {
				continue // layers of 2023 do not know the newer extensions and crash
			}
			t.Run(fmt.Sprintf("%s/%v,plain=%v", cl.name, how.images, how.plain), func(t *testing.T) {
				needs(t, d, &cl)
				v := open(t, Config{Device: d, Stream: media.Stream{Codec: cl.codec}, ReadBack: pool, Images: how.images, NoMaintenance: how.plain})
				var got []string
				failed, err := run(t, v, cl.units, true, func(f *media.Frame) { got = append(got, sum(f)) })
				if errors.Is(err, media.ErrNotSupported) {
					t.Skip(err)
				}
				if i := differ(got, cl.sums); i >= 0 || err != nil {
					t.Errorf("%d frames, want %d, first difference at %d; %d units failed: %v; %+v\n%s", len(got), len(cl.sums), i, failed, err, v.Stats(), pattern(got, cl.sums))
					if i >= 0 && i < len(cl.units) {
						t.Log(headers(&cl, i))
					}
				}
				t.Logf("%v: %d frames, %+v", v.Images(), len(got), v.Stats())
			})
		}
	}
}

// TestGPUBatches decodes several pictures with one submission and reads them back behind it.
func TestGPUBatches(t *testing.T) {
	d := videoDevice(t)
	pool := readPool(t)
	for _, cl := range clips(t, "*.26[45]", "*.obu", "*.ivf") {
		for _, c := range []struct {
			images Images
			batch  int
		}{{ImagesAuto, inFlight}, {ImagesCopied, 3}, {ImagesDistinct, 4}} {
			t.Run(fmt.Sprintf("%s/%v,%d", cl.name, c.images, c.batch), func(t *testing.T) {
				needs(t, d, &cl)
				const group = 5
				v := open(t, Config{Device: d, Stream: media.Stream{Codec: cl.codec}, Images: c.images, Batch: c.batch, Hold: 4 * group})
				reads, err := newReadBack(d, pool)
				if err != nil {
					t.Fatal(err)
				}
				defer reads.close()
				var got []string
				var out []*media.Frame
				receive := func() {
					for {
						f, err := v.Receive()
						if err != nil {
							return
						}
						out = append(out, f)
					}
				}
				flush := func() {
					receive()
					if err := v.Submit(); err != nil {
						t.Fatal(err)
					}
					for _, f := range out {
						g, err := reads.read(f)
						if err != nil {
							t.Fatal(err)
						}
						got = append(got, sum(g))
						g.Release()
						f.Release()
					}
					out = out[:0]
				}
				for i, u := range cl.units {
					au := media.AccessUnit{Data: u, Timebase: media.Timebase{Num: 1, Den: 1000}, PTS: media.Timestamp(i)}
					err := v.Send(&au)
					for ; err == media.ErrAgain; err = v.Send(&au) {
						receive()
					}
					if errors.Is(err, media.ErrNotSupported) {
						t.Skip(err)
					}
					if err != nil {
						t.Errorf("unit %d: %v", i, err)
					}
					if i%group == group-1 {
						flush()
					}
				}
				if err := v.Send(nil); err == media.ErrAgain {
					receive()
					err = v.Send(nil)
					if err != nil {
						t.Error(err)
					}
				}
				flush()
				if i := differ(got, cl.sums); i >= 0 {
					t.Errorf("%d frames, want %d, first difference at %d; %+v\n%s", len(got), len(cl.sums), i, v.Stats(), pattern(got, cl.sums))
				}
				if st := v.Stats(); st.Submits > int64(len(cl.units))*3/4 {
					t.Errorf("%d submissions of %d units", st.Submits, len(cl.units))
				}
			})
		}
	}
}

// keyUnits are the units that decoding can begin at, with how many frames come before.
func keyUnits(cl *clip) (at []int) {
	for i, u := range cl.units {
		if key(cl.codec, u) {
			at = append(at, i)
		}
	}
	return at
}

// TestGPUSeek flushes in the middle and goes on at a later keyframe, and back.
func TestGPUSeek(t *testing.T) {
	d := videoDevice(t)
	pool := readPool(t)
	for _, cl := range clips(t, "*_*.26[45]", "*_*.obu", "*_*.ivf") {
		at := keyUnits(&cl)
		if len(at) < 2 {
			continue
		}
		t.Run(cl.name, func(t *testing.T) {
			needs(t, d, &cl)
			v := open(t, Config{Device: d, Stream: media.Stream{Codec: cl.codec}, ReadBack: pool})
			if _, err := run(t, v, cl.units[:min(7, len(cl.units))], false, func(*media.Frame) {}); errors.Is(err, media.ErrNotSupported) {
				t.Skip(err)
			}
			for i, from := range []int{at[len(at)-1], at[0], at[len(at)/2]} {
				v.Flush(uint32(i + 2))
				var got []string
				_, err := run(t, v, cl.units[from:], true, func(f *media.Frame) {
					if f.Serial != uint32(i+2) {
						t.Errorf("a frame of serial %d after the seek to %d", f.Serial, i+2)
					}
					got = append(got, sum(f))
				})
				want := cl.sums[len(cl.sums)-min(len(got), len(cl.sums)):]
				if err != nil || len(got) == 0 || from == at[0] && len(got) != len(cl.sums) || !slices.Equal(got, want) {
					t.Errorf("from unit %d: %d frames, the first that differs is %d: %v", from, len(got), differ(got, want), err)
				}
			}
		})
	}
}

// TestGPUDamage decodes broken units and must be exact again from the next keyframe on.
func TestGPUDamage(t *testing.T) {
	d := videoDevice(t)
	pool := readPool(t)
	rnd := rand.New(rand.NewPCG(7, 7))
	breaks := map[string]func(u []byte) []byte{
		"truncated": func(u []byte) []byte { return u[:len(u)/2] },
		"flipped": func(u []byte) []byte {
			u = bytes.Clone(u)
			for range 1 + len(u)/300 {
				u[rnd.IntN(len(u))] ^= 1 << rnd.IntN(8)
			}
			return u
		},
		"noise": func(u []byte) []byte {
			u = bytes.Clone(u)
			for i := min(12, len(u)); i < len(u); i++ {
				u[i] = byte(rnd.Uint32())
			}
			return u
		},
		"dropped": func(u []byte) []byte { return nil },
	}
	for _, cl := range clips(t, "c_*.26[45]", "a_main.obu", "v_main.ivf") {
		at := keyUnits(&cl)
		if len(at) < 2 {
			continue
		}
		for name, damage := range breaks {
			t.Run(cl.name+"/"+name, func(t *testing.T) {
				needs(t, d, &cl)
				v := open(t, Config{Device: d, Stream: media.Stream{Codec: cl.codec}, ReadBack: pool})
				last := at[len(at)-1]
				var units [][]byte
				for i, u := range cl.units {
					if i < last && rnd.IntN(4) == 0 {
						u = damage(u)
					}
					if len(u) > 0 {
						units = append(units, u)
					}
				}
				var got []string
				_, err := run(t, v, units, true, func(f *media.Frame) { got = append(got, sum(f)) })
				if errors.Is(err, media.ErrNotSupported) {
					t.Skip(err) // damage can look like anything
				}
				if errors.Is(err, media.ErrDeviceLost) {
					t.Fatal(err)
				}
				n := min(len(cl.units)-last, len(got))
				if n == 0 || !slices.Equal(got[len(got)-n:], cl.sums[len(cl.sums)-n:]) {
					t.Errorf("the %d frames behind the last keyframe are not exact: %+v", n, v.Stats())
				}
			})
		}
	}
}

// TestGPUSteady decodes in GPU memory only: nothing is allocated, and a consumer that
// holds more frames than it said gets more.
func TestGPUSteady(t *testing.T) {
	d := videoDevice(t)
	for _, cl := range clips(t, "p120.26[45]", "p120.obu", "p120.ivf") {
		v, err := New(Config{Device: d, Stream: media.Stream{Codec: cl.codec}})
		if errors.Is(err, media.ErrNotSupported) {
			t.Log(err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		count := func(*media.Frame) { n++ }
		if _, err := run(t, v, cl.units, false, count); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		n = 0
		if _, err := run(t, v, cl.units, false, count); err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		// The access units of the test itself are one each.
		if a := after.Mallocs - before.Mallocs; a > uint64(len(cl.units)+20) {
			t.Errorf("%s: %d allocations for %d pictures", cl.name, a, len(cl.units))
		}
		t.Logf("%s, %v: %.0f frames/s, %+v", cl.name, v.Images(), float64(n)/took.Seconds(), v.Stats())
		if g := v.Stats().Grown; g != 0 {
			t.Errorf("%s: the pool grew by %d", cl.name, g)
		}
		var held []*media.Frame
		if _, err := run(t, v, cl.units[:60], false, func(f *media.Frame) {
			if len(held) < 20 {
				held = append(held, f.Retain())
			}
		}); err != nil {
			t.Error(err)
		}
		if v.Stats().Grown == 0 {
			t.Errorf("%s: 20 frames held and no image added", cl.name)
		}
		// Frames outlive their decoder.
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		for _, f := range held {
			f.Release()
		}
	}
}
