package h265

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
)

// small are streams of a few hundred bytes: an open GOP with a pyramid of B pictures, and
// two slices a picture with scaling lists.
var small = []string{"testdata/opengop.265", "testdata/slices.265"}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// lengthPrefixed turns Annex B data into units with lengths.
func lengthPrefixed(data []byte, size int) (out []byte) {
	var f bitstream.Framing
	for pos := 0; ; {
		n, ok, _ := f.Next(data, pos)
		if !ok {
			return out
		}
		var l [4]byte
		binary.BigEndian.PutUint32(l[:], uint32(n.Len()))
		out = append(append(out, l[4-size:]...), n.Bytes(data)...)
		pos = n.After()
	}
}

// feed decodes rubbish and holds the decoder to its promises.
func feed(t *testing.T, d *Decoder, units [][]byte) {
	check := newContract()
	for _, au := range units {
		pics, _ := d.Decode(au)
		for i := range pics {
			p := &pics[i]
			if err := check.picture(p); err != nil {
				t.Fatal(err)
			}
			for j := range p.Segments {
				if n := p.Segments[j].NAL; n.Begin < 0 || n.End > len(au) || n.Start >= n.Begin {
					t.Fatalf("%+v in %d bytes", n, len(au))
				}
			}
			if p.SPS == nil || p.PPS == nil {
				t.Fatalf("parameter sets of %+v", p)
			}
			if p.ID%5 == 0 {
				d.Damage(p.ID)
			}
		}
	}
	for _, o := range d.Flush() {
		if check.shown[o.ID] {
			t.Fatalf("picture %d shown twice", o.ID)
		}
		check.shown[o.ID] = true
	}
	if d.dpb.occupied() != 0 {
		t.Fatal("slots are in use after Flush")
	}
}

// split cuts rubbish and checks that nothing of it gets lost or is looked at for ever.
func split(t *testing.T, data []byte) (units [][]byte) {
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, len(data)+16)
	sc.Split(NewSplitter().Split)
	total := 0
	for sc.Scan() {
		units = append(units, bytes.Clone(sc.Bytes()))
		total += len(sc.Bytes())
	}
	if sc.Err() != nil || total > len(data) {
		t.Fatalf("%v, %d of %d bytes", sc.Err(), total, len(data))
	}
	return units
}

func FuzzDecoder(f *testing.F) {
	for _, name := range small {
		data := read(f, name)
		f.Add(data, uint8(0))
		f.Add(lengthPrefixed(data, 4), uint8(4))
		f.Add(data[:len(data)/2], uint8(0))
		f.Add(append(bytes.Clone(data[len(data)/3:]), data...), uint8(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		d, err := NewDecoder(Config{Framing: bitstream.Framing{LengthSize: int(size % 5)}})
		if err != nil {
			t.Fatal(err)
		}
		if size%5 != 0 {
			feed(t, d, [][]byte{data, data})
			return
		}
		feed(t, d, split(t, data))
	})
}

// FuzzParameterSets takes data as a unit of every kind and as a container's record.
func FuzzParameterSets(f *testing.F) {
	for _, name := range small {
		data := read(f, name)
		var fr bitstream.Framing
		for pos := 0; ; {
			n, ok, _ := fr.Next(data, pos)
			if !ok {
				break
			}
			f.Add(n.Bytes(data))
			pos = n.After()
		}
	}
	f.Add(hvcC(read(f, small[0])))
	f.Add([]byte{0, 0, 0, 1, 0x42, 1})
	f.Fuzz(func(t *testing.T, nal []byte) {
		_, _ = NewDecoder(Config{ExtraData: nal})
		_, _ = ParseVPS(nal)
		s, err := ParseSPS(nal)
		if err == nil {
			if c := s.Crop(); c.X < 0 || c.Y < 0 || c.Width <= 0 || c.Height <= 0 || c.X+c.Width > s.CodedWidth() || c.Y+c.Height > s.CodedHeight() {
				t.Fatalf("crop %+v of %dx%d", c, s.CodedWidth(), s.CodedHeight())
			}
			s.Color()
		}
		p, _ := ParsePPS(nal, func(uint8) *SPS { return s })
		if p != nil && s != nil && p.fits(s) {
			sum := 0
			w, n := p.TileColumns(s)
			for _, v := range w[:n] {
				sum += v
			}
			if sum != s.PicWidthInCtbs() {
				t.Fatalf("columns %v of %d", w[:n], s.PicWidthInCtbs())
			}
		}
		var h SliceHeader
		if p != nil {
			_ = h.Parse(nal, func(uint8) *PPS { return p }, func(uint8) *SPS { return s })
		}
		var sei SEI
		_ = sei.Parse(nal, s)
	})
}

// hvcC makes the record of a stream with one set of each kind.
func hvcC(stream []byte) []byte {
	var f bitstream.Framing
	sets := map[NALType][]byte{}
	for pos := 0; ; {
		n, ok, _ := f.Next(stream, pos)
		if !ok {
			break
		}
		b := n.Bytes(stream)
		sets[NALType(b[0]>>1&63)] = b
		pos = n.After()
	}
	out := make([]byte, 23)
	out[0], out[21], out[22] = 1, 3, 3
	for _, t := range []NALType{NALVPS, NALSPS, NALPPS} {
		out = append(out, byte(t), 0, 1, byte(len(sets[t])>>8), byte(len(sets[t])))
		out = append(out, sets[t]...)
	}
	return out
}

// TestExtraData decodes units with lengths, whose parameter sets are in an hvcC record,
// and compares with the same stream in Annex B.
func TestExtraData(t *testing.T) {
	stream := read(t, small[0])
	d, err := NewDecoder(Config{ExtraData: hvcC(stream)})
	if err != nil {
		t.Fatal(err)
	}
	if d.Framing().LengthSize != 4 || d.VPS(0) == nil || d.SPS(0) == nil || d.PPS(0) == nil {
		t.Fatalf("%+v, %v, %v", d.Framing(), d.SPS(0), d.PPS(0))
	}
	b, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	sets := d.ParameterSets()
	for _, au := range split(t, stream) {
		other := lengthPrefixed(au, 4)
		got, err := d.Decode(other)
		if err != nil {
			t.Fatal(err)
		}
		want, err := b.Decode(au)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || len(want) != 1 || got[0].PicOrderCntVal != want[0].PicOrderCntVal || len(got[0].Segments) != len(want[0].Segments) {
			t.Fatalf("%+v\n%+v", got, want)
		}
		for i := range got[0].Segments {
			g, w := got[0].Segments[i].NAL, want[0].Segments[i].NAL
			if !bytes.Equal(g.Bytes(other), w.Bytes(au)) || !bytes.Equal(au[w.Start:w.Begin], []byte{0, 0, 1}) {
				t.Errorf("segment %d at %+v and %+v", i, g, w)
			}
		}
	}
	if d.ParameterSets() != sets {
		t.Error("sets that repeat count as changed")
	}
	for n := range 20 {
		if _, err := NewDecoder(Config{ExtraData: hvcC(stream)[:n+1]}); err == nil {
			t.Errorf("%d bytes of an hvcC record are taken as one", n+1)
		}
	}
}

// TestNoAllocations decodes a stream over and over.
func TestNoAllocations(t *testing.T) {
	for _, name := range small {
		units := split(t, read(t, name))
		d, err := NewDecoder(Config{})
		if err != nil {
			t.Fatal(err)
		}
		shown := 0
		round := func() {
			for _, au := range units {
				pics, err := d.Decode(au)
				if err != nil {
					t.Fatal(err)
				}
				for i := range pics {
					shown += len(pics[i].Output)
				}
			}
		}
		round()
		if n := testing.AllocsPerRun(20, round); n != 0 {
			t.Errorf("%s: %v allocations in %d pictures", name, n, len(units))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 1000 / len(units) {
			round()
		}
		runtime.ReadMemStats(&after)
		if n := after.Mallocs - before.Mallocs; n > 8 {
			t.Errorf("%s: %d allocations in 1000 pictures", name, n)
		}
		if shown == 0 {
			t.Error("nothing was shown")
		}
	}
}

func BenchmarkDecoder(b *testing.B) {
	units := split(&testing.T{}, read(b, small[0]))
	d, err := NewDecoder(Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := d.Decode(units[i%len(units)]); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLoss leaves out each access unit in turn: what refers to a picture that is missing
// says so, and from the next IDR picture on all is right again.
func TestLoss(t *testing.T) {
	units := accessUnits(t, read(t, codeH265(t, "yuv420p", "", "bframes=3:b-pyramid=1:ref=3:keyint=15:min-keyint=15:scenecut=0:open-gop=0:repeat-headers=1")))
	for lost := 1; lost < len(units); lost++ {
		d, err := NewDecoder(Config{})
		if err != nil {
			t.Fatal(err)
		}
		var reference int32 = -1 // the order count of the picture that was lost
		missing, named, corrupt := 0, 0, 0
		over := false // an IDR picture came
		check := newContract()
		for i, au := range units {
			if i == lost {
				whole, err := NewDecoder(Config{})
				if err != nil {
					t.Fatal(err)
				}
				var pics []Picture
				for _, au := range units[:lost+1] {
					if pics, err = whole.Decode(au); err != nil {
						t.Fatal(err)
					}
				}
				reference = pics[0].PicOrderCntVal
				if pics[0].IRAP {
					reference = -1
				}
				continue
			}
			pics, err := d.Decode(au)
			if err != nil {
				t.Fatal(err)
			}
			for j := range pics {
				p := &pics[j]
				if err := check.picture(p); err != nil {
					t.Fatal(err)
				}
				over = over || i > lost && p.IDR
				missing += p.Missing.References
				if p.Corrupt {
					corrupt++
					if over {
						t.Errorf("unit %d lost: picture %d behind the next IDR picture is corrupt", lost, i)
					}
				}
				if s := &p.Segments[0].Header.ShortTermRefPicSet; i > lost && !over && reference >= 0 {
					for k, delta := range s.DeltaPocS0[:s.NumNegativePics] {
						if p.PicOrderCntVal+delta == reference && s.UsedByCurrPicS0>>k&1 != 0 {
							named++
						}
					}
					for k, delta := range s.DeltaPocS1[:s.NumPositivePics] {
						if p.PicOrderCntVal+delta == reference && s.UsedByCurrPicS1>>k&1 != 0 {
							named++
						}
					}
				}
			}
		}
		if reference >= 0 && (missing != named || named > 0 && corrupt == 0) {
			t.Errorf("unit %d lost: named %d times, said to be missing %d times; %d corrupt", lost, named, missing, corrupt)
		}
	}
}

// TestJoin begins at each access unit of an open GOP stream: pictures before the first
// IRAP picture say that they are not right, RASL pictures of it are left out, and all
// others are right.
func TestJoin(t *testing.T) {
	units := accessUnits(t, read(t, codeH265(t, "yuv420p", "", "bframes=3:b-pyramid=1:open-gop=1:keyint=12:min-keyint=12:ref=3:repeat-headers=1")))
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for from := range units {
		d.Reset()
		begun, irap, shown, coded, dropped := false, 0, 0, 0, d.Dropped()
		var last int32 = -1 << 31
		for i, au := range units[from:] {
			pics, err := d.Decode(au)
			if from > 0 && err != nil {
				t.Fatal(err)
			}
			for j := range pics {
				p := &pics[j]
				if p.IRAP {
					begun = true
					irap++
				}
				coded++
				if begun && p.Corrupt || !begun && !p.Corrupt && !p.Intra {
					t.Errorf("from %d, unit %d (%v): corrupt is %v", from, from+i, p.NalUnitType, p.Corrupt)
				}
				if p.NalUnitType.RASL() && irap < 2 && from > 0 && begun {
					t.Errorf("from %d: unit %d is %v, of the first IRAP picture", from, from+i, p.NalUnitType)
				}
				for _, o := range p.Output {
					if o.PicOrderCnt <= last && begun && irap > 1 {
						t.Errorf("from %d: %d shown after %d", from, o.PicOrderCnt, last)
					}
					last = o.PicOrderCnt
					shown++
				}
			}
		}
		shown += len(d.Flush())
		if dropped = d.Dropped() - dropped; coded+dropped != len(units)-from || shown != coded {
			t.Errorf("from %d: %d of %d units decoded, %d dropped, %d shown", from, coded, len(units)-from, dropped, shown)
		}
	}
}

// TestDamage flips bits and cuts units: whatever comes out keeps the contract.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range small {
		stream := read(t, name)
		for range 400 {
			bad := bytes.Clone(stream)
			for range 1 + rng.IntN(8) {
				bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
			}
			if rng.IntN(4) == 0 {
				at := rng.IntN(len(bad))
				bad = append(bad[:at], bad[min(at+rng.IntN(60), len(bad)):]...)
			}
			d, err := NewDecoder(Config{})
			if err != nil {
				t.Fatal(err)
			}
			feed(t, d, append(split(t, bad), split(t, stream)...))
			// Behind all that an intact stream is intact.
			for _, au := range split(t, stream) {
				pics, err := d.Decode(au)
				if err != nil {
					t.Fatal(err)
				}
				for i := range pics {
					if pics[i].Corrupt {
						t.Fatalf("picture %d of an intact stream is corrupt", pics[i].ID)
					}
				}
			}
		}
	}
}

// TestNewSequence joins streams of different sizes and formats.
func TestNewSequence(t *testing.T) {
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	check := newContract()
	sequences, coded, shown := 0, 0, 0
	for _, name := range []string{small[0], small[1], small[1], small[0]} {
		for _, au := range split(t, read(t, name)) {
			pics, err := d.Decode(au)
			if err != nil {
				t.Fatal(err)
			}
			for i := range pics {
				p := &pics[i]
				if err := check.picture(p); err != nil {
					t.Fatal(err)
				}
				if p.NewSequence {
					sequences++
				}
				if p.Corrupt {
					t.Errorf("picture %d is corrupt", p.ID)
				}
				coded++
				shown += len(p.Output)
			}
		}
	}
	if shown += len(d.Flush()); sequences != 3 || shown != coded {
		t.Errorf("%d sequences, %d of %d pictures shown", sequences, shown, coded)
	}
}
