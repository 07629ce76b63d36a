package udp

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

// carrier returns an interface that carries multicast on this machine, and its address.
// Linux's loopback does for IPv4. It has no route for IPv6 groups; on other interfaces
// groups of scope 1 never leave the machine (RFC 4291, 2.7).
func carrier(t *testing.T, six bool) (name, address string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux, whose interfaces loop multicast back")
	}
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || six != (i.Flags&net.FlagLoopback == 0) || six && i.Flags&net.FlagMulticast == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is6() == six && !p.Addr().IsLinkLocalUnicast() {
				return i.Name, p.Addr().String()
			}
		}
	}
	t.Skip("needs an interface that carries multicast")
	return "", ""
}

func TestMulticast(t *testing.T) {
	eachPath(t, func(t *testing.T, p Path) {
		for _, tt := range []struct {
			group, other string
			source       bool
		}{
			{"239.77.7.1", "239.77.7.2", false},
			{"232.77.7.1", "232.77.7.2", true},
			{"[ff01::7:1]", "[ff01::7:2]", false},
			{"[ff31::7:1]", "[ff31::7:2]", true},
		} {
			t.Run(tt.group, func(t *testing.T) {
				ifi, own := carrier(t, strings.HasPrefix(tt.group, "["))
				address := tt.group + ":0"
				if tt.source {
					address = own + "@" + address
				}
				c, err := Listen(Config{Address: address, Interface: ifi, Receive: p})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				port := c.LocalAddr().Port()
				send := func(to, from, text string) {
					t.Helper()
					cfg := SendConfig{To: netip.AddrPortFrom(netip.MustParseAddr(strings.Trim(to, "[]")), port).String(), Interface: ifi}
					if from != "" {
						cfg.Local = net.JoinHostPort(from, "0")
					}
					s, err := NewSender(cfg)
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					if err := s.Send([]byte(text)); err != nil {
						t.Fatal(err)
					}
				}
				// Another socket joins the other group: this one must not hear it.
				o, err := Listen(Config{Address: tt.other + ":0", Interface: ifi, Receive: p})
				if err != nil {
					t.Fatal(err)
				}
				defer o.Close()
				send(tt.other, "", "other group")
				if own == "127.0.0.1" && tt.source {
					send(tt.group, "127.0.0.2", "other source")
				}
				send(tt.group, own, "for us")
				got := receiveN(t, c, 1)
				if string(got[0].Data) != "for us" || len(got) != 1 {
					t.Errorf("%q first, %d packets", got[0].Data, len(got))
				}
				for i := range got {
					c.Release(&got[i])
				}
				if n, err := c.Receive(make([]Packet, 1), rt.Now()+1e6); n != 0 || !errors.Is(err, media.ErrAgain) {
					t.Error(n, err)
				}
			})
		}
	})
}

// TestTwoOnOneGroup: both hear what is sent, as two players on one machine must.
func TestTwoOnOneGroup(t *testing.T) {
	lo, _ := carrier(t, false)
	a := listenOn(t, Config{Address: "239.77.7.3:0", Interface: lo})
	address := netip.AddrPortFrom(netip.MustParseAddr("239.77.7.3"), a.LocalAddr().Port()).String()
	b := listenOn(t, Config{Address: address, Interface: lo})
	s, err := NewSender(SendConfig{To: address, Interface: lo})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send([]byte("all")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Conn{a, b} {
		got := receiveN(t, c, 1)[0]
		if string(got.Data) != "all" {
			t.Errorf("%q", got.Data)
		}
		c.Release(&got)
	}
}
