package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
)

// TestBenchReceive measures every way once: all packets are accounted for, and scanout's
// own ways allocate nothing a packet.
func TestBenchReceive(t *testing.T) {
	exe, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range receiveWays() {
		for _, p := range receivePatterns[2:] {
			// A machine that stands still loses packets, and what the runtime allocates then
			// stands against few.
			avtest.Try(t, func() error {
				m, err := receiveOnce(t.Context(), exe, &w, 50_000, 100*time.Millisecond, p.args)
				if errors.Is(err, media.ErrNotSupported) {
					return nil
				}
				if err != nil {
					return fmt.Errorf("%s, %s: %w", w.name, p.name, err)
				}
				// 4,500 packets are measured, unless some were lost.
				if n := uint64(len(m.late)); m.lost == 0 && n < 4000 || m.cpu <= 0 || m.syscalls <= 0 {
					return fmt.Errorf("%s, %s: %d packets, %d lost, %v µs, %v calls", w.name, p.name, n, m.lost, m.cpu, m.syscalls)
				}
				// What the runtime allocates beside it does not count.
				if strings.HasPrefix(w.name, "scanout") && m.allocs > 0.05 {
					return fmt.Errorf("%s, %s: %v allocations a packet", w.name, p.name, m.allocs)
				}
				return nil
			})
		}
	}
}

func TestBenchSendBadFlags(t *testing.T) {
	for _, args := range [][]string{{"--rate", "0"}, {"--size", "8"}, {"--size", "9000"}, {"--frames", "-1"}} {
		r := command{args: append([]string{"bench-send", "127.0.0.1:9"}, args...)}.run(t)
		if r.code != exitUsage {
			t.Errorf("%q: exit code %d: %s", args, r.code, r.err)
		}
	}
}
