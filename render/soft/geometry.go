package soft

import "github.com/scanout-av/scanout/media"

// rect is a rectangle of target pixels.
type rect struct{ x, y, w, h int }

// fit returns where a picture of w×h square pixels lies in a target of tw×th: as large
// as possible, in the middle.
func fit(w, h, tw, th int) rect {
	// An absurd sample aspect ratio must not overflow the products.
	for w > 1<<30 || h > 1<<30 {
		w, h = max(1, w>>1), max(1, h>>1)
	}
	dw, dh := tw, th
	// w/h against tw/th without dividing.
	switch l, r := int64(w)*int64(th), int64(tw)*int64(h); {
	case l > r:
		dh = max(1, int((int64(h)*int64(tw)+int64(w)/2)/int64(w)))
	case l < r:
		dw = max(1, int((int64(w)*int64(th)+int64(h)/2)/int64(h)))
	}
	return rect{(tw - dw) / 2, (th - dh) / 2, dw, dh}
}

// turn is an orientation as the steps that the drawing loops know: reverse rows, reverse
// their order, and write rows as columns.
type turn struct {
	revX, revY bool // of the decoded picture
	transpose  bool
}

func turnOf(o media.Orientation) turn {
	t := turn{
		revX:      o.Rotation == 180 || o.Rotation == 270,
		revY:      o.Rotation == 90 || o.Rotation == 180,
		transpose: o.Swaps(),
	}
	t.revX = t.revX != o.Mirror
	return t
}

// axis maps the pixels of a scaled row (or column) to samples of the decoded one: the
// sample's index << 8 | the weight of the next one, in 1/256.
type axis []uint32

// build fills a for dst pixels from src samples starting at first.
func (a axis) build(filter Filter, src, first int, reverse bool) {
	dst := int64(len(a))
	for i := range dst {
		var v int64
		switch filter {
		case FilterNone:
			v = (int64(first) + i) << 8
		case FilterNearest:
			v = (2*i + 1) * int64(src) / (2 * dst) << 8
		default:
			// Pixel centres lie at halves.
			v = ((2*i+1)*int64(src)*256+dst)/(2*dst) - 128
			v = min(max(v, 0), int64(src-1)<<8)
		}
		if reverse {
			a[dst-1-i] = uint32(v)
		} else {
			a[i] = uint32(v)
		}
	}
}

// pass is what has to be done along an axis.
type pass uint8

const (
	passCopy   pass = iota // every pixel is its sample
	passPick               // every pixel is some sample
	passInterp             // pixels lie between samples
)

func (a axis) pass(src int) pass {
	p := passCopy
	if len(a) != src {
		p = passPick
	}
	for i, v := range a {
		if v&0xff != 0 {
			return passInterp
		}
		if int(v>>8) != i {
			p = passPick
		}
	}
	return p
}
