package main

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
)

// nalLine is what a line of probe --nal --json is read as.
type nalLine struct {
	Unit int  `json:"unit"`
	End  bool `json:"end"`
	NAL  []struct {
		Offset, Size, Type int
		Name               string
		Header             map[string]any
		Lists              [][]int
		Error              string
	} `json:"nal"`
	Pictures []struct {
		ID      uint64
		Kind    string
		POC     int
		Slot    int
		Refs    []struct{ POC int }
		Output  []struct{ ID uint64 }
		Corrupt bool
	} `json:"pictures"`
	Output []struct{ ID uint64 } `json:"output"`
	Error  string
}

// TestProbeNAL reads raw streams and files and compares the order in which pictures are
// shown with FFmpeg's decoder.
func TestProbeNAL(t *testing.T) {
	t.Parallel()
	dir := mediaDir(t)
	raw, err := filepath.Abs("../../decode/bitstream/h264/testdata/pyramid.264")
	if err != nil {
		t.Fatal(err)
	}
	hevc, err := filepath.Abs("../../decode/bitstream/h265/testdata/opengop.265")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path     string
		pictures int
		units    []string // names that occur
		order    bool     // FFmpeg tells the order
	}{
		{raw, 12, []string{"AUD", "SPS", "PPS", "IDR slice", "slice"}, true},
		{hevc, 12, []string{"AUD", "VPS", "SPS", "PPS", "CRA", "RASL_N"}, false},
		{filepath.Join(dir, "sample.mp4"), 30, []string{"IDR slice", "slice"}, true},
		{filepath.Join(dir, "MR1_MW_A.264"), 150, []string{"SPS", "PPS", "IDR slice", "slice"}, true},
		{filepath.Join(dir, "sample_h264.ts"), 0, []string{"AUD", "SPS", "SEI"}, true},
	} {
		r := command{args: []string{"probe", "--nal", "--json", c.path}}.run(t)
		if r.code != exitOK || r.err != "" {
			t.Errorf("%s: code %d, %s", c.path, r.code, r.err)
			continue
		}
		names := map[string]bool{}
		number := map[uint64]int{}
		var order []int
		ended := false
		for line := range strings.Lines(r.out) {
			var l nalLine
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%s: %v in %s", c.path, err, line)
			}
			if l.Error != "" {
				t.Errorf("%s: unit %d: %s", c.path, l.Unit, l.Error)
			}
			for _, n := range l.NAL {
				names[n.Name] = true
				if n.Error != "" || n.Size <= 0 || strings.HasSuffix(n.Name, "slice") && n.Header["NalUnitType"] != float64(n.Type) {
					t.Errorf("%s: unit %d: %+v", c.path, l.Unit, n)
				}
			}
			for _, p := range l.Pictures {
				number[p.ID] = len(number)
				for _, o := range p.Output {
					order = append(order, number[o.ID])
				}
			}
			for _, o := range l.Output {
				order = append(order, number[o.ID])
			}
			ended = ended || l.End
		}
		if !ended || len(order) != len(number) || c.pictures > 0 && len(order) != c.pictures {
			t.Errorf("%s: ended %v, %d of %d pictures shown", c.path, ended, len(order), len(number))
		}
		for _, n := range c.units {
			if !names[n] {
				t.Errorf("%s: no unit %q among %v", c.path, n, names)
			}
		}
		if c.order {
			if want := avtest.OutputOrder(t, c.path); !slices.Equal(order, want) {
				t.Errorf("%s: shown %v, FFmpeg %v", c.path, order, want)
			}
		}
	}

	r := command{args: []string{"probe", "--nal", raw}}.run(t)
	for _, want := range []string{"access unit 0\n", "SPS (7), 34 bytes ProfileIdc=100", "picture 1: IDR, POC 0, slot 0 of 5, new sequence 64x64", " list0=[", ", shows "} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	// AV1: a picture is shown in each temporal unit, some of them later than decoded.
	clip, err := filepath.Abs("../../decode/bitstream/av1/testdata/grain.obu")
	if err != nil {
		t.Fatal(err)
	}
	r = command{args: []string{"probe", "--nal", "--json", clip}}.run(t)
	units, shown, existing := 0, 0, 0
	for line := range strings.Lines(r.out) {
		var l nalLine
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Error != "" {
			t.Fatalf("%v, %s", err, line)
		}
		if !l.End {
			units++
		}
		for _, p := range l.Pictures {
			shown += len(p.Output)
			if strings.HasPrefix(p.Kind, "existing") {
				existing++
			}
		}
	}
	if r.code != exitOK || units != 14 || shown != units || existing == 0 {
		t.Errorf("AV1: code %d, %d units, %d shown, %d of them decoded before: %s", r.code, units, shown, existing, r.err)
	}
	r = command{args: []string{"probe", "--nal", filepath.Join(dir, "sample_av1.mp4")}}.run(t)
	for _, want := range []string{"sequence header (1)", "frame (6)", "picture 1: key frame, POC 0, slot 0 of 9, new sequence 1080x720, 8 bit", "shows 1 (POC 0)"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%.2000s", want, r.out)
		}
	}
	r = command{args: []string{"probe", "--nal", filepath.Join(dir, "bear-vp9-odd-dimensions.webm")}}.run(t)
	for _, want := range []string{"frame (0)", "picture 1: key frame, POC 1, slot 0 of 9, new sequence 161x121, 8 bit, profile 0", "hidden inter frame", "shows 1 (POC 1)"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%.2000s", want, r.out)
		}
	}
	if _, err := newNALCodec("vp8", nil); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("VP8: %v", err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "no-such-file.mp4"): "check the path",
		filepath.Join(dir, "MANIFEST.tsv"):     "not a media file",
	} {
		r := command{args: []string{"probe", "--nal", path}}.run(t)
		if r.code != exitMedia || !strings.Contains(r.err, want) || r.out != "" {
			t.Errorf("%s: code %d, %s%s", path, r.code, r.out, r.err)
		}
	}
}
