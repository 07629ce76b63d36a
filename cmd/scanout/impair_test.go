package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/impair"
)

func TestImpairArguments(t *testing.T) {
	route := []string{"impair", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:9"}
	for _, args := range [][]string{
		{"impair"}, {"impair", "--listen", ":1"}, {"impair", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:9"},
		append(route, "--loss", "5x"), append(route, "--corrupt", "101%"), append(route, "--rate", "fast"), append(route, "--partition", "3s"),
		append(route, "--back", "colour=red"), append(route, "--ports", "0"), append(route, "--burst", "-1"), append(route, "--delay", "-1s"),
		append(route, "--to", "nowhere"),
	} {
		var out, errs bytes.Buffer
		code := run(args, environment{ctx: context.Background(), out: &out, err: &errs})
		if code != exitUsage || !strings.HasPrefix(errs.String(), "scanout: ") {
			t.Errorf("%q: exit code %d, %s", args, code, errs.String())
		}
	}
	c := impairCommand{Listen: []string{":5004"}, To: []string{"h:6004"}, Ports: 2, Loss: "5%", Burst: 20, Delay: time.Second, Jitter: time.Minute,
		Reorder: "1%", ReorderBy: 3, Duplicate: "2%", Corrupt: "3%", Rate: "8M", Queue: 4, Partition: []string{"1s+2s"}, Seed: 5, Back: "loss=6%"}
	cfg, err := c.config()
	f := cfg.Forward
	if err != nil || cfg.Routes[0] != (impair.Route{Listen: ":5004", To: "h:6004", Ports: 2}) || cfg.Back.Loss != 0.06 ||
		f.Loss != 0.05 || f.Burst != 20 || f.Delay != time.Second || f.Jitter != time.Minute || f.Reorder != 0.01 || f.ReorderBy != 3 ||
		f.Duplicate != 0.02 || f.Corrupt != 0.03 || f.Rate != 8_000_000 || f.Queue != 4 || f.Seed != 5 || len(f.Partitions) != 1 {
		t.Errorf("%+v, %v", cfg, err)
	}
}

// TestImpair passes packets through the command and reads its summary.
func TestImpair(t *testing.T) {
	b, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.SetDeadline(time.Now().Add(time.Minute))
	ctx, cancel := context.WithCancel(t.Context())
	said, says := io.Pipe()
	var out bytes.Buffer
	done := make(chan int)
	go func() {
		code := run([]string{"impair", "--listen", "127.0.0.1:0", "--to", b.LocalAddr().String(), "--duplicate", "100%", "--delay", "5ms", "--seed", "1"},
			environment{ctx: ctx, out: &out, err: says})
		says.Close()
		done <- code
	}()
	lines := bufio.NewScanner(said)
	lines.Scan()
	_, at, ok := strings.Cut(lines.Text(), "listening at ")
	if !ok {
		t.Fatalf("said %q", lines.Text())
	}
	go func() { // what else it says
		for lines.Scan() {
		}
	}()
	a, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for range 10 {
		a.Write([]byte("packet"))
	}
	buf := make([]byte, 100)
	for range 20 {
		if _, _, err := b.ReadFrom(buf); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if code := <-done; code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	want := "there  10 packets came, 20 went on, 10 doubled\nback   0 packets came, 0 went on\n"
	if out.String() != want {
		t.Errorf("said %q\nwant %q", out.String(), want)
	}
}
