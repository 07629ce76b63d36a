package player_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
	"github.com/scanout-av/scanout/trace"
)

// TestTrace plays with a seek in the middle and reads the trace: every frame that was shown
// is in it, with its stamps in order, and every one that was not, with its reason.
func TestTrace(t *testing.T) {
	var b bytes.Buffer
	var p *player.Player
	reported := 0
	cfg := player.Config{Media: "pattern:size=64x64,rate=60,beep=off,duration=10s", Output: player.OutputNull, Refresh: 60, Frames: 60, Trace: &b,
		OnPresent: func(s *media.Scheduled) {
			if s.Number == 30 {
				if err := p.Seek(5e9); err != nil {
					t.Error(err)
				}
			}
		},
		OnPresented: func(*media.Presented) { reported++ }}
	p = open(t, cfg)
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := closed(t, p)
	events, err := trace.Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	var shown int
	var drops [media.NumDropReasons]int64
	last := uint64(0)
	for _, e := range events {
		if e.Reason != media.DropNone {
			drops[e.Reason]++
			if e.At == 0 {
				t.Errorf("dropped at no time: %+v", e)
			}
			continue
		}
		shown++
		if e.Number != last+1 {
			t.Errorf("frame %d follows frame %d", e.Number, last)
		}
		last = e.Number
		if e.Decoded == 0 || e.Submitted < e.Decoded || e.Actual < e.Submitted || e.Due == 0 || e.Source != media.PresentSimulated {
			t.Errorf("stamps are missing or out of order: %+v", e)
		}
	}
	if shown != reported || shown == 0 {
		t.Errorf("%d frames shown in the trace, %d reported", shown, reported)
	}
	if drops != s.Drops {
		t.Errorf("drops %v in the trace, %v counted", drops, s.Drops)
	}
}
