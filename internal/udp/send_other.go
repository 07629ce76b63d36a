//go:build !linux

package udp

import "net"

type rawSender struct{}

func (*rawSender) init(*net.UDPConn, bool) {}

func (*rawSender) send(s *Sender, datagrams [][]byte) error { return s.sendEach(datagrams) }
