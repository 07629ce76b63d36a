package main

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"github.com/scanout-av/scanout/clock"
	egress "github.com/scanout-av/scanout/egress/rtp"
)

// liveSender sends pictures as RTP, each at once, and what is asked for again.
type liveSender struct {
	conn *net.UDPConn
	ssrc uint32
	ts   uint32
	pay  codecs.H264Payloader

	seq   uint16
	again *egress.Retransmitter
	done  chan struct{}
}

func newLiveSender(to netip.AddrPort, ssrc uint32) (*liveSender, error) {
	c, err := net.DialUDP("udp4", nil, liveAddress(to))
	if err != nil {
		return nil, err
	}
	s := &liveSender{conn: c, ssrc: ssrc * 0x1234567, ts: ssrc * 0xdeadbeef, seq: uint16(ssrc * 40000), done: make(chan struct{})}
	s.again = egress.NewRetransmitter(s.ssrc, 1500)
	go s.answer()
	return s, nil
}

// picture sends a picture's NAL units.
func (s *liveSender) picture(nals [][]byte, n int) error {
	var payloads [][]byte
	for _, nal := range nals {
		payloads = append(payloads, s.pay.Payload(1200, nal)...)
	}
	for i, p := range payloads {
		packet := rtp.Packet{Header: rtp.Header{Version: 2, Marker: i == len(payloads)-1, PayloadType: 96, SequenceNumber: s.seq,
			Timestamp: s.ts + uint32(n)*90000/liveRate, SSRC: s.ssrc}, Payload: p}
		b, err := packet.Marshal()
		if err != nil {
			return err
		}
		s.again.Keep(clock.Now(), b)
		s.seq++
		if _, err := s.conn.Write(b); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
	}
	return nil
}

// answer sends again what receivers ask for.
func (s *liveSender) answer() {
	defer close(s.done)
	b := make([]byte, 2048)
	for {
		n, err := s.conn.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // refused: nobody listens yet
		}
		_ = s.again.Answer(clock.Now(), b[:n], func(packet []byte) error {
			_, _ = s.conn.Write(packet) // what is lost again is asked for again
			return nil
		})
	}
}

func (s *liveSender) close() {
	s.conn.Close()
	<-s.done
}
