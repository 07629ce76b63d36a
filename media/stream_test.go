package media

import "testing"

func TestInfoBest(t *testing.T) {
	v := func(index, w, h int, def, cover bool) Stream {
		return Stream{Index: index, Kind: KindVideo, Width: w, Height: h, Default: def, CoverArt: cover}
	}
	for _, c := range []struct {
		name    string
		streams []Stream
		kind    Kind
		want    int // index, −1 for none
	}{
		{"none", nil, KindVideo, -1},
		{"other kind", []Stream{{Kind: KindAudio}}, KindVideo, -1},
		{"largest", []Stream{v(0, 640, 360, false, false), v(1, 1920, 1080, false, false)}, KindVideo, 1},
		{"first of equals", []Stream{v(0, 640, 360, false, false), v(1, 640, 360, false, false)}, KindVideo, 0},
		{"default before size", []Stream{v(0, 16384, 16384, false, false), v(1, 16, 16, true, false)}, KindVideo, 1},
		{"cover art last", []Stream{v(0, 16384, 16384, true, true), v(1, 16, 16, false, false)}, KindVideo, 1},
		{"only cover art", []Stream{v(3, 500, 500, false, true)}, KindVideo, 3},
		{"channels", []Stream{{Index: 0, Kind: KindAudio, Channels: 2}, {Index: 1, Kind: KindAudio, Channels: 6}}, KindAudio, 1},
		{"default audio", []Stream{{Index: 0, Kind: KindAudio, Channels: 2, Default: true}, {Index: 1, Kind: KindAudio, Channels: 6}}, KindAudio, 0},
	} {
		in := Info{Streams: c.streams}
		got := in.Best(c.kind)
		switch {
		case got == nil && c.want != -1, got != nil && got.Index != c.want:
			t.Errorf("%s: %+v, want stream %d", c.name, got, c.want)
		case got != nil:
			got.Profile = "seen"
			if in.Streams[0].Profile != "seen" && in.Streams[len(in.Streams)-1].Profile != "seen" {
				t.Errorf("%s: a copy instead of the stream itself", c.name)
			}
		}
	}
}

func TestKindString(t *testing.T) {
	for k, want := range map[Kind]string{KindOther: "other", KindVideo: "video", KindAudio: "audio", KindSubtitle: "subtitle", 99: "other"} {
		if k.String() != want {
			t.Errorf("kind %d is %q, want %q", k, k, want)
		}
	}
}

func TestPresentSourceString(t *testing.T) {
	seen := map[string]bool{}
	for p := PresentUnknown; p <= PresentImmediate; p++ {
		if s := p.String(); s == "" || seen[s] {
			t.Errorf("source %d is %q", p, s)
		} else {
			seen[s] = true
		}
	}
	if s := PresentSource(99).String(); s != "unknown" {
		t.Errorf("source 99 is %q", s)
	}
}

func TestDropReasonString(t *testing.T) {
	seen := map[string]bool{}
	for r := range NumDropReasons {
		if seen[r.String()] {
			t.Errorf("two reasons are called %q", r)
		}
		seen[r.String()] = true
	}
	if DropReason(99).String() != "none" {
		t.Error("a reason out of range has a name")
	}
}

func TestEstimated(t *testing.T) {
	for s, want := range map[PresentSource]bool{PresentUnknown: true, PresentTiming: false, PresentWait: false, PresentGoogle: false,
		PresentWayland: false, PresentX11: false, PresentFence: true, PresentSimulated: false, PresentImmediate: false} {
		if s.Estimated() != want {
			t.Errorf("%v: estimated %v, want %v", s, s.Estimated(), want)
		}
	}
}

func TestVariableDisplay(t *testing.T) {
	if (&Display{Refresh: 16}).Variable() || !(&Display{Refresh: 7, Slowest: 21}).Variable() {
		t.Error("which display has a variable refresh is mixed up")
	}
}
