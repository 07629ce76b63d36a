package rt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// RealtimeKit's names on the system bus.
const (
	kitService = "org.freedesktop.RealtimeKit1"
	kitPath    = "/org/freedesktop/RealtimeKit1"
)

// kitTime is how long a real-time thread may run without sleeping before the kernel warns
// and then ends the process; RealtimeKit refuses threads of processes without such a limit.
const kitTime = 200 * time.Millisecond

// realtimeKit asks RealtimeKit to make the calling thread, which is locked, a real-time
// thread, and returns the priority that it got.
func realtimeKit(priority int) (int, error) { return askRealtimeKit(priority, unix.Setrlimit) }

// askRealtimeKit is realtimeKit with the call that sets limits.
// Source: RealtimeKit's README; org.freedesktop.RealtimeKit1.xml.
func askRealtimeKit(priority int, set setLimit) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return 0, fmt.Errorf("no system bus: %w", err)
	}
	defer bus.Close()
	kit := bus.Object(kitService, kitPath)
	if v, err := kit.GetProperty(kitService + ".MaxRealtimePriority"); err != nil {
		return 0, fmt.Errorf("not there: %w", err)
	} else if most, ok := v.Value().(int32); ok && most > 0 {
		priority = min(priority, int(most))
	}
	restore, err := limitRealtime(set)
	if err != nil {
		return 0, err
	}
	if err := kit.CallWithContext(ctx, kitService+".MakeThreadRealtime", 0, uint64(unix.Gettid()), uint32(priority)).Err; err != nil {
		restore()
		return 0, fmt.Errorf("refused: %w", err)
	}
	return priority, nil
}

// setLimit is setrlimit.
type setLimit func(resource int, l *unix.Rlimit) error

// limitRealtime bounds the time that a real-time thread of this process may keep a
// processor, as RealtimeKit demands, which looks at the hard limit. Restore takes that back
// where the process may raise hard limits (CAP_SYS_RESOURCE); elsewhere the limit stays, and
// means nothing to a process without real-time threads.
// Source: verify_process_rttime in rtkit-daemon.c.
func limitRealtime(set setLimit) (restore func(), err error) {
	const want = uint64(kitTime / time.Microsecond)
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_RTTIME, &l); err != nil {
		return nil, fmt.Errorf("limit of real-time threads: %w", err)
	}
	if l.Max <= want {
		return func() {}, nil
	}
	if err := set(unix.RLIMIT_RTTIME, &unix.Rlimit{Cur: min(want, l.Cur), Max: want}); err != nil {
		return nil, errors.Join(errors.New("limit of real-time threads"), err)
	}
	return func() { _ = set(unix.RLIMIT_RTTIME, &l) }, nil
}
