package main

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// liveSender sends pictures as RTP, each at once, and what is asked for again.
type liveSender struct {
	conn *net.UDPConn
	ssrc uint32
	ts   uint32
	pay  codecs.H264Payloader

	mu   sync.Mutex
	seq  uint16
	kept [1024][]byte // by sequence number
	done chan struct{}
}

func newLiveSender(to netip.AddrPort, ssrc uint32) (*liveSender, error) {
	c, err := net.DialUDP("udp4", nil, liveAddress(to))
	if err != nil {
		return nil, err
	}
	s := &liveSender{conn: c, ssrc: ssrc * 0x1234567, ts: ssrc * 0xdeadbeef, seq: uint16(ssrc * 40000), done: make(chan struct{})}
	go s.answer()
	return s, nil
}

// picture sends a picture's NAL units.
func (s *liveSender) picture(nals [][]byte, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
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
		s.kept[int(s.seq)%len(s.kept)] = b
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
		packets, err := rtcp.Unmarshal(b[:n])
		if err != nil {
			continue
		}
		for _, p := range packets {
			if nack, ok := p.(*rtcp.TransportLayerNack); ok {
				s.again(nack)
			}
		}
	}
}

func (s *liveSender) again(nack *rtcp.TransportLayerNack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range nack.Nacks {
		for _, seq := range nack.Nacks[i].PacketList() {
			if b := s.kept[int(seq)%len(s.kept)]; b != nil && s.seq-seq <= uint16(len(s.kept)) {
				_, _ = s.conn.Write(b) // what is lost again is asked for again
			}
		}
	}
}

func (s *liveSender) close() {
	s.conn.Close()
	<-s.done
}
