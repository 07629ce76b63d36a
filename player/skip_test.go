package player

import (
	"slices"
	"testing"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/media"
)

// recordingDecoder notes the timestamps of what it is sent and decodes nothing.
type recordingDecoder struct{ sent []media.Timestamp }

func (d *recordingDecoder) Send(au *media.AccessUnit) error {
	d.sent = append(d.sent, au.PTS)
	return nil
}
func (d *recordingDecoder) Receive() (*media.Frame, error) { return nil, media.ErrAgain }
func (d *recordingDecoder) Flush(uint32)                   {}
func (d *recordingDecoder) Close() error                   { return nil }

// TestSkipsToTheKeyframe: once a unit was left out because it was too old, nothing up to the
// next keyframe is decoded, however young: it would be shown with pieces of old pictures.
func TestSkipsToTheKeyframe(t *testing.T) {
	old, young := clock.Now().Add(-time.Hour), clock.Now().Add(time.Hour)
	for _, c := range []struct {
		name  string
		units string // k, K: a keyframe, p, P: none; small letters are old
		want  []media.Timestamp
		drops int64
	}{
		{"all in time", "KPPKPP", []media.Timestamp{0, 1, 2, 3, 4, 5}, 0},
		{"old, and a keyframe behind", "KppKP", []media.Timestamp{0, 3, 4}, 2},
		{"young ones between", "KpPPKP", []media.Timestamp{0, 4, 5}, 3},
		{"no keyframe behind", "Kppp", []media.Timestamp{0, 1, 2, 3}, 0},
		{"an old keyframe before another", "KpPkPPKP", []media.Timestamp{0, 6, 7}, 5},
		{"an old keyframe, the last", "KpPkPP", []media.Timestamp{0, 3, 4, 5}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &recordingDecoder{}
			p := &Player{vdec: d, info: &media.Info{Live: true, LocalTime: true}, video: &media.Stream{}, maxLatency: 250 * time.Millisecond}
			if err := p.makeRings(); err != nil {
				t.Fatal(err)
			}
			v := newVideoStage(p)
			var units []packet
			for i, u := range c.units {
				pk := packet{au: media.AccessUnit{PTS: media.Timestamp(i), Key: u == 'k' || u == 'K', Received: young}}
				if u >= 'a' {
					pk.au.Received = old
				}
				if pk.au.Key {
					p.keys.Add(1)
				}
				units = append(units, pk)
			}
			for _, v.pk = range units {
				if !v.decode() {
					t.Fatal("the stage ends")
				}
			}
			if n := p.stats.drops[media.DropLive].Load(); !slices.Equal(d.sent, c.want) || n != c.drops {
				t.Errorf("decoded %v and dropped %d, want %v and %d", d.sent, n, c.want, c.drops)
			}
			if n := p.keys.Load(); n != 0 {
				t.Errorf("%d keyframes are still counted", n)
			}
		})
	}
}

// TestLeavesOutWhatNobodyNeeds: a live source's pictures that no other refers to are left out
// when decoding is behind; not for what has waited while the decoder was being opened.
func TestLeavesOutWhatNobodyNeeds(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name   string
		opened time.Duration // from the first unit's reception to its decoding
		decode time.Duration // of each
		full   time.Duration // that the frame ring is at the eighth unit
		left   bool
	}{
		{"a quick decoder, opened slowly", 500 * ms, ms, 0, false},
		{"a quick decoder, opened with the first unit", -500 * ms, ms, 0, false},
		{"a display that is opened slowly", 0, ms, 500 * ms, false},
		{"a decoder as fast as the source", 0, 10 * ms, 0, false},
		{"a slow decoder", 0, 12 * ms, 0, true},
	} {
		p := &Player{vdec: &recordingDecoder{}, info: &media.Info{Live: true, LocalTime: true}, video: &media.Stream{Codec: "h264"}, maxLatency: 250 * ms}
		if err := p.makeRings(); err != nil {
			t.Fatal(err)
		}
		v := newVideoStage(p)
		first := media.Instant(time.Hour)
		const units = 500
		now, left := first.Add(max(c.opened, 0)), 0
		for i := range units {
			received := first.Add(time.Duration(i) * 10 * ms) // units of 100 fps
			now = max(now, received)
			v.pk = packet{au: media.AccessUnit{Data: []byte{0, 0, 1, 1, 0x80}, Received: received}}
			if i == 1 { // the first one was taken
				v.opened, v.began = 1, now
			}
			v.room.begin(received, now)
			if v.leaveOut(now) {
				left++
			} else {
				if now = now.Add(c.decode); i == 0 && c.opened < 0 {
					now = now.Add(-c.opened)
				}
				if i == 7 && c.full > 0 {
					v.room.full(now)
					now = now.Add(c.full)
				}
			}
		}
		if left > 0 != c.left {
			t.Errorf("%s: %d of %d left out", c.name, left, units)
		}
	}
}
