package avtest

import (
	"fmt"
	"net"
	"testing"
)

func TestPorts(t *testing.T) {
	first, second := Ports(t, 2), Ports(t, 8)
	if first%2 != 0 || second%2 != 0 || first == second {
		t.Errorf("%d and %d", first, second)
	}
	for port := second; port < second+8; port++ {
		c, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := Bound(port, nil); err != nil {
			t.Error(err)
		}
		if free(port, 1) {
			t.Errorf("port %d is taken for free", port)
		}
	}
	stop := make(chan struct{})
	close(stop)
	if err := Bound(first, stop); err == nil {
		t.Error("a port is bound that nobody bound")
	}
}

// TestBoundIn: who sends to a port has not bound it.
func TestBoundIn(t *testing.T) {
	const table = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  100: 0100007F:C350 0100007F:4E20 01 00000000:00000000 00:00000000 00000000     0        0 12345 2 0000000000000000 0
  101: 00000000000000000000000001000000:4E22 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12346 2 0000000000000000 0
`
	for port, want := range map[int]bool{50000: true, 20000: false, 20002: true, 20003: false} {
		if boundIn([]byte(table), port) != want {
			t.Errorf("port %d is bound: %v", port, !want)
		}
	}
}
