package pattern

import (
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

var good = map[string]Config{
	"pattern:":                            {Beep: true, Color: media.ColorUnspecified},
	"pattern:size=1280x720,beep=off":      {Width: 1280, Height: 720, Color: media.ColorUnspecified},
	"pattern:rate=59.94":                  {Rate: media.Rational{Num: 60000, Den: 1001}, Beep: true, Color: media.ColorUnspecified},
	"pattern:rate=23.976":                 {Rate: media.Rational{Num: 24000, Den: 1001}, Beep: true, Color: media.ColorUnspecified},
	"pattern:rate=119.88":                 {Rate: media.Rational{Num: 120000, Den: 1001}, Beep: true, Color: media.ColorUnspecified},
	"pattern:rate=12.5,":                  {Rate: media.Rational{Num: 25, Den: 2}, Beep: true, Color: media.ColorUnspecified},
	"pattern:rate=50/2":                   {Rate: media.Rational{Num: 25, Den: 1}, Beep: true, Color: media.ColorUnspecified},
	"pattern:format=p010,range=full":      {Format: media.P010, Beep: true, Color: withRange(media.RangeFull)},
	"pattern:format=yuvj420p":             {Format: media.I420, Beep: true, Color: withRange(media.RangeFull)},
	"pattern:range=tv,format=yuv444p":     {Format: media.I444, Beep: true, Color: withRange(media.RangeLimited)},
	"pattern:duration=10s":                {Duration: 10 * time.Second, Beep: true, Color: media.ColorUnspecified},
	"pattern:duration=1.5":                {Duration: 1500 * time.Millisecond, Beep: true, Color: media.ColorUnspecified},
	"pattern:samplerate=44100,channels=1": {SampleRate: 44100, Channels: 1, Beep: true, Color: media.ColorUnspecified},
	"pattern:color=bt2020,chroma=topleft": {Beep: true, Color: media.Color{
		Primaries: media.PrimariesBT2020, Transfer: media.TransferBT709, Matrix: media.MatrixBT2020, Chroma: media.ChromaTopLeft}},
}

func withRange(r media.Range) media.Color {
	c := media.ColorUnspecified
	c.Range = r
	return c
}

var bad = map[string]string{
	"file.mp4":                       `begin with "pattern:"`,
	"pattern:size":                   "keys are size, rate",
	"pattern:sise=1x1":               "sise=1x1: no such key; keys are size, rate",
	"pattern:size=1920":              "WIDTHxHEIGHT",
	"pattern:size=15x16":             "width: want a whole number from 16",
	"pattern:size=16x99999999999999": "height: want a whole number",
	"pattern:rate=0":                 "as 60, 59.94",
	"pattern:rate=NaN":               "as 60, 59.94",
	"pattern:rate=1/0":               "as 60, 59.94",
	"pattern:rate=2000000000/1":      "rate",
	"pattern:format=rgba":            "want one of gray, gray10le, yuv420p",
	"pattern:color=red":              "want one of bt601",
	"pattern:range=wide":             "want limited or full",
	"pattern:chroma=here":            "want left, center",
	"pattern:duration=-1s":           "want a time",
	"pattern:duration=soon":          "want a time",
	"pattern:beep=maybe":             "want on or off",
	"pattern:samplerate=1":           "from 8000",
	"pattern:channels=0":             "from 1",
	"pattern:rate=25,rate=30":        "given twice",
}

func TestParseURL(t *testing.T) {
	for url, want := range good {
		got, err := ParseURL(url)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v\nwant %+v", url, got, err, want)
		}
	}
	for url, want := range bad {
		if _, err := ParseURL(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for url := range good {
		f.Add(url)
	}
	for url := range bad {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		c, err := ParseURL(url)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "pattern: ") {
				t.Errorf("%q: error %q", url, err)
			}
			return
		}
		again, err := ParseURL(c.URL())
		if err != nil || again != c {
			t.Errorf("%q became %q, which means %+v (%v), not %+v", url, c.URL(), again, err, c)
		}
		r, err := c.Resolve()
		if err != nil {
			t.Fatalf("%q: parsed but not resolved: %v", url, err)
		}
		newLayout(r.Width, r.Height)
	})
}
