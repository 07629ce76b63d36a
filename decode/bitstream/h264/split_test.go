package h264

import (
	"bufio"
	"bytes"
	"slices"
	"testing"
)

// TestSplitPrefixUnits: a base layer's slices have a prefix unit before each, which says
// nothing of where access units begin.
func TestSplitPrefixUnits(t *testing.T) {
	c := craft{profile: 66, refs: 2}
	prefix := []byte{0, 0, 1, 0x6e, 0x40, 0x80, 0x07}
	data := c.sets()
	var want [][]byte
	for i := range uint32(3) {
		low := c.slice(craftSlice{intra: true, idr: true, reference: true, idrID: i, count: 4})
		high := c.slice(craftSlice{intra: true, idr: true, reference: true, idrID: i, first: 4, count: 5})
		unit := slices.Concat(low, prefix, high, prefix)
		want = append(want, unit)
		data = append(data, unit...)
	}
	want[0] = append(c.sets(), want[0]...)
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Split(NewSplitter().Split)
	var got [][]byte
	for sc.Scan() {
		got = append(got, bytes.Clone(sc.Bytes()))
	}
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%d units, want %d", len(got), len(want))
	}
	// As access units they decode whole.
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for i, au := range got {
		if pics, err := d.Decode(au); err != nil || len(pics) != 1 || len(pics[0].Slices) != 2 {
			t.Errorf("unit %d: %d pictures, %v", i, len(pics), err)
		}
	}
}
