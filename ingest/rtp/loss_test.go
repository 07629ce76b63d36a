package rtp

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"
)

// cut are payloads of three packets that are picture n of each codec.
var cut = map[string]func(n byte, key bool) [3][]byte{
	"h264": func(n byte, key bool) [3][]byte {
		if key {
			return [3][]byte{{0x67, 1, n}, {0x68, 2, n}, {0x65, 0x88, n}}
		}
		return [3][]byte{{0x7c, 0x81, 0x88, n}, {0x7c, 0x01, 1, n}, {0x7c, 0x41, 2, n}}
	},
	"h265": func(n byte, key bool) [3][]byte {
		if key {
			return [3][]byte{{0x42, 1, 1, n}, {0x44, 1, 2, n}, {0x26, 1, 0x80, n}}
		}
		return [3][]byte{{0x62, 1, 0x81, 0x80, n}, {0x62, 1, 0x01, 1, n}, {0x62, 1, 0x41, 2, n}}
	},
	"vp8": func(n byte, key bool) [3][]byte {
		kind := byte(1)
		if key {
			kind = 0
		}
		return [3][]byte{{0x10, kind, n}, {0x00, 1, n}, {0x00, 2, n}}
	},
	"vp9": func(n byte, key bool) [3][]byte {
		p := byte(0x40)
		if key {
			p = 0
		}
		return [3][]byte{{p | 0x08, 0, n}, {p, 1, n}, {p | 0x04, 2, n}}
	},
	"av1": func(n byte, key bool) [3][]byte {
		first := []byte{0x50, 0x30, 0, n}
		if key {
			first = []byte{0x68, 2, 0x08, 9, 0x30, 0, n}
		}
		return [3][]byte{first, {0xd0, 1, n}, {0x90, 2, n}}
	},
}

// TestLossDamagesOnePicture: packets that are lost damage the picture that they are of, and
// no other: timestamps say where it ends when its last packet is missing.
func TestLossDamagesOnePicture(t *testing.T) {
	const pictures = 12
	for _, c := range []struct {
		name string
		lose []int // of picture 5; from 3 on, of the next one
		hurt []int // pictures that are damaged
		// gone are pictures of which nothing is left
		gone []int
		// vague says that the payload of AV1 does not show that a picture is whole
		vague []int
	}{
		{"first", []int{0}, []int{5}, nil, nil},
		{"middle", []int{1}, []int{5}, nil, nil},
		{"last", []int{2}, []int{5}, nil, nil},
		{"all but the first", []int{1, 2}, []int{5}, nil, []int{6}},
		{"last, and the first of the next", []int{2, 3}, []int{5, 6}, nil, nil},
		{"all", []int{0, 1, 2}, nil, []int{5}, []int{6}},
		{"last, and all of the next", []int{2, 3, 4, 5}, []int{5}, []int{6}, []int{7}},
	} {
		for codec, packets := range cut {
			t.Run(codec+" "+c.name, func(t *testing.T) {
				s := newStand(t, "rtp://127.0.0.1:5004?pt=96&codec="+codec, func(c *Config) { c.Damage = DamageShow; patient(c) })
				play := func(s *stand, lose []int) map[byte][]byte {
					for n := range pictures {
						for i, p := range packets(byte(n), n == 0) {
							if !slices.Contains(lose, 3*n+i-15) {
								s.put(0, home, rtpPacket(uint16(n*3+i), uint32(n*tick), 7, 96, i == 2, p...))
							}
						}
						s.idle(16 * time.Millisecond)
					}
					out := map[byte][]byte{}
					for _, au := range s.take() {
						out[au.Data[len(au.Data)-1]] = au.Data
					}
					return out
				}
				whole := play(newStand(t, "rtp://127.0.0.1:5004?pt=96&codec="+codec, patient), nil)
				if len(whole) != pictures {
					t.Fatalf("%d pictures without loss", len(whole))
				}
				got := play(s, c.lose)
				for n := range byte(pictures) {
					left := !slices.Contains(c.hurt, int(n)) && !slices.Contains(c.gone, int(n)) && (codec != "av1" || !slices.Contains(c.vague, int(n)))
					if same := bytes.Equal(got[n], whole[n]); left && !same {
						t.Errorf("picture %d is % x, want % x", n, got[n], whole[n])
					} else if !left && same {
						t.Errorf("picture %d is whole", n)
					}
				}
				want := len(c.hurt)
				if codec == "av1" {
					want += len(c.vague)
				}
				if k := s.Stats()[0]; int(k.Damaged) != want || int(k.Lost) != len(c.lose) {
					t.Errorf("%d pictures are damaged, want %d: %+v", k.Damaged, want, k)
				}
			})
		}
	}
}

// TestLossWithoutMarkers: of a sender that marks nothing, a packet that is missing between two
// pictures may be the first one's in any case, and the second one's unless its payload tells.
func TestLossWithoutMarkers(t *testing.T) {
	for lose, damaged := range []int64{2, 1, 1} {
		t.Run(fmt.Sprint("packet ", lose), func(t *testing.T) {
			s := newStand(t, h264URL, patient)
			for n := range 12 {
				for i, p := range cut["h264"](byte(n), n == 0) {
					if n != 5 || i != lose {
						s.put(0, home, rtpPacket(uint16(n*3+i), uint32(n*tick), 7, 96, false, p...))
					}
				}
				s.idle(16 * time.Millisecond)
			}
			if k := s.Stats()[0]; k.Damaged != damaged {
				t.Errorf("%+v", k)
			}
		})
	}
}
