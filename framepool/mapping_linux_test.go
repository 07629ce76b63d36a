package framepool

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The mapping and its descriptor must go away with the last slot, and not before.
func TestUnmapsAtLastReturn(t *testing.T) {
	mapped := func() int {
		b, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skip("needs /proc: ", err)
		}
		return strings.Count(string(b), "memfd:scanout-frames")
	}
	before := mapped()
	p, err := New(Config{Slots: 2, SlotBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	fd := p.FD()
	f := mustGet(t, p)
	if p.Close() == nil {
		t.Error("Close reported no leak")
	}
	if mapped() != before+1 {
		t.Error("unmapped under a reader")
	}
	f.Release()
	if n := mapped(); n != before {
		t.Errorf("%d mappings left, %d before", n, before)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != unix.EBADF {
		t.Errorf("the descriptor is still open: %v", err)
	}
}

func TestDescriptorIsTheMemory(t *testing.T) {
	p := newPool(t, 2, 1)
	p.SlotData(1)[5] = 42
	var b [1]byte
	if _, err := unix.Pread(p.FD(), b[:], PageBytes+5); err != nil || b[0] != 42 {
		t.Errorf("read %d, %v", b[0], err)
	}
}
