package fec

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

const ssrc = 0x01020304

// packet makes one of the stream.
func packet(seq uint16, ts uint32, marker bool, payload ...byte) []byte {
	b := append(make([]byte, 12), payload...)
	b[0], b[1] = 0x80, 96
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return b
}

// ulp protects packets by RFC 5109, 9.1: with a long mask if need be.
func ulp(base uint16, packets ...[]byte) []byte {
	longest, mask := 0, uint64(0)
	for _, p := range packets {
		longest = max(longest, len(p)-12)
		mask |= 1 << 63 >> (binary.BigEndian.Uint16(p[2:]) - base)
	}
	b := make([]byte, 14, 18)
	if mask<<16 != 0 {
		b = b[:18]
		binary.BigEndian.PutUint32(b[14:], uint32(mask>>16))
	}
	n := len(b)
	b = append(b, make([]byte, longest)...)
	length := uint16(0)
	for _, p := range packets {
		b[0] ^= p[0]
		b[1] ^= p[1]
		for i := range 4 {
			b[4+i] ^= p[4+i]
		}
		length ^= uint16(len(p) - 12)
		for i := range len(p) - 12 {
			b[n+i] ^= p[12+i]
		}
	}
	b[0] &= 0x3f
	if n == 18 {
		b[0] |= 0x40
	}
	binary.BigEndian.PutUint16(b[2:], base)
	binary.BigEndian.PutUint16(b[8:], length)
	binary.BigEndian.PutUint16(b[10:], uint16(longest))
	binary.BigEndian.PutUint16(b[12:], uint16(mask>>48))
	return b
}

// flexVectors are what pion/interceptor 0.1.51 makes of the same packets (FlexEncoder03), with
// their RTP headers: masks of one, two and three parts.
var flexVectors = []struct {
	name    string
	packets [][]byte
	repairs []string
}{
	{"short masks over the turn of the numbers", grow(5), []string{
		"806e03e8033bafab0a0b0c0d00e0000f00015f900100000001020304fffed400606162606060604748494a",
		"806e03e9033bafab0a0b0c0d0000000c000000000100000001020304fffea800202020202035363738",
	}},
	{"two parts", squares(20), []string{
		"806e03e8033bafab0a0b0c0d0000000000000000010000000102030400647ffffc000000000c00",
	}},
	{"three parts", squares(60), []string{
		"806e03e8033bafab0a0b0c0d00000000000000000100000001020304006449244924924992480000000000003cbc00",
		"806e03e9033bafab0a0b0c0d000000000000000001000000010203040064249224924924c924000000000000282400",
		"806e03ea033bafab0a0b0c0d008000000000000001000000010203040064124912492492a492000000000000148400",
	}},
}

// grow are packets that are longer and longer.
func grow(n int) (all [][]byte) {
	for i := range n {
		payload := make([]byte, 3+2*i)
		for j := range payload {
			payload[j] = byte(i*16 + j)
		}
		all = append(all, packet(uint16(65534+i), 90000, i == n-1, payload...))
	}
	return all
}

func squares(n int) (all [][]byte) {
	for i := range n {
		all = append(all, packet(uint16(100+i), 3000, i == 59, byte(i), byte(i*i), 7))
	}
	return all
}

// TestAnyOneComesBack: of what another implementation protects, any one of each group may be
// lost, and comes back as it was.
func TestAnyOneComesBack(t *testing.T) {
	for _, v := range flexVectors {
		t.Run(v.name, func(t *testing.T) {
			k := len(v.repairs)
			for lost, want := range v.packets {
				var d Decoder
				for i, p := range v.packets {
					if i != lost {
						d.Keep(p, 1)
					}
				}
				for i, r := range v.repairs {
					b, err := hex.DecodeString(r)
					if err != nil {
						t.Fatal(err)
					}
					if !d.Add(Flex03, b[12:], ssrc, 2) {
						t.Fatalf("repair %d makes no sense", i)
					}
					got, ok := d.Next(nil, ssrc, 2)
					if mine := i == lost%k; ok != mine || mine && !bytes.Equal(got, want) {
						t.Fatalf("packet %d by repair %d: %v, % x, want % x", lost, i, ok, got, want)
					}
				}
			}
		})
	}
}

// TestULP: the same by RFC 5109, with packets that have all that a header can.
func TestULP(t *testing.T) {
	for _, n := range []int{1, 5, 16, 17, 48} {
		packets := grow(n)
		packets[n/2][0] = 0xb1                                                                       // padding, extension, a CSRC
		packets[n/2] = append(packets[n/2], 9, 9, 9, 9, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 5, 0, 0, 0, 3) // longest or not
		for lost, want := range packets {
			var d Decoder
			for i, p := range packets {
				if i != lost {
					d.Keep(p, 1)
				}
			}
			if !d.Add(ULP, ulp(65534, packets...), ssrc, 2) {
				t.Fatal("it makes no sense")
			}
			if got, ok := d.Next(nil, ssrc, 2); !ok || !bytes.Equal(got, want) {
				t.Fatalf("packet %d of %d: %v, % x, want % x", lost, n, ok, got, want)
			}
			if _, ok := d.Next(nil, ssrc, 2); ok {
				t.Fatal("once more")
			}
		}
	}
}

// TestOneGivesTheOther: what comes back, or late, may be what another one waits for.
func TestOneGivesTheOther(t *testing.T) {
	p := grow(6)
	rows := [][]byte{ulp(65534, p[0], p[1], p[2]), ulp(65534, p[3], p[4], p[5])}
	column := ulp(65534, p[1], p[4])
	var d Decoder
	for _, i := range []int{0, 3, 5} {
		d.Keep(p[i], 1)
	}
	d.Add(ULP, column, ssrc, 2) // 1 and 4 are missing
	d.Add(ULP, rows[0], ssrc, 2)
	if _, ok := d.Next(nil, ssrc, 2); ok {
		t.Fatal("two of each are missing")
	}
	d.Keep(p[2], 3) // late: 1, then 4
	for _, want := range [][]byte{p[1], p[4]} {
		if got, ok := d.Next(nil, ssrc, 3); !ok || !bytes.Equal(got, want) {
			t.Fatalf("%v, % x, want % x", ok, got, want)
		}
	}
	d.Add(ULP, rows[1], ssrc, 4) // nothing is missing any more
	if got, ok := d.Next(nil, ssrc, 4); ok {
		t.Fatalf("% x", got)
	}
}

// TestLag: what protects packets comes so long after the first of them.
func TestLag(t *testing.T) {
	var d Decoder
	p := grow(3)
	for i := range p {
		d.Keep(p[i], media.Instant(10+i))
	}
	d.Add(ULP, ulp(65534, p...), ssrc, 30)
	if d.Lag() != 20 {
		t.Errorf("%v", d.Lag())
	}
	for range 200 {
		d.Add(ULP, ulp(65534, p[2]), ssrc, 14)
	}
	if d.Lag() > 2+lagDecay {
		t.Errorf("%v is not forgotten", d.Lag())
	}
}

// TestNonsense: what makes no sense is refused, and what lies gives nothing.
func TestNonsense(t *testing.T) {
	p := grow(3)
	flex, _ := hex.DecodeString(flexVectors[0].repairs[0])
	flex = flex[12:]
	good := ulp(65534, p...)
	change := func(b []byte, at int, v ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], v)
		return b
	}
	three, _ := hex.DecodeString(flexVectors[2].repairs[0])
	for _, tt := range []struct {
		name   string
		scheme Scheme
		b      []byte
	}{
		{"nothing", ULP, nil}, {"cut off", ULP, good[:13]}, {"cut off in the long mask", ULP, change(good[:17], 0, 0x40)},
		{"covers nothing", ULP, change(good, 12, 0, 0)}, {"protects more than it has", ULP, change(good, 10, 0xff, 0xff)},
		{"too long", ULP, change(append(bytes.Clone(good), make([]byte, 9300)...), 10, 0x24, 0x10)},
		{"nothing", Flex03, nil}, {"cut off", Flex03, flex[:19]}, {"a retransmission", Flex03, change(flex, 0, 0x80)},
		{"rows and columns", Flex03, change(flex, 0, 0x40)}, {"no stream", Flex03, change(flex, 8, 0)}, {"two streams", Flex03, change(flex, 8, 2)},
		{"another stream", Flex03, change(flex, 15, 9)}, {"covers nothing", Flex03, change(flex, 18, 0x80, 0)},
		{"cut off in the second part", Flex03, change(flex[:23], 18, 0)}, {"cut off in the third", Flex03, three[12:43]},
		{"without an end", Flex03, change(three[12:], 24, 0)},
	} {
		var d Decoder
		if d.Add(tt.scheme, tt.b, ssrc, 1) {
			t.Errorf("%s: taken", tt.name)
		}
	}
	var d Decoder
	d.Keep(p[0], 1)
	d.Keep(p[1], 1)
	if !d.Add(ULP, change(good, 8, 0xff, 0xff), ssrc, 1) {
		t.Fatal("its length cannot be known before the packet is")
	}
	if got, ok := d.Next(nil, ssrc, 1); ok {
		t.Errorf("a packet longer than what protects it: % x", got)
	}
}

// TestFlood: of packets that cover what never comes, the oldest are thrown out, and one that
// means something still does it.
func TestFlood(t *testing.T) {
	var d Decoder
	p := grow(3)
	d.Keep(p[0], 1)
	d.Keep(p[2], 1)
	absurd := ulp(30000, packet(30000, 0, false, 1), packet(30001, 0, false, 1))
	for i := range 10000 {
		binary.BigEndian.PutUint16(absurd[2:], uint16(30000+i%1000))
		d.Add(ULP, absurd, ssrc, 1)
		if _, ok := d.Next(nil, ssrc, 1); ok {
			t.Fatal("out of nothing")
		}
	}
	d.Add(ULP, ulp(65534, p...), ssrc, 1)
	if got, ok := d.Next(nil, ssrc, 1); !ok || !bytes.Equal(got, p[1]) {
		t.Fatalf("%v, % x", ok, got)
	}
	if n := held(&d); n > 1<<16 {
		t.Errorf("%d bytes are held", n)
	}
}

// held is how much memory a decoder has.
func held(d *Decoder) (n int) {
	for i := range d.kept {
		n += cap(d.kept[i].data)
	}
	for i := range d.repairs {
		n += cap(d.repairs[i].payload)
	}
	return n
}

// TestNoAllocation: once it has what the packets need, nothing is allocated, neither for what
// comes nor for what comes back.
func TestNoAllocation(t *testing.T) {
	var d Decoder
	const size = 1200
	group := make([][]byte, 10)
	for i := range group {
		group[i] = packet(0, 0, false, make([]byte, size)...)
	}
	repair := append(ulp(0, group[0]), 0)[:14+size]
	binary.BigEndian.PutUint16(repair[12:], 0xffc0)
	buf := make([]byte, 0, 2*size)
	seq, back := uint16(0), 0
	step := func() {
		binary.BigEndian.PutUint16(repair[2:], seq)
		for i, p := range group {
			binary.BigEndian.PutUint16(p[2:], seq)
			seq++
			if i != 4 {
				d.Keep(p, 1)
			}
		}
		d.Add(ULP, repair, ssrc, 2)
		if _, ok := d.Next(buf, ssrc, 2); ok {
			back++
		}
	}
	for range 100 {
		step()
	}
	if a := testing.AllocsPerRun(200, step); a != 0 {
		t.Errorf("%v allocations", a)
	}
	if back < 300 {
		t.Errorf("%d came back", back)
	}
}

// FuzzDecoder gives a decoder any packets: it ends, what comes out is an RTP packet of the
// stream, and memory is bounded.
func FuzzDecoder(f *testing.F) {
	p := grow(3)
	one := func(kind byte, b []byte) []byte { return append([]byte{kind, byte(len(b))}, b...) }
	f.Add(append(append(one(0, p[0]), one(0, p[2])...), one(1, ulp(65534, p...))...))
	for _, v := range flexVectors {
		b, _ := hex.DecodeString(v.repairs[0])
		f.Add(append(one(0, v.packets[1]), one(2, b[12:])...))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var d Decoder
		at := media.Instant(0)
		for len(in) > 2 {
			kind, n := in[0]%4, min(int(in[1]), len(in)-2)
			b := in[2 : 2+n]
			in = in[2+n:]
			at = at.Add(time.Millisecond)
			switch kind {
			case 0:
				d.Keep(b, at)
			case 1, 2:
				d.Add(Scheme(kind), b, ssrc, at)
			case 3:
				d.Reset()
			}
			for i := 0; ; i++ {
				got, ok := d.Next(nil, ssrc, at)
				if !ok {
					break
				}
				if i > maxRepairs {
					t.Fatal("it does not end")
				}
				if len(got) < 12 || len(got) > maxPacket || got[0]>>6 != 2 || binary.BigEndian.Uint32(got[8:]) != ssrc {
					t.Fatalf("% x", got)
				}
			}
		}
		if n := held(&d); n > (keptPackets+maxRepairs)*1024 {
			t.Fatalf("%d bytes are held", n)
		}
	})
}
