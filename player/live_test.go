package player_test

import (
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// TestLivePattern plays the live pattern by each policy: whatever the machine's load, every
// frame that was not shown has its reason, nothing waits, and what is shown is no older
// than the policy allows where there was something newer.
func TestLivePattern(t *testing.T) {
	for _, c := range []struct {
		latency player.Latency
		most    time.Duration
		policy  string
	}{
		{player.LatencyFreshest, 0, "freshest"},
		{player.LatencyBalanced, 0, "balanced"},
		{player.LatencyAuto, 50 * time.Millisecond, "balanced"},
		{player.LatencySmooth, 0, "smooth"},
	} {
		for _, output := range []player.Output{player.OutputNull, player.OutputOffscreen} {
			t.Run(c.policy+" "+string(output), func(t *testing.T) {
				t.Parallel()
				reported := int64(0)
				s := play(t, player.Config{Media: "pattern:size=64x64,rate=60,duration=1500ms,live=1,beep=off", Output: output, Renderer: player.RendererCPU,
					Refresh: 60, Latency: c.latency, MaxLatency: c.most, OnPresented: func(*media.Presented) { reported++ }})
				t.Logf("to submit %+v; visible %+v; delay %v, drops %v", s.ToSubmit, s.Age, s.Delay, s.Drops)
				if s.Policy != c.policy {
					t.Errorf("policy %q", s.Policy)
				}
				sum := int64(0)
				for _, n := range s.Drops {
					sum += n
				}
				if s.Presented+sum != s.Decoded || s.Presented == 0 {
					t.Errorf("%d decoded, %d shown, %d dropped with a reason: %v", s.Decoded, s.Presented, sum, s.Drops)
				}
				if s.ToSubmit.Count != reported || s.Age.Count != reported {
					t.Errorf("%d frames reported, %d and %d have a latency", reported, s.ToSubmit.Count, s.Age.Count)
				}
				if s.Drops[media.DropLate] > 0 && c.policy == "freshest" {
					t.Errorf("the freshest frame was dropped for being late: %v", s.Drops)
				}
			})
		}
	}
}

// TestLiveSound plays the live pattern with its sound, on an audio output that only keeps
// time: sound begins, and keeps its depth.
func TestLiveSound(t *testing.T) {
	for _, latency := range []player.Latency{player.LatencyFreshest, player.LatencyBalanced} {
		s := play(t, player.Config{Media: "pattern:size=64x64,rate=60,duration=1500ms,live=1", Output: player.OutputNull, Refresh: 60,
			Latency: latency, Audio: player.AudioNull})
		t.Logf("A/V %+v; visible %+v; underruns %d, skipped %d", s.AVOffset, s.Age, s.AudioUnderruns, s.SoundSkipped)
		if s.AVOffset.Count == 0 || s.Presented == 0 {
			t.Errorf("%s: %d shown, %d of them against the sound", latency, s.Presented, s.AVOffset.Count)
		}
	}
}
