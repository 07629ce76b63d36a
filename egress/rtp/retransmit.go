package rtp

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/pion/rtcp"

	"github.com/scanout-av/scanout/media"
)

const (
	// historyPackets, historyBytes and historyAge bound what is kept for sending it again:
	// as many packets as ingest/rtp waits with, and no longer than anybody waits.
	historyPackets = 2048
	historyBytes   = 4 << 20
	historyAge     = 2 * time.Second
	// resendShare is how many bytes earn one that is sent again, and resendReserve how many
	// can be saved up for a burst.
	resendShare   = 4
	resendReserve = 128 << 10
	// shortestGuard is the least time between two answers with the same packet, also while
	// the round trip is not known. On a quick network receivers ask four times in a
	// millisecond, and not again.
	shortestGuard = 200 * time.Microsecond
	longestGuard  = 500 * time.Millisecond
	// reportsKept is how many sender reports a receiver may be behind.
	reportsKept = 8
)

// RetransmitStats are counts since NewRetransmitter.
type RetransmitStats struct {
	Asked       uint64 // packets that were asked for
	Resent      uint64 // of these, sent again
	ResentBytes uint64 // in them
	Gone        uint64 // of these, no longer kept, or never sent
	TooSoon     uint64 // of these, already on their way
	TooMany     uint64 // of these, beyond the share that may be sent again
	KeyRequests uint64 // for key frames
	Malformed   uint64 // datagrams that are no RTCP
}

func (s *RetransmitStats) add(o RetransmitStats) {
	s.Asked += o.Asked
	s.Resent += o.Resent
	s.ResentBytes += o.ResentBytes
	s.Gone += o.Gone
	s.TooSoon += o.TooSoon
	s.TooMany += o.TooMany
	s.KeyRequests += o.KeyRequests
	s.Malformed += o.Malformed
}

// Retransmitter keeps the packets of one stream for a moment and answers what its receiver
// asks for over RTCP: packets that got lost are sent again as they were, requests for a key
// frame are counted.
//
// Requests cannot be made to amplify: a packet is sent again once in half a round trip, and
// all of them together make a quarter of what was sent, and 128 KiB. Half a round trip,
// because whoever asks again after a whole one needs the answer, and may be a little early.
//
// Packets are sent as they were and not by RFC 4588 (rtx): that reaches every receiver that
// asks, those that were given an address and no description included.
//
// Concurrency: any goroutine.
//
// Source: RFC 4585, 6.2.1, 6.3.1; RFC 5104, 4.3.1; for the round trip RFC 3550, 6.4.1.
type Retransmitter struct {
	ssrc    uint32
	longest int

	mu      sync.Mutex
	kept    []keptPacket // by sequence number
	budget  int          // bytes
	reports [reportsKept]sentReport
	report  int // the next one's place
	rtt     time.Duration
	stats   RetransmitStats
}

type keptPacket struct {
	data     []byte
	at       media.Instant // when it was sent
	answered media.Instant // when it was sent again last; 0: not yet
}

// sentReport is a sender report by what receivers call it.
type sentReport struct {
	ntp uint32
	at  media.Instant
}

// NewRetransmitter returns one for a stream whose packets have longest bytes at most, with
// headers; longer ones are not kept.
func NewRetransmitter(ssrc uint32, longest int) *Retransmitter {
	n := historyPackets
	for n > 1 && n*longest > historyBytes {
		n /= 2
	}
	return &Retransmitter{ssrc: ssrc, longest: longest, kept: make([]keptPacket, n), budget: resendReserve}
}

// place is where the packet with a sequence number is kept: the number of places is a power
// of two, so that neighbours stay apart where the numbers wrap around.
func (r *Retransmitter) place(seq uint16) *keptPacket { return &r.kept[int(seq)&(len(r.kept)-1)] }

// Keep remembers packets that are being sent: before the receiver can have missed them. Those of
// other SSRCs (error correction) are passed over.
// Ownership: borrows the packets and copies them.
func (r *Retransmitter) Keep(now media.Instant, packets ...[]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range packets {
		if len(p) < headerSize || binary.BigEndian.Uint32(p[8:]) != r.ssrc {
			continue
		}
		k := r.place(binary.BigEndian.Uint16(p[2:]))
		k.data, k.at, k.answered = k.data[:0], now, 0
		if len(p) <= r.longest {
			k.data = append(k.data, p...)
		}
		r.budget = min(r.budget+len(p)/resendShare, resendReserve)
	}
}

// Reported remembers a sender report: the receiver's own tell how long ago it had it.
func (r *Retransmitter) Reported(now media.Instant, ntp uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports[r.report%reportsKept] = sentReport{uint32(ntp >> 16), now}
	r.report++
}

// Answer reads RTCP of the receiver and sends again what it asks for. Whether it is the
// receiver who sent it is the caller's to know.
// Ownership: send borrows the packet.
// Errors: those of send; what is no RTCP is counted.
func (r *Retransmitter) Answer(now media.Instant, datagram []byte, send func(packet []byte) error) error {
	packets, err := rtcp.Unmarshal(datagram)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.stats.Malformed++
		return nil
	}
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.ReceiverReport:
			r.measure(now, p.Reports)
		case *rtcp.SenderReport: // of one that sends, too
			r.measure(now, p.Reports)
		case *rtcp.TransportLayerNack:
			if p.MediaSSRC != r.ssrc {
				continue
			}
			for _, pair := range p.Nacks {
				// The first number, and those whose bits are set in the 16 that follow.
				for i, missing := 0, uint32(pair.LostPackets)<<1|1; missing != 0; i, missing = i+1, missing>>1 {
					if missing&1 == 0 {
						continue
					}
					if err := r.again(now, pair.PacketID+uint16(i), send); err != nil {
						return err
					}
				}
			}
		case *rtcp.PictureLossIndication:
			if p.MediaSSRC == r.ssrc {
				r.stats.KeyRequests++
			}
		case *rtcp.FullIntraRequest:
			for _, e := range p.FIR {
				if e.SSRC == r.ssrc {
					r.stats.KeyRequests++
				}
			}
		}
	}
	return nil
}

// again sends a packet again, if it may be.
func (r *Retransmitter) again(now media.Instant, seq uint16, send func([]byte) error) error {
	r.stats.Asked++
	k := r.place(seq)
	switch {
	case len(k.data) == 0 || binary.BigEndian.Uint16(k.data[2:]) != seq || now.Sub(k.at) > historyAge:
		r.stats.Gone++
		return nil
	case k.answered != 0 && now.Sub(k.answered) < r.guard():
		r.stats.TooSoon++
		return nil
	case r.budget < len(k.data):
		r.stats.TooMany++
		return nil
	}
	r.budget -= len(k.data)
	k.answered = now
	r.stats.Resent++
	r.stats.ResentBytes += uint64(len(k.data))
	return send(k.data)
}

// guard is how long a packet that was sent again is on its way.
func (r *Retransmitter) guard() time.Duration {
	return min(max(r.rtt/2, shortestGuard), longestGuard)
}

// measure learns the round trip from reports that name one of ours.
func (r *Retransmitter) measure(now media.Instant, reports []rtcp.ReceptionReport) {
	for _, rr := range reports {
		if rr.SSRC != r.ssrc || rr.LastSenderReport == 0 {
			continue
		}
		for _, s := range r.reports {
			if s.at == 0 || s.ntp != rr.LastSenderReport {
				continue
			}
			rtt := now.Sub(s.at) - time.Duration(uint64(rr.Delay)*1e9>>16)
			if rtt < 0 {
				continue // its clock, or its arithmetic
			}
			if r.rtt == 0 {
				r.rtt = rtt
			} else {
				r.rtt += (rtt - r.rtt) / 8
			}
		}
	}
}

// RoundTrip is the time to the receiver and back, 0 while it is not known.
func (r *Retransmitter) RoundTrip() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rtt
}

// Stats returns the counts so far.
func (r *Retransmitter) Stats() RetransmitStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}
