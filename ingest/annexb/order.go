package annexb

import (
	"errors"
	"io"

	"github.com/scanout-av/scanout/decode/bitstream"
	"github.com/scanout-av/scanout/decode/bitstream/h264"
	"github.com/scanout-av/scanout/decode/bitstream/h265"
	"github.com/scanout-av/scanout/media"
)

// maxAhead is how many units are read ahead at most to find out when one is shown: more than
// the largest decoded picture buffer holds back.
const maxAhead = 64

// order finds the place of units in output order, which takes all of decoding but the
// samples.
type order struct {
	dec   decoder
	ahead []ahead // in decoding order
	ended bool
	out   []bitstream.Output // memory for those of a unit
	next  int64              // place of the next picture that is put out
}

// ahead is a unit that has been read.
type ahead struct {
	au    media.AccessUnit
	id    bitstream.PictureID
	known bool // its place, or that it has none
}

// decoder is what the two codecs have in common.
type decoder interface {
	// decode returns the picture of a unit and appends what is put out with it to dst; ok is
	// false when there is none.
	decode(unit []byte, dst []bitstream.Output) (id bitstream.PictureID, ok bool, out []bitstream.Output)
	flush() []bitstream.Output
	reset()
}

// read returns the next unit, with its timestamp.
func (o *order) read(s *Source, au *media.AccessUnit) error {
	for len(o.ahead) == 0 || !o.ahead[0].known && !o.ended && len(o.ahead) < maxAhead {
		if o.ended {
			return io.EOF
		}
		var next media.AccessUnit
		if err := s.read(&next); errors.Is(err, io.EOF) {
			o.put(o.dec.flush())
			o.ended = true
			continue
		} else if err != nil {
			return err
		}
		next.PTS = media.NoTimestamp
		id, ok, out := o.dec.decode(next.Data, o.out[:0])
		o.ahead = append(o.ahead, ahead{next, id, !ok})
		o.put(out)
		o.out = out
	}
	*au = o.ahead[0].au
	o.ahead = append(o.ahead[:0], o.ahead[1:]...)
	return nil
}

// put gives the pictures that are put out their places.
func (o *order) put(out []bitstream.Output) {
	for _, p := range out {
		for i := range o.ahead {
			if a := &o.ahead[i]; a.id == p.ID && !a.known {
				a.au.PTS, a.known = media.Timestamp(o.next), true
			}
		}
		o.next++
	}
}

// restart forgets everything and goes on with unit number.
func (o *order) restart(number int64) {
	for i := range o.ahead {
		o.ahead[i].au.Release()
	}
	o.ahead, o.ended, o.next = o.ahead[:0], false, number
	o.dec.reset()
}

// newOrder returns nil for codecs whose units are in output order.
func newOrder(c media.Codec) (*order, error) {
	switch c {
	case "h264":
		d, err := h264.NewDecoder(h264.Config{})
		return &order{dec: avcOrder{d}}, err
	case "hevc":
		d, err := h265.NewDecoder(h265.Config{})
		return &order{dec: hevcOrder{d}}, err
	}
	return nil, nil
}

type avcOrder struct{ d *h264.Decoder }

func (o avcOrder) flush() []bitstream.Output { return o.d.Flush() }
func (o avcOrder) reset()                    { o.d.Reset() }

func (o avcOrder) decode(unit []byte, out []bitstream.Output) (bitstream.PictureID, bool, []bitstream.Output) {
	var id bitstream.PictureID
	ok := false
	pics, _ := o.d.Decode(unit) // damage is for whoever decodes
	for i := range pics {
		out = append(out, pics[i].Output...)
		if !pics[i].NonExisting {
			id, ok = pics[i].ID, true
		}
	}
	return id, ok, out
}

type hevcOrder struct{ d *h265.Decoder }

func (o hevcOrder) flush() []bitstream.Output { return o.d.Flush() }
func (o hevcOrder) reset()                    { o.d.Reset() }

func (o hevcOrder) decode(unit []byte, out []bitstream.Output) (bitstream.PictureID, bool, []bitstream.Output) {
	var id bitstream.PictureID
	ok := false
	pics, _ := o.d.Decode(unit)
	for i := range pics {
		out = append(out, pics[i].Output...)
		id, ok = pics[i].ID, true
	}
	return id, ok, out
}
