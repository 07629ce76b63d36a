package media

import (
	"strings"
	"testing"
)

func TestPresentModeNames(t *testing.T) {
	for m := PresentModeAuto; m < numPresentModes; m++ {
		if got, err := ParsePresentMode(m.String()); err != nil || got != m {
			t.Errorf("%v parses as %v: %v", m, got, err)
		}
	}
	if got, err := ParsePresentMode(""); err != nil || got != PresentModeAuto {
		t.Errorf("the empty name is %v: %v", got, err)
	}
	for _, name := range []string{"vsync", "FIFO", "unknown", "auto "} {
		if _, err := ParsePresentMode(name); err == nil || !strings.Contains(err.Error(), "mailbox") {
			t.Errorf("%q: the error must name the choices: %v", name, err)
		}
	}
}

func TestPresentFlagsString(t *testing.T) {
	for f, want := range map[PresentFlags]string{0: "none", PresentVsync: "vsync",
		PresentVsync | PresentZeroCopy: "vsync, zero copy", 0xff: "vsync, hardware clock, hardware completion, zero copy"} {
		if got := f.String(); got != want {
			t.Errorf("%08b: %q, want %q", f, got, want)
		}
	}
}
