package pattern

// layout says where what lies in a picture of a given size. It depends on the size alone,
// so that readers of captured pictures can compute it, too.
type layout struct {
	w, h             int
	edge             int // width of the outline
	bars75, bars100  rect
	ramp, hue        rect
	middle           rect // background of zone, gratings, flash and text
	zone             rect
	gratings         [4]rect
	flash            rect
	timecode, number rect // scale×(6×7) per character, left aligned
	textScale        int
	track            rect
	barW, step       int
	code             rect // the band; cells lie centred in it
	cellX, cellY     int
	cellW, cellH     int
	label            [2]rect
	labelScale       int
}

// even rounds down: coloured rectangles own whole chroma samples.
func even(n int) int { return n &^ 1 }

func newLayout(w, h int) layout {
	l := layout{w: w, h: h}
	if w >= 128 && h >= 96 {
		l.edge = 2
	}
	l.cellW, l.cellH = max(1, w/32), max(1, h/36)
	codeY := even(h - codeRows*l.cellH - l.edge)
	l.code = rect{0, codeY, w, h - codeY}
	l.cellX = (w - codeCols*l.cellW) / 2
	l.cellY = codeY + (h-codeY-l.edge-codeRows*l.cellH)/2

	// What is left is shared in 36ths: bars 12, 100 % bars 3, ramp 3, hue sweep 2,
	// middle 11, track 2.
	at := func(n int) int { return even(codeY * n / 33) }
	row := func(from, to int) rect { return rect{0, at(from), w, at(to) - at(from)} }
	l.bars75, l.bars100, l.ramp, l.hue = row(0, 12), row(12, 15), row(15, 18), row(18, 20)
	l.middle, l.track = row(20, 31), rect{0, at(31), w, codeY - at(31)}
	if h < 64 {
		// Too low for all of it: give the rows to what tests read.
		l.bars100, l.hue = rect{}, rect{}
		l.bars75, l.ramp = row(0, 12), row(12, 16)
		l.middle, l.track = row(16, 28), rect{0, at(28), w, codeY - at(28)}
	}
	l.track.x, l.track.w = l.edge, even(w-2*l.edge)
	l.barW = max(2, even(w/64))
	l.placeMiddle()

	side := rect{l.edge, codeY, l.cellX - l.edge, h - codeY - l.edge}
	if s := min(side.w/(6*labelColumns+2), side.h/(9*labelLines+1)); s >= 1 {
		l.labelScale = s
		tw, th := s*6*labelColumns, s*9*labelLines
		for i := range l.label {
			x := []int{0, w - l.cellX}[i] + (l.cellX-tw)/2
			l.label[i] = rect{x, codeY + (h-codeY-th)/2, tw, th}
		}
	}
	return l
}

func (l *layout) placeMiddle() {
	m := l.middle
	margin := even(m.h / 16)
	side := even(min(m.h-2*margin, l.w/4))
	side = max(side, min(even(m.h), 2))
	l.flash = rect{even((l.w - side) / 2), m.y + even((m.h-side)/2), side, side}

	// Left of the flash: the zone plate, then gratings.
	gap := max(2, even(l.w/48))
	left := rect{gap, l.flash.y, l.flash.x - 2*gap, side}
	if z := even(min(side, left.w*6/10)); z >= 16 {
		l.zone = rect{left.x, left.y + even((side-z)/2), z, z}
		x := even(l.zone.x + z + gap)
		gw, gh := even((left.x+left.w-x-2)/2), even((z-2)/2)
		if gw >= 8 && gh >= 8 {
			for i := range l.gratings {
				l.gratings[i] = rect{x + i%2*(gw+2), l.zone.y + i/2*(gh+2), gw, gh}
			}
		}
	}

	// Right of it: timecode over frame number.
	x := l.flash.x + side + gap
	l.textScale = min((l.w-gap-x)/(6*timecodeLen), side/20)
	if s := l.textScale; s >= 1 {
		y := l.flash.y + (side-18*s)/2
		l.timecode = rect{x, y, 6 * s * timecodeLen, 7 * s}
		l.number = rect{x, y + 11*s, 6 * s * numberLen, 7 * s}
	}
}

// bar returns where the moving bar is in frame n: step further each frame.
func (l *layout) bar(n int64) rect {
	steps := int64(max(1, (l.track.w-l.barW)/l.step))
	return rect{l.track.x + int(n%steps)*l.step, l.track.y, l.barW, l.track.h}
}

// cell returns cell i of the block code.
func (l *layout) cell(i int) rect {
	return rect{l.cellX + i%codeCols*l.cellW, l.cellY + i/codeCols*l.cellH, l.cellW, l.cellH}
}
