package framepool

import (
	"testing"
	"unsafe"
)

func TestHugeModes(t *testing.T) {
	for _, mode := range []HugeMode{HugeOff, HugeTHP, HugeHugetlb} {
		p, err := New(Config{Slots: 3, SlotBytes: 1<<20 + 1, HugePages: mode})
		if err != nil {
			t.Fatalf("mode %d: %v", mode, err)
		}
		t.Logf("mode %d: %s, fd %d", mode, p.Stats().HugePages, p.FD())
		if p.Stats().HugePages == "" {
			t.Error("Stats does not say which pages")
		}
		m := p.Mapping()
		if uintptr(unsafe.Pointer(&m[0]))%PageBytes != 0 || len(m) < 3*p.SlotBytes() {
			t.Errorf("mapping of %d bytes at %p", len(m), &m[0])
		}
		if err := p.Prefault(); err != nil {
			t.Errorf("Prefault: %v", err)
		}
		for i := range int32(3) {
			d := p.SlotData(i)
			d[0], d[len(d)-1] = byte(i), byte(i)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
