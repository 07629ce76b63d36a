package rt

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
	"golang.org/x/sys/unix"
)

// kit stands on a real bus in RealtimeKit's place and says what it was asked.
type kit struct {
	asked  chan [2]uint64
	refuse atomic.Bool
}

// MakeThreadRealtime is the method of that name.
func (k *kit) MakeThreadRealtime(thread uint64, priority uint32) *dbus.Error {
	k.asked <- [2]uint64{thread, uint64(priority)}
	if k.refuse.Load() {
		return dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"not you"})
	}
	return nil
}

// bus starts a message bus for the test and makes it this process's system bus.
func bus(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("needs dbus-daemon (Debian: apt install dbus-daemon)")
	}
	cmd := exec.Command(path, "--session", "--nofork", "--print-address=1", "--address=unix:path="+filepath.Join(t.TempDir(), "bus"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon: %v", err)
	}
	address := strings.TrimSpace(line)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
	return address
}

func TestRealtimeKit(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_RTTIME, &before); err != nil {
		t.Fatal(err)
	}
	const most = uint64(kitTime / time.Microsecond)
	if before.Max <= most {
		t.Skip("needs a process whose real-time threads are not limited already: ulimit -R")
	}
	// What this process may lower it may not raise again: the limits stay as they are, but for
	// the soft one, which is not what RealtimeKit looks at.
	soft := unix.Rlimit{Cur: most, Max: before.Max}
	if err := unix.Setrlimit(unix.RLIMIT_RTTIME, &soft); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_RTTIME, &before) }()
	var limits []unix.Rlimit
	realtimeKit := func(priority int) (int, error) {
		limits = nil
		return askRealtimeKit(priority, func(_ int, l *unix.Rlimit) error {
			limits = append(limits, *l)
			return nil
		})
	}
	address := bus(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := realtimeKit(10); err == nil {
		t.Error("a bus without RealtimeKit gives priority")
	}
	if len(limits) > 0 {
		t.Errorf("nobody to ask, and the limits are %+v", limits)
	}
	c, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	k := &kit{asked: make(chan [2]uint64, 2)}
	if err := c.Export(k, kitPath, kitService); err != nil {
		t.Fatal(err)
	}
	if _, err := prop.Export(c, kitPath, prop.Map{kitService: {"MaxRealtimePriority": {Value: int32(20)}}}); err != nil {
		t.Fatal(err)
	}
	if r, err := c.RequestName(kitService, dbus.NameFlagDoNotQueue); err != nil || r != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(r, err)
	}
	for _, want := range []struct{ ask, get int }{{10, 10}, {50, 20}} {
		got, err := realtimeKit(want.ask)
		if err != nil || got != want.get {
			t.Errorf("asked for %d, got %d: %v", want.ask, got, err)
		}
		if a := <-k.asked; a != [2]uint64{uint64(unix.Gettid()), uint64(want.get)} {
			t.Errorf("it was asked for %v, want thread %d and %d", a, unix.Gettid(), want.get)
		}
		if !slices.Equal(limits, []unix.Rlimit{{Cur: most, Max: most}}) {
			t.Errorf("limits %+v", limits)
		}
	}
	k.refuse.Store(true)
	if _, err := realtimeKit(10); err == nil || !strings.Contains(err.Error(), "not you") {
		t.Errorf("refused: %v", err)
	}
	if !slices.Equal(limits, []unix.Rlimit{{Cur: most, Max: most}, soft}) {
		t.Errorf("refused: limits %+v, at the end want %+v again", limits, soft)
	}
}
