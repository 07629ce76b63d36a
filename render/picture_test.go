package render

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/scanout-av/scanout/media"
)

// TestPictures draws colour bars, an arrow and a fine checker through letterboxes and
// turns, for looking at: SCANOUT_TEST_OUT names a folder for them.
func TestPictures(t *testing.T) {
	dir := os.Getenv("SCANOUT_TEST_OUT")
	if dir == "" {
		t.Skip("needs SCANOUT_TEST_OUT, a folder to write pictures to")
	}
	p := newPool(t, 4, 1<<20)
	o := offscreen(t, Config{Pool: p, Width: 400, Height: 300})
	for name, or := range map[string]media.Orientation{"upright": {}, "90": {Rotation: 90}, "mirror270": {Rotation: 270, Mirror: true}} {
		f := newFrame(t, p, media.I420, 320, 180, 1)
		f.Orientation = or
		bars(f)
		if err := o.Present(&media.Scheduled{Frame: f}); err != nil {
			t.Fatal(err)
		}
		w, h := o.Size()
		m := newRGBA(w, h)
		if err := o.ReadRGBA(m); err != nil {
			t.Fatal(err)
		}
		save(t, filepath.Join(dir, name+".png"), m)
	}
}

// bars draws 75 % bars of BT.601 with a white arrow that points up, left of the middle.
func bars(f *media.Frame) {
	colors := [8][3]byte{{180, 128, 128}, {162, 44, 142}, {131, 156, 44}, {112, 72, 58}, {84, 184, 198}, {65, 100, 212}, {35, 212, 114}, {16, 128, 128}}
	for y := range f.Height {
		for x := range f.Width {
			c := colors[x*8/f.Width]
			ax, ay := x-f.Width/4, y-f.Height/4
			if ay >= 0 && (ay < 40 && max(ax, -ax) <= ay || ay < 100 && max(ax, -ax) < 12) {
				c = [3]byte{235, 128, 128}
			}
			f.Planes[0].Data[y*f.Planes[0].Stride+x] = c[0]
			f.Planes[1].Data[y/2*f.Planes[1].Stride+x/2] = c[1]
			f.Planes[2].Data[y/2*f.Planes[2].Stride+x/2] = c[2]
		}
	}
}
