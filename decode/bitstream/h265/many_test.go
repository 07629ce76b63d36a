package h265

import (
	"errors"
	"runtime"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
)

// TestManyInAUnit: a unit with a picture every few bytes takes a bounded amount of memory,
// and what comes behind it decodes.
func TestManyInAUnit(t *testing.T) {
	data := read(t, small[0])
	var sets, short, idr []byte
	var f bitstream.Framing
	for pos := 0; idr == nil; {
		n, ok, _ := f.Next(data, pos)
		if !ok {
			t.Fatal("no IDR picture")
		}
		pos = n.After()
		unit := data[n.Start:n.End]
		switch k := NALType(unit[3] >> 1 & 63); {
		case k == NALVPS || k == NALSPS || k == NALPPS:
			sets = append(sets, unit...)
		case k.IDR() || k == Cra:
			idr, short = unit, append(unit[:len(unit):len(unit)][:min(len(unit), 20)], 0x80)
		}
	}
	many := append([]byte(nil), sets...)
	for range 20_000 {
		many = append(many, short...)
	}
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	pics, err := d.Decode(many)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("%d bytes take %d MB", len(many), n>>20)
	}
	var s *bitstream.SyntaxError
	if !errors.As(err, &s) || len(pics) == 0 {
		t.Errorf("%d pictures, %v", len(pics), err)
	}
	pics, err = d.Decode(append(sets[:len(sets):len(sets)], idr...))
	if err != nil || len(pics) != 1 || pics[0].Corrupt {
		t.Errorf("the unit behind it: %d pictures, %v", len(pics), err)
	}
}
