package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestProbe(t *testing.T) {
	t.Parallel()
	dir := mediaDir(t)
	for _, c := range []struct {
		name    string
		streams []string // kind, codec, size or rate
	}{
		{"sample.mp4", []string{"video h264 1080x720", "audio aac 44100"}},
		{"hlg10-color-test.mp4", nil},
		{"sample_with_srt.mkv", nil},
		{"BA_MW_D.264", []string{"video h264 176x144"}},
	} {
		r := command{args: []string{"probe", "--json", filepath.Join(dir, c.name)}}.run(t)
		var p probeReport
		if err := json.Unmarshal([]byte(r.out), &p); err != nil || r.code != exitOK || r.err != "" {
			t.Errorf("%s: %v, code %d, %s", c.name, err, r.code, r.err)
			continue
		}
		checkFields(t, r.out, []string{"media", "format", "duration_s", "start_s", "live", "seekable", "streams"})
		if p.Live || len(p.Streams) == 0 || p.Format == "" {
			t.Errorf("%s: %+v", c.name, p)
		}
		for i, want := range c.streams {
			s := p.Streams[i]
			f := strings.Fields(want)
			size := ""
			if s.Kind == "video" {
				size = strings.Join([]string{itoa(s.Width), itoa(s.Height)}, "x")
			} else {
				size = itoa(s.Rate)
			}
			if s.Kind != f[0] || s.Codec != f[1] || size != f[2] {
				t.Errorf("%s: stream %d is %s %s %s, want %s", c.name, i, s.Kind, s.Codec, size, want)
			}
		}
		text := command{args: []string{"probe", filepath.Join(dir, c.name)}}.run(t)
		if text.code != exitOK || !strings.Contains(text.out, p.Streams[0].Codec) {
			t.Errorf("%s: code %d, %q", c.name, text.code, text.out)
		}
	}
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	all := command{args: []string{"doctor", "--json"}}
	without := all.with("SCANOUT_FFMPEG=/no-such-folder", "VK_DRIVER_FILES=/no-such-file", "VK_ICD_FILENAMES=/no-such-file")
	for name, c := range map[string]command{"as it is": all, "with nothing": without} {
		r := c.run(t)
		var f []finding
		if err := json.Unmarshal([]byte(r.out), &f); err != nil || r.code != exitOK {
			t.Fatalf("%s: %v, code %d, %s", name, err, r.code, r.err)
		}
		areas := map[string]int{}
		lacking := 0
		for _, x := range f {
			areas[x.Area]++
			if x.Area == "" || x.Name == "" || x.Detail == "" || !slices.Contains([]status{present, limited, missing}, x.Status) {
				t.Errorf("%s: %+v is incomplete", name, x)
			}
			if x.Status == missing && x.Cost == "" {
				t.Errorf("%s: %s is missing and does not say what that costs", name, x.Name)
			}
			if x.Status == missing && x.Get != "" {
				lacking++
			}
		}
		if len(areas) < 4 {
			t.Errorf("%s: areas %v", name, areas)
		}
		if name == "with nothing" && lacking < 2 {
			t.Errorf("%d missing things say how to get them, want FFmpeg and a display at least", lacking)
		}
	}
	if r := (command{args: []string{"doctor"}}).run(t); r.code != exitOK || !strings.Contains(r.out, "FFmpeg") {
		t.Errorf("code %d: %s", r.code, r.out)
	}
}

func TestBench(t *testing.T) {
	t.Parallel()
	list := command{args: []string{"bench", "--list"}}.run(t)
	for _, name := range []string{"queue", "ffi", "upload", "scheduler"} {
		if !strings.Contains(list.out, name+" ") {
			t.Errorf("bench --list does not name %s: %s", name, list.out)
		}
	}
	r := command{args: []string{"bench", "queue", "ffi", "--json", "--duration", "100ms"}}.run(t)
	var b struct {
		Machine, Date, Version string
		Benchmarks             []benchTable
	}
	if err := json.Unmarshal([]byte(r.out), &b); err != nil || r.code != exitOK {
		t.Fatalf("%v, code %d, %s", err, r.code, r.err)
	}
	if b.Machine == "" || b.Date == "" || b.Version == "" || len(b.Benchmarks) != 2 || b.Benchmarks[0].Name != "queue" || b.Benchmarks[1].Name != "ffi" {
		t.Fatalf("%+v", b)
	}
	for _, table := range b.Benchmarks {
		if len(table.Rows) < 2 {
			t.Errorf("%s compares %d ways", table.Name, len(table.Rows))
		}
		for _, row := range table.Rows {
			if len(row) != len(table.Columns) {
				t.Errorf("%s: %d cells under %d columns", table.Name, len(row), len(table.Columns))
			}
		}
	}
	text := command{args: []string{"bench", "ffi", "--duration", "20ms"}}.run(t)
	if text.code != exitOK || !strings.Contains(text.out, b.Benchmarks[1].Columns[0]) {
		t.Errorf("code %d: %s%s", text.code, text.out, text.err)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if r := (command{args: []string{"version"}}).run(t); r.code != exitOK || !strings.HasPrefix(r.out, "scanout ") || !strings.Contains(r.out, "go1.") {
		t.Errorf("code %d: %q", r.code, r.out)
	}
	if r := (command{args: []string{"--help"}}).run(t); r.code != exitOK || !strings.Contains(r.out, "play") {
		t.Errorf("code %d: %q", r.code, r.out)
	}
}
