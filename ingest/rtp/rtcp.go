package rtp

import (
	"encoding/binary"
	"slices"

	"github.com/pion/rtcp"

	"github.com/scanout-av/scanout/ingest/rtp/jitter"
	"github.com/scanout-av/scanout/media"
)

// senderReport is what lip-sync needs of one: what the sender's clock said at a timestamp.
type senderReport struct {
	ssrc uint32
	ntp  uint64 // 32.32 seconds since 1900
	ts   uint32
}

// readRTCP walks a compound packet and reports what matters here: sender reports and
// goodbyes. It allocates nothing, because anyone may send to the port.
//
// Source: RFC 3550, 6.4.1, 6.6 and A.2.
func readRTCP(b []byte, report func(*senderReport), bye func(ssrc uint32)) (ok bool) {
	for first := true; len(b) > 0; first = false {
		if len(b) < 4 || b[0]>>6 != 2 {
			return false
		}
		if first && b[1] != 200 && b[1] != 201 && b[1] < 205 {
			// Compound packets begin with a report; reduced ones (RFC 5506) do not.
			if b[1] != 203 && b[1] != 202 {
				return false
			}
		}
		n := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if n > len(b) {
			return false
		}
		p := b[:n]
		switch p[1] {
		case 200:
			if len(p) < 28 {
				return false
			}
			r := senderReport{binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint64(p[8:]), binary.BigEndian.Uint32(p[16:])}
			report(&r)
		case 203:
			count := int(p[0] & 31)
			if len(p) < 4+4*count {
				return false
			}
			for i := range count {
				bye(binary.BigEndian.Uint32(p[4+4*i:]))
			}
		}
		b = b[n:]
	}
	return true
}

// ntpNanos converts an NTP timestamp to ns, in integers; the era does not matter, because
// only differences are used.
func ntpNanos(ntp uint64) int64 {
	return int64(ntp>>32)*1e9 + int64((ntp&0xffffffff)*1e9>>32)
}

// feedback is what is to be said to a sender.
type feedback struct {
	own, source uint32 // SSRCs
	cname       string
	report      jitter.Report
	hasReport   bool
	nacks       []int64
	pli, fir    bool
	firCount    uint8
	bye         bool
}

// marshal returns a compound packet. It allocates; reports are rare.
func (f *feedback) marshal() ([]byte, error) {
	rr := &rtcp.ReceiverReport{SSRC: f.own}
	if f.hasReport {
		r := &f.report
		rr.Reports = []rtcp.ReceptionReport{{
			SSRC: f.source, FractionLost: r.FractionLost, TotalLost: uint32(r.TotalLost) & 0xffffff,
			LastSequenceNumber: r.HighestSequence, Jitter: r.Jitter,
			LastSenderReport: r.LastSenderReport, Delay: r.Delay,
		}}
	}
	ps := []rtcp.Packet{rr, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: f.own, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: f.cname}},
	}}}}
	if len(f.nacks) > 0 {
		slices.Sort(f.nacks)
		seqs := make([]uint16, len(f.nacks))
		for i, n := range f.nacks {
			seqs[i] = uint16(n)
		}
		ps = append(ps, &rtcp.TransportLayerNack{SenderSSRC: f.own, MediaSSRC: f.source, Nacks: rtcp.NackPairsFromSequenceNumbers(seqs)})
	}
	if f.pli {
		ps = append(ps, &rtcp.PictureLossIndication{SenderSSRC: f.own, MediaSSRC: f.source})
	}
	if f.fir {
		ps = append(ps, &rtcp.FullIntraRequest{SenderSSRC: f.own, MediaSSRC: f.source,
			FIR: []rtcp.FIREntry{{SSRC: f.source, SequenceNumber: f.firCount}}})
	}
	if f.bye {
		ps = append(ps, &rtcp.Goodbye{Sources: []uint32{f.own}})
	}
	return rtcp.Marshal(ps)
}

// nanos is when the report was made, on the sender's clock.
func (r *senderReport) nanos() int64 { return ntpNanos(r.ntp) }

// reported keeps what sender reports say about one stream: the sender's clock as a function of
// its timestamps.
type reported struct {
	n      int
	offset [reportsKept]int64 // sender's ns − timestamp in ns
	at     media.Instant
}

// reportsKept is how many reports are averaged: senders stamp them with some jitter.
const reportsKept = 4

func (r *reported) add(nanos int64, at media.Instant) {
	if r.n > 0 {
		// Another clock, or another timeline: what was known before is of no use.
		if d := nanos - r.mean(); d > 1e9 || d < -1e9 {
			r.n = 0
		}
	}
	r.offset[r.n%reportsKept] = nanos
	r.n++
	r.at = at
}

func (r *reported) known() bool { return r.n > 0 }

func (r *reported) mean() int64 {
	k := min(r.n, reportsKept)
	base := r.offset[0]
	var sum int64
	for i := range k {
		sum += r.offset[i] - base
	}
	return base + sum/int64(k)
}
