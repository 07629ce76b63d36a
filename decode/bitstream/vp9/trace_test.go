package vp9

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/internal/avtest"
)

// clips are streams of a few kilobytes that libvpx made of a moving test picture: two
// groups of pictures, error resilience and segments, 2x2 tiles, and 10 bits. (Hidden frames
// and superframes are in the shared media.)
var clips = []string{"groups", "resilient", "tiles", "tenbit"}

func clip(name string) string { return filepath.Join("testdata", name+".ivf") }

// frames returns the units of an IVF file.
func frames(t testing.TB, path string) (units [][]byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for data = data[32:]; len(data) > 12; {
		n := int(binary.LittleEndian.Uint32(data)) + 12
		units = append(units, data[12:n])
		data = data[n:]
	}
	return units
}

// withoutMeaning are syntax elements that no field stands for.
var withoutMeaning = regexp.MustCompile(`^(frame_marker|frame_sync_byte_.|reserved_zero|zero_bit|.*\.delta_coded|.*prob_coded|feature_sign.*)$`)

// field returns what our structs say of a syntax element.
func field(flat map[string]int64, p *Frame, f *avtest.TraceField) (int64, bool) {
	bit := func(v uint8, i int) (int64, bool) { return int64(v >> i & 1), true }
	switch f.Name {
	case "profile_low_bit":
		return bit(p.Profile, 0)
	case "profile_high_bit":
		return bit(p.Profile, 1)
	case "frame_type":
		return 1 - flat["keyframe"], true
	case "frame_width_minus_1":
		return int64(p.FrameWidth) - 1, true
	case "frame_height_minus_1":
		return int64(p.FrameHeight) - 1, true
	case "render_width_minus_1":
		return int64(p.RenderWidth) - 1, true
	case "render_height_minus_1":
		return int64(p.RenderHeight) - 1, true
	case "ref_frame_sign_bias":
		return flat[(&avtest.TraceField{Name: f.Name, Index: []int{f.Index[0] - 1}}).Key()], true
	case "raw_interpolation_filter_type":
		return int64(p.InterpolationFilter), true
	case "update_ref_delta":
		return bit(p.LoopFilter.UpdateRefDelta, f.Index[0])
	case "update_mode_delta":
		return bit(p.LoopFilter.UpdateModeDelta, f.Index[0])
	case "delta_q_y_dc.delta_q":
		return int64(p.Quantization.DeltaQYDc), true
	case "delta_q_uv_dc.delta_q":
		return int64(p.Quantization.DeltaQUVDc), true
	case "delta_q_uv_ac.delta_q":
		return int64(p.Quantization.DeltaQUVAc), true
	case "feature_enabled":
		return bit(p.Segmentation.FeatureEnabled[f.Index[0]], f.Index[1])
	case "feature_value":
		v := int64(p.Segmentation.FeatureData[f.Index[0]][f.Index[1]])
		return max(v, -v), true
	}
	key := avtest.TraceField{Name: strings.TrimSuffix(f.Name, ".prob"), Index: f.Index}
	v, ok := flat[key.Key()]
	return v, ok
}

// checkHeaders compares every syntax element of every uncompressed header with FFmpeg's
// reader of headers, and references and output with what they imply.
func checkHeaders(t *testing.T, path string) {
	units := avtest.TraceHeaders(t, path)
	units = slices.DeleteFunc(units, func(u avtest.TraceUnit) bool { return u.Name != "Frame" })
	d := NewDecoder()
	var check contract
	var kept [NumRefFrames]int
	var ids []bitstream.PictureID
	compared, next, shown := 0, 0, 0
	for n, data := range frames(t, path) {
		pics, err := d.Decode(data)
		if err != nil {
			t.Fatalf("unit %d: %v", n, err)
		}
		output := 0
		for i := range pics {
			p := &pics[i]
			if err := check.picture(p); err != nil {
				t.Fatalf("unit %d: %v", n, err)
			}
			if p.Corrupt || next >= len(units) {
				t.Fatalf("unit %d is corrupt, or FFmpeg has only %d headers", n, len(units))
			}
			u := &units[next]
			flat := avtest.Flatten(&p.Frame)
			end := -1
			for i := range u.Fields {
				f := &u.Fields[i]
				if f.Name == "zero_bit" && end < 0 {
					end = f.Bit
				}
				if withoutMeaning.MatchString(f.Name) {
					continue
				}
				v, ok := field(flat, &p.Frame, f)
				if !ok {
					t.Fatalf("no field stands for %s", f.Key())
				}
				if v != f.Value {
					t.Errorf("header %d: %s is %d, FFmpeg has %d", next, f.Key(), v, f.Value)
				}
				compared++
			}
			if p.Frame.HeaderBits != end && (end >= 0 || p.Frame.HeaderBits&7 != 0) {
				t.Errorf("header %d ends at bit %d, FFmpeg's at %d", next, p.Frame.HeaderBits, end)
			}
			next++
			output += len(p.Output)
			if p.Existing {
				at, _ := u.Get("frame_to_show_map_idx")
				if p.Output[0].ID != ids[kept[at]] {
					t.Errorf("unit %d shows %d, want %d", n, p.Output[0].ID, ids[kept[at]])
				}
				continue
			}
			for i, k := range p.RefIndex {
				for j := range u.Fields {
					if f := &u.Fields[j]; f.Name == "ref_frame_idx" && f.Index[0] == i && (k < 0 || p.Refs[k].ID != ids[kept[f.Value]]) {
						t.Errorf("unit %d: reference %d is %d, want frame %d", n, i, k, kept[f.Value])
					}
				}
			}
			refresh, ok := u.Get("refresh_frame_flags")
			for i := range kept {
				if !ok || refresh>>i&1 != 0 {
					kept[i] = len(ids)
				}
			}
			ids = append(ids, p.ID)
		}
		if output != 1 {
			t.Errorf("unit %d shows %d pictures", n, output)
		}
		shown += output
	}
	if next != len(units) || compared == 0 {
		t.Errorf("%d headers, FFmpeg has %d", next, len(units))
	}
	t.Logf("%d headers, %d elements, %d shown", next, compared, shown)
}

func TestAgainstFFmpeg(t *testing.T) {
	for _, name := range clips {
		t.Run(name, func(t *testing.T) { checkHeaders(t, clip(name)) })
	}
	for _, name := range []string{"bear-vp9-odd-dimensions.webm", "roadtrip-vp92-10bit.webm"} {
		t.Run(name, func(t *testing.T) { checkHeaders(t, avtest.Remux(t, filepath.Join(avtest.Media(t), name), "ivf")) })
	}
}
