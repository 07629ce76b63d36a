package h264

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

// small are streams of a few hundred bytes: a pyramid of B pictures with two slices a
// picture, MBAFF frames, intra refresh.
var small = []string{"testdata/pyramid.264", "testdata/mbaff.264", "testdata/refresh.264"}

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
			for j := range p.Slices {
				if n := p.Slices[j].NAL; n.Begin < 0 || n.End > len(au) || n.Start >= n.Begin {
					t.Fatalf("%+v in %d bytes", n, len(au))
				}
			}
			if p.SPS == nil || !p.SPS.cropFits() || p.PPS == nil && !p.NonExisting {
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
	for _, data := range crafted() {
		f.Add(data, uint8(0))
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
	f.Add(avcC(read(f, small[0])))
	f.Add([]byte{1, 100, 0, 10, 255, 225, 0})
	f.Add([]byte{0, 0, 0, 1, 0x67})
	f.Fuzz(func(t *testing.T, nal []byte) {
		_, _ = NewDecoder(Config{ExtraData: nal})
		s, err := ParseSPS(nal)
		if err == nil {
			if c := s.Crop(); c.X < 0 || c.Y < 0 || c.Width <= 0 || c.Height <= 0 || c.X+c.Width > s.CodedWidth() || c.Y+c.Height > s.CodedHeight() {
				t.Fatalf("crop %+v of %dx%d", c, s.CodedWidth(), s.CodedHeight())
			}
			if n := s.DpbFrames(); n < 1 || n > 16 || s.ReorderFrames() > n || int(s.MaxNumRefFrames) > n {
				t.Fatalf("%d frames, %d reordered, %d references", n, s.ReorderFrames(), s.MaxNumRefFrames)
			}
			s.Color()
		}
		p, _ := ParsePPS(nal, func(uint8) *SPS { return s })
		var h SliceHeader
		if p != nil {
			_ = h.Parse(nal, func(uint8) *PPS { return p }, func(uint8) *SPS { return s })
		}
		var sei SEI
		_ = sei.Parse(nal, s)
	})
}

// avcC makes the record of a stream with one SPS and one PPS.
func avcC(stream []byte) []byte {
	var f bitstream.Framing
	var sps, pps []byte
	for pos := 0; ; {
		n, ok, _ := f.Next(stream, pos)
		if !ok {
			break
		}
		switch b := n.Bytes(stream); b[0] & 31 {
		case NALSPS:
			sps = b
		case NALPPS:
			pps = b
		}
		pos = n.After()
	}
	out := []byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1, byte(len(sps) >> 8), byte(len(sps))}
	out = append(out, sps...)
	out = append(out, 1, byte(len(pps)>>8), byte(len(pps)))
	return append(out, pps...)
}

// TestExtraData decodes units with lengths, whose parameter sets are in an avcC record,
// and compares with the same stream in Annex B.
func TestExtraData(t *testing.T) {
	stream := read(t, small[0])
	d, err := NewDecoder(Config{ExtraData: avcC(stream)})
	if err != nil {
		t.Fatal(err)
	}
	if d.Framing().LengthSize != 4 || d.SPS(0) == nil || d.PPS(0) == nil {
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
		if len(got) != 1 || len(want) != 1 || got[0].PicOrderCnt != want[0].PicOrderCnt || len(got[0].Slices) != len(want[0].Slices) {
			t.Fatalf("%+v\n%+v", got, want)
		}
		for i := range got[0].Slices {
			g, w := got[0].Slices[i].NAL, want[0].Slices[i].NAL
			if !bytes.Equal(g.Bytes(other), w.Bytes(au)) || !bytes.Equal(au[w.Start:w.Begin], []byte{0, 0, 1}) {
				t.Errorf("slice %d at %+v and %+v", i, g, w)
			}
		}
	}
	if d.ParameterSets() != sets {
		t.Error("sets that repeat count as changed")
	}
	for n := range 20 {
		if _, err := NewDecoder(Config{ExtraData: avcC(stream)[:n+1]}); err == nil {
			t.Errorf("%d bytes of an avcC record are taken as one", n+1)
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
// says so, and after the next IDR picture all is right again.
func TestLoss(t *testing.T) {
	stream := read(t, codeH264(t, []string{"-x264-params", "bframes=3:b-pyramid=normal:ref=3:keyint=15:scenecut=0"}))
	units := accessUnits(t, stream)
	for lost := 1; lost < len(units); lost++ {
		d, err := NewDecoder(Config{})
		if err != nil {
			t.Fatal(err)
		}
		check := newContract()
		idr, reference, frames, corrupt, sinceIDR := false, false, 0, 0, -1
		for i, au := range units {
			pics, err := d.Decode(au)
			if err != nil {
				t.Fatal(err)
			}
			if i == lost { // decoded so as to know what it was, then forgotten
				p := &pics[len(pics)-1]
				idr, reference = p.IDR, p.Reference && !p.IDR
				if d, err = NewDecoder(Config{}); err != nil {
					t.Fatal(err)
				}
				for _, au := range units[:lost] {
					if _, err := d.Decode(au); err != nil {
						t.Fatal(err)
					}
				}
				check = nil
				continue
			}
			for j := range pics {
				p := &pics[j]
				if check != nil {
					if err := check.picture(p); err != nil {
						t.Fatal(err)
					}
				}
				frames += p.Missing.Frames
				if p.IDR && i > lost {
					if sinceIDR = 0; i == lost+1 {
						reference = false // nothing came that could miss it
					}
				}
				if p.Corrupt {
					corrupt++
					if sinceIDR >= 0 {
						t.Errorf("unit %d lost: picture %d behind the next IDR picture is corrupt", lost, i)
					}
				}
			}
		}
		if reference && frames != 1 {
			t.Errorf("unit %d lost: %d frames are said to be missing", lost, frames)
		}
		if (reference || idr) && corrupt == 0 {
			t.Errorf("unit %d lost: no picture is corrupt", lost)
		}
		if !reference && !idr && frames != 0 {
			t.Errorf("unit %d lost, which nothing refers to: %d frames are said to be missing", lost, frames)
		}
	}
}

// TestJoin begins at each access unit of an open GOP stream: until the next picture at
// which decoding can begin, pictures say that they are not right, and then they are.
func TestJoin(t *testing.T) {
	units := accessUnits(t, read(t, codeH264(t, []string{"-x264-params", "bframes=3:b-pyramid=normal:open-gop=1:keyint=12:ref=3"})))
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for from := range units {
		d.Reset()
		points, first := 0, int32(0) // where the first one is, in output order
		for i, au := range units[from:] {
			pics, err := d.Decode(au)
			if err != nil {
				t.Fatal(err)
			}
			for j := range pics {
				p := &pics[j]
				now := min(p.PicOrderCnt[0], p.PicOrderCnt[1])
				if p.IDR || p.SEI.RecoveryPoint {
					if points++; points == 1 {
						first = now
					}
				}
				switch {
				case points == 0 && !p.Intra || points == 1 && now < first && !p.Intra:
					if !p.Corrupt {
						t.Errorf("from %d: picture %d has no references and is not corrupt", from, from+i)
					}
				case points > 0 && p.Corrupt:
					t.Errorf("from %d: picture %d is corrupt", from, from+i)
				}
			}
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
					if pics[i].Corrupt && name != small[2] {
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
	for _, name := range []string{small[0], small[1], small[0], small[2], small[2]} {
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
	if shown += len(d.Flush()); sequences != 4 || shown != coded {
		t.Errorf("%d sequences, %d of %d pictures shown", sequences, shown, coded)
	}
}
