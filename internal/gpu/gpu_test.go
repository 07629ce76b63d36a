package gpu

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/internal/dl"
	"github.com/scanout-av/scanout/internal/vk"
	"github.com/scanout-av/scanout/media"
)

// open opens the device that SCANOUT_DEVICE names, a CPU device by default, with the
// validation layer where there is one.
func open(t *testing.T, validate bool) *Device {
	t.Helper()
	in, err := NewInstance(InstanceConfig{Validation: validate})
	if err != nil {
		in, err = NewInstance(InstanceConfig{})
	}
	if err != nil {
		t.Skipf("needs Vulkan: %v", err)
	}
	want := os.Getenv("SCANOUT_DEVICE")
	if want == "" {
		want = "llvmpipe"
	}
	d, err := in.Open(Config{Device: want})
	if err != nil {
		in.Close()
		t.Skipf("needs a Vulkan device: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		for _, m := range in.Messages() {
			t.Errorf("validation: %s", m)
		}
		in.Close()
	})
	return d
}

func TestProbe(t *testing.T) {
	infos, err := Probe()
	if errors.Is(err, media.ErrNotSupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		if i.Name == "" || i.Type == "" || i.Usable != (len(i.Missing) == 0) {
			t.Errorf("incomplete: %+v", i)
		}
		t.Logf("%+v", i)
	}
}

func TestPick(t *testing.T) {
	ps := []*physical{
		{Info: Info{Index: 1, Name: "Big GPU", Usable: true}},
		{Info: Info{Index: 0, Name: "llvmpipe", Usable: true}},
		{Info: Info{Index: 2, Name: "Old GPU", Missing: []string{"Vulkan 1.3"}}},
	}
	for want, index := range map[string]int{"": 1, "0": 0, "1": 1, "LLVM": 0, "big": 1} {
		p, err := pick(ps, want)
		if err != nil || p.Index != index {
			t.Errorf("%q: got %v, %v; want device %d", want, p, err, index)
		}
	}
	for want, text := range map[string]string{"7": "0: llvmpipe", "matrox": "Big GPU", "old": "lacks Vulkan 1.3"} {
		if _, err := pick(ps, want); !errors.Is(err, media.ErrNotSupported) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v does not say %q", want, err, text)
		}
	}
}

func TestValidationMessagesAreCollected(t *testing.T) {
	in, err := NewInstance(InstanceConfig{Validation: true})
	if err != nil {
		t.Skip(err)
	}
	defer in.Close()
	d, err := in.Open(Config{})
	if err != nil {
		t.Skip(err)
	}
	b, err := d.NewBuffer(256, 0, Local) // no usage: an error
	if err == nil {
		d.FreeBuffer(b)
	}
	d.Close()
	if len(in.Messages()) == 0 {
		t.Error("a buffer without usage gave no message")
	}
}

func TestTimeline(t *testing.T) {
	// Validation layers of 2023 lose track of values that the host signals.
	d := open(t, false)
	tl, err := d.NewTimeline()
	if err != nil {
		t.Fatal(err)
	}
	defer tl.Close()
	c := new(dl.Caller)
	if err := tl.Wait(c, 1, 0); err != media.ErrAgain {
		t.Errorf("wait for work that was never submitted: %v", err)
	}
	s := &vk.SemaphoreSignalInfo{SType: vk.STypeSemaphoreSignalInfo, Semaphore: tl.Handle, Value: 3}
	if err := d.Commands.SignalSemaphore(c, d.Handle, s).Err(); err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(100, func() {
		s.Value++
		d.Commands.SignalSemaphore(c, d.Handle, s)
		if err := tl.Wait(c, s.Value, -1); err != nil {
			t.Fatal(err)
		}
		if ok, err := tl.Done(c, s.Value+1); ok || err != nil {
			t.Fatal(ok, err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestImport(t *testing.T) {
	d := open(t, true)
	if !d.HostImport {
		t.Skip("needs VK_EXT_external_memory_host")
	}
	raw := make([]byte, 5*int(d.HostImportAlign))
	start := 0
	for ; uint64(dl.Addr(&raw[start]))%d.HostImportAlign != 0; start++ {
	}
	mem := raw[start : start+int(2*d.HostImportAlign)]
	if _, err := d.ImportBuffer(mem[:100], vk.BUFFER_USAGE_TRANSFER_SRC_BIT); !errors.Is(err, media.ErrNotSupported) {
		t.Errorf("import of an odd size: %v", err)
	}
	b, err := d.ImportBuffer(mem, vk.BUFFER_USAGE_TRANSFER_SRC_BIT)
	if err != nil {
		t.Fatal(err)
	}
	d.FreeBuffer(b)
}

// TestManyInstances opens and closes Vulkan again and again, as a program does that makes
// thumbnails: drivers that are unloaded and loaded again may not survive that.
func TestManyInstances(t *testing.T) {
	for i := range 100 {
		in, err := NewInstance(InstanceConfig{})
		if err != nil {
			if i == 0 {
				t.Skipf("needs Vulkan: %v", err)
			}
			t.Fatalf("instance %d: %v", i+1, err)
		}
		in.Close()
	}
}
