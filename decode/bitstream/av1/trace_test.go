package av1

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/internal/avtest"
)

// clips are streams of a few kilobytes, made of a moving test picture: film grain and
// alternate references shown later (libaom), 10 bits and a hierarchy (SVT-AV1), 2x2 tiles,
// error resilience and segments (libaom), superres (SVT-AV1), references of another size
// (SVT-AV1), switch frames (rav1e), loop restoration and quantizer deltas (libaom), one
// plane with block copies and quantizer matrices (libaom), and a still picture.
var clips = []string{"grain", "tenbit", "tiles", "superres", "resize", "switch", "restoration", "mono", "still"}

func clip(name string) string { return filepath.Join("testdata", name+".obu") }

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// temporalUnits cuts a raw stream.
func temporalUnits(t testing.TB, data []byte) (units [][]byte) {
	t.Helper()
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, len(data)+1)
	sc.Split(NewSplitter().Split)
	for sc.Scan() {
		units = append(units, bytes.Clone(sc.Bytes()))
	}
	if sc.Err() != nil {
		t.Fatal(sc.Err())
	}
	return units
}

// withoutMeaning are syntax elements that no field stands for.
var withoutMeaning = regexp.MustCompile(`^(trailing_.*|zero_bit|.*\.delta_coded|subexp_.*|gm_params|is_global|is_rot_zoom|is_translation|` +
	`tile_start_and_end_present_flag|tg_start|tg_end|tile_.*_minus_1|lr_unit_extra_shift)$`)

var otherNames = map[string]string{
	"goldenframeidx": "goldframeidx",
}

var restoration = [4]uint8{0: RestoreNone, 1: RestoreSwitchable, 2: RestoreWiener, 3: RestoreSgrproj}

// field returns what our structs say of a syntax element.
func field(flat map[string]int64, p *Frame, f *avtest.TraceField) (int64, bool) {
	bit := func(v uint8, i int) (int64, bool) { return int64(v >> i & 1), true }
	if p != nil {
		switch f.Name {
		case "force_integer_mv":
			if p.Intra() { // which makes it 1 behind what was read
				return f.Value, p.ForceIntegerMv
			}
		case "feature_enabled":
			return bit(p.Segmentation.FeatureEnabled[f.Index[0]], f.Index[1])
		case "feature_value":
			return int64(p.Segmentation.FeatureData[f.Index[0]][f.Index[1]]), true
		case "update_ref_delta":
			return bit(p.LoopFilter.UpdateRefDelta, f.Index[0])
		case "update_mode_delta":
			return bit(p.LoopFilter.UpdateModeDelta, f.Index[0])
		case "lr_type":
			return int64(slices.Index(restoration[:], p.LoopRestoration.FrameRestorationType[f.Index[0]])), true
		case "delta_q_y_dc.delta_q":
			return int64(p.Quantization.DeltaQYDc), true
		case "delta_q_u_dc.delta_q":
			return int64(p.Quantization.DeltaQUDc), true
		case "delta_q_u_ac.delta_q":
			return int64(p.Quantization.DeltaQUAc), true
		case "delta_q_v_dc.delta_q":
			return int64(p.Quantization.DeltaQVDc), true
		case "delta_q_v_ac.delta_q":
			return int64(p.Quantization.DeltaQVAc), true
		}
	}
	key := f.Key()
	if v, ok := flat[key]; ok {
		return v, true
	}
	v, ok := flat[otherNames[key]]
	return v, ok
}

// model follows the kept frames by what FFmpeg reads in the headers: the number of a frame
// in decoding order by its place.
type model struct {
	kept [NumRefFrames]int
	n    int
}

// check compares a picture's references and output with the model. ids are our numbers of
// pictures in decoding order.
func (m *model) check(t *testing.T, u *avtest.TraceUnit, p *Picture, ids []bitstream.PictureID) {
	t.Helper()
	get := func(name string, otherwise int64) int64 {
		if v, ok := u.Get(name); ok {
			return v
		}
		return otherwise
	}
	if get("show_existing_frame", 0) != 0 {
		n := m.kept[get("frame_to_show_map_idx", 0)]
		if len(p.Output) != 1 || p.Output[0].ID != ids[n] {
			t.Errorf("shows %+v, want %d", p.Output, ids[n])
		}
		if p.Frame.FrameType == KeyFrame {
			for i := range m.kept {
				m.kept[i] = n
			}
		}
		return
	}
	kind, shown := get("frame_type", int64(KeyFrame)), get("show_frame", 1)
	if kind == int64(InterFrame) || kind == int64(SwitchFrame) {
		for i := range RefsPerFrame {
			f := avtest.TraceField{Name: "ref_frame_idx", Index: []int{i}}
			at := int64(p.Frame.RefFrameIdx[i])
			for k := range u.Fields {
				if u.Fields[k].Key() == f.Key() {
					at = u.Fields[k].Value
				}
			}
			if k := p.RefIndex[i]; k < 0 || p.Refs[k].ID != ids[m.kept[at]] {
				t.Errorf("frame %d, reference %d is %d, want frame %d", m.n, i, k, m.kept[at])
			}
		}
	}
	if shown != int64(len(p.Output)) || shown != 0 && p.Output[0].ID != p.ID {
		t.Errorf("frame %d shows %+v, show_frame is %d", m.n, p.Output, shown)
	}
	refresh := get("refresh_frame_flags", 0xff)
	for i := range m.kept {
		if refresh>>i&1 != 0 {
			m.kept[i] = m.n
		}
	}
	m.n++
}

// ends is where what fills up the last byte begins, −1 when there is nothing.
func ends(u *avtest.TraceUnit) int {
	for i := range u.Fields {
		if f := &u.Fields[i]; f.Name == "zero_bit" || f.Name == "trailing_one_bit" {
			return f.Bit
		}
	}
	return -1
}

// checkHeaders compares every syntax element of every sequence and frame header with
// FFmpeg's reader of headers, and references and output with what they imply.
func checkHeaders(t *testing.T, path string) {
	units := avtest.TraceHeaders(t, path)
	units = slices.DeleteFunc(units, func(u avtest.TraceUnit) bool { return u.Name != "Sequence Header" && u.Name != "Frame Header" })
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var check contract
	var m model
	var ids []bitstream.PictureID
	compared, next := 0, 0
	compare := func(u *avtest.TraceUnit, flat map[string]int64, p *Frame) {
		for i := range u.Fields {
			f := &u.Fields[i]
			if withoutMeaning.MatchString(f.Name) {
				continue
			}
			v, ok := field(flat, p, f)
			if !ok {
				t.Fatalf("%s: no field stands for %s", u.Name, f.Key())
			}
			if v != f.Value {
				t.Errorf("%s %d: %s is %d, FFmpeg has %d", u.Name, next, f.Key(), v, f.Value)
			}
			compared++
		}
	}
	shown, tus := 0, temporalUnits(t, read(t, path))
	for n, tu := range tus {
		pics, err := d.Decode(tu)
		if err != nil {
			t.Fatalf("unit %d: %v", n, err)
		}
		output := 0
		for pos := 0; ; { // the headers of sequences
			o, ok, err := NextOBU(tu, pos)
			if err != nil || !ok {
				break
			}
			pos = o.End
			if o.Type != OBUSequenceHeader {
				continue
			}
			flat := avtest.Flatten(d.Sequence())
			for i := range d.Sequence().OperatingPoints {
				for k, v := range avtest.Flatten(&d.Sequence().OperatingPoints[i]) {
					flat[(&avtest.TraceField{Name: k, Index: []int{i}}).Key()] = v
				}
			}
			compare(&units[next], flat, nil)
			next++
		}
		for i := range pics {
			p := &pics[i]
			if err := check.picture(p); err != nil {
				t.Fatalf("unit %d: %v", n, err)
			}
			if p.Corrupt {
				t.Errorf("unit %d is corrupt", n)
			}
			if next >= len(units) {
				t.Fatalf("FFmpeg has only %d headers", next)
			}
			u := &units[next]
			compare(u, avtest.Flatten(&p.Frame), &p.Frame)
			end := (p.Header-p.HeaderOBU)*8 + p.Frame.HeaderBits
			if want := ends(u); end != want && (want >= 0 || end&7 != 0) {
				t.Errorf("header %d ends at bit %d, FFmpeg's at %d", next, end, want)
			}
			next++
			if !p.Existing {
				ids = append(ids, p.ID)
			}
			m.check(t, u, p, ids)
			output += len(p.Output)
		}
		if output != 1 {
			t.Errorf("unit %d shows %d pictures", n, output)
		}
		shown += output
	}
	if next != len(units) || compared == 0 || shown != len(tus) {
		t.Errorf("%d headers, FFmpeg has %d; %d elements compared; %d of %d shown", next, len(units), compared, shown, len(tus))
	}
	t.Logf("%d headers, %d elements, %d shown", next, compared, shown)
}

// TestAgainstFFmpeg takes all clips as one stream, whose sequences change, and a file of
// the shared media.
func TestAgainstFFmpeg(t *testing.T) {
	t.Run("clips", func(t *testing.T) {
		var all []byte
		for _, name := range clips {
			all = append(all, read(t, clip(name))...)
		}
		path := filepath.Join(t.TempDir(), "all.obu")
		if err := os.WriteFile(path, all, 0o600); err != nil {
			t.Fatal(err)
		}
		checkHeaders(t, path)
	})
	t.Run("sample_av1.mp4", func(t *testing.T) {
		checkHeaders(t, avtest.Remux(t, filepath.Join(avtest.Media(t), "sample_av1.mp4"), "obu"))
	})
}
