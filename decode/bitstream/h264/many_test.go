package h264

import (
	"errors"
	"runtime"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
)

// TestManyInAUnit: a unit with a picture or a slice every few bytes takes a bounded amount
// of memory, and what comes behind it decodes.
func TestManyInAUnit(t *testing.T) {
	c := craft{profile: 66, refs: 16, gaps: true}
	idr := c.slice(craftSlice{idr: true, intra: true, reference: true, count: 9})
	pictures := append(c.sets(), idr...)
	for i := range uint32(20_000) { // with a gap of nine frames before each
		pictures = append(pictures, c.slice(craftSlice{reference: true, frameNum: 10 * (i + 1), lsb: 2 * i, active: 1, count: 9})...)
	}
	slices := append(c.sets(), c.slice(craftSlice{idr: true, intra: true, reference: true, count: 1})...)
	for i := range uint32(20_000) {
		slices = append(slices, c.slice(craftSlice{idr: true, intra: true, reference: true, first: 1 + i&1, count: 1})...)
	}
	for name, data := range map[string][]byte{"pictures": pictures, "slices": slices} {
		d, err := NewDecoder(Config{})
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		pics, err := d.Decode(data)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Errorf("%s: %d bytes take %d MB", name, len(data), n>>20)
		}
		var s *bitstream.SyntaxError
		var u *bitstream.UnsupportedError
		if !errors.As(err, &s) && !errors.As(err, &u) {
			t.Errorf("%s: %v", name, err)
		}
		check := newContract()
		for i := range pics {
			if err := check.picture(&pics[i]); err != nil {
				t.Fatalf("%s: picture %d: %v", name, i, err)
			}
		}
		pics, err = d.Decode(append(c.sets(), idr...))
		if err != nil || len(pics) != 1 || pics[0].Corrupt {
			t.Errorf("%s: the unit behind it: %d pictures, %v", name, len(pics), err)
		}
		if err := check.picture(&pics[0]); err != nil {
			t.Errorf("%s: the unit behind it: %v", name, err)
		}
	}
}
