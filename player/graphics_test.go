package player

import "testing"

// TestLostDeviceIsNotTakenAway: whoever has asked for the device and is about to use it may
// do so although another goroutine has opened a new one in its place meanwhile.
func TestLostDeviceIsNotTakenAway(t *testing.T) {
	var g Graphics
	c := graphicsConfig{}
	g.start(c)
	lost, err := g.device()
	if err != nil {
		_ = g.stop()
		t.Skipf("needs a Vulkan device (apt-get install mesa-vulkan-drivers): %v", err)
	}
	lost.MarkLost()
	again, err := g.reopen(lost, c)
	if err != nil || again == lost || again.Lost() {
		t.Errorf("reopened: %v, the same: %v", err, again == lost)
	}
	if other, err := g.reopen(lost, c); other != again || err != nil {
		t.Errorf("who comes second gets another device: %v", err)
	}
	if err := lost.Retain().Close(); err != nil {
		t.Error(err)
	}
	if err := g.stop(); err != nil {
		t.Error(err)
	}
	for name, dev := range map[string]interface{ Close() error }{"the lost": lost, "the new": again} {
		func() {
			defer func() { _ = recover() }()
			_ = dev.Close()
			t.Errorf("%s device is still open after the last player", name)
		}()
	}
}
