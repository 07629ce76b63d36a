package pattern

import "testing"

func TestLayoutStaysInside(t *testing.T) {
	check := func(w, h int) {
		l := newLayout(w, h)
		l.step = 2
		rects := []rect{l.bars75, l.bars100, l.ramp, l.hue, l.middle, l.zone, l.flash, l.timecode, l.number, l.track, l.code,
			l.label[0], l.label[1], l.bar(0), l.bar(1 << 40), l.cell(0), l.cell(codeCols*codeRows - 1)}
		rects = append(rects, l.gratings[:]...)
		for i, r := range rects {
			if r.x < 0 || r.y < 0 || r.w < 0 || r.h < 0 || r.x+r.w > w || r.y+r.h > h {
				t.Fatalf("%dx%d: part %d is %+v", w, h, i, r)
			}
		}
		if l.flash.empty() || l.cell(0).empty() || l.bar(0).empty() || l.bars75.empty() {
			t.Fatalf("%dx%d: a part is missing: %+v", w, h, l)
		}
		for n := range int64(50) {
			if b := l.bar(n); b.x+b.w > l.track.x+l.track.w || b.x < l.track.x {
				t.Fatalf("%dx%d: the bar leaves its track in frame %d", w, h, n)
			}
		}
	}
	for w := MinSize; w < 260; w += 3 {
		for h := MinSize; h < 260; h += 5 {
			check(w, h)
		}
	}
	for _, s := range [][2]int{{MaxSize, MinSize}, {MinSize, MaxSize}, {MaxSize, MaxSize}, {1920, 1080}, {3840, 2160}, {4096, 100}} {
		check(s[0], s[1])
	}
}
