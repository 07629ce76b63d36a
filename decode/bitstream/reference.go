package bitstream

import "github.com/scanout-av/scanout/media"

// Referred tells from a stream's access units which pictures others refer to: a decoder that
// is too slow may leave out the rest. It knows H.264 and H.265; pictures of other codecs
// count as referred to.
//
// Source: ITU-T H.264, 7.4.1 (nal_ref_idc); ITU-T H.265, 7.4.2.2 (sub-layer non-reference
// pictures).
// Concurrency: one goroutine.
type Referred struct {
	framing Framing
	codec   media.Codec
	highest byte // temporal layer seen, plus one
}

// NewReferred returns a Referred for a stream of that codec ("h264", "hevc") with the
// container's configuration (avcC, hvcC), which is empty or Annex B for a byte stream.
func NewReferred(codec media.Codec, extra []byte) Referred {
	r := Referred{codec: codec}
	switch {
	case len(extra) == 0 || extra[0] == 0: // a byte stream
	case codec == "h264" && len(extra) > 4:
		r.framing.LengthSize = int(extra[4]&3) + 1
	case codec == "hevc" && len(extra) > 21:
		r.framing.LengthSize = int(extra[21]&3) + 1
	default:
		r.codec = ""
	}
	return r
}

// Remembers reports whether what Look says of a unit depends on the units before it: if not,
// those that nobody asks about need not be looked at.
func (r *Referred) Remembers() bool { return r.codec == "hevc" }

// Look reports whether other pictures may refer to the picture of a unit. It must see every
// unit of the stream where it remembers.
func (r *Referred) Look(unit []byte) bool {
	if r.codec != "h264" && r.codec != "hevc" {
		return true
	}
	slices := false
	for pos := 0; ; {
		n, ok, err := r.framing.Next(unit, pos)
		if err != nil {
			return true
		}
		if !ok {
			return !slices // without any it is no picture, and not ours to leave out
		}
		pos = n.After()
		h := unit[n.Begin]
		if r.codec == "h264" {
			// The slices of a picture agree, the two fields of a unit need not.
			if t := h & 31; t >= 1 && t <= 5 {
				if slices = true; h>>5&3 != 0 {
					return true
				}
			}
			continue
		}
		if t := h >> 1 & 63; t < 32 && n.Len() > 1 {
			layer := unit[n.Begin+1] & 7
			r.highest = max(r.highest, layer)
			// Pictures of a higher layer may refer to one that its own does not.
			return t > 14 || t&1 == 1 || layer < r.highest
		}
	}
}
