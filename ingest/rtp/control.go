package rtp

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"time"

	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/media"
)

// backChannel is what goes back to the sender.
type backChannel struct {
	own      uint32
	cname    string
	sr       netip.AddrPort // where its last report came from
	next     media.Instant  // when a report is due
	polled   media.Instant
	askKey   bool
	askedKey media.Instant
	firs     uint8
	spoke    bool
	seqs     [64]int64
}

const (
	reportInterval = time.Second
	pollInterval   = 20 * time.Millisecond
	keyInterval    = 300 * time.Millisecond // between requests for a key frame
)

func (b *backChannel) init() {
	var r [12]byte
	_, _ = rand.Read(r[:]) // never fails
	b.own = binary.BigEndian.Uint32(r[:])
	b.cname = hex.EncodeToString(r[4:]) // RFC 7022: random, and nobody's name
}

func (b *backChannel) newSender(ssrc uint32) {
	if b.own == ssrc { // RFC 3550, 8.2
		b.own = ^b.own
	}
	b.sr, b.next = netip.AddrPort{}, 0
}

// askKey asks for a key frame at the next occasion.
func (t *track) askKey() { t.back.askKey = true }

// control polls the RTCP socket and says what is due.
func (t *track) control(now media.Instant) {
	b := &t.back
	if t.rtcp != nil && now.Sub(b.polled) >= pollInterval {
		b.polled = now
		if n, err := t.rtcp.Receive(t.rtcpPkts[:], 1); err == nil {
			t.mu.Lock()
			for i := range n {
				t.readControl(&t.rtcpPkts[i])
			}
			t.mu.Unlock()
			for i := range n {
				t.rtcp.Release(&t.rtcpPkts[i])
			}
		}
	}
	var f feedback
	t.mu.Lock()
	due := t.due(now, &f)
	t.mu.Unlock()
	if due {
		t.send(&f)
	}
}

// due fills f with what should be said now; false when that is nothing.
func (t *track) due(now media.Instant, f *feedback) bool {
	b := &t.back
	if !t.sender.live {
		return false
	}
	n := 0
	if t.media.NACK {
		n = t.nacks.Due(now, b.seqs[:])
		t.c.NACKs += int64(n)
	}
	key := b.askKey && (t.media.PLI || t.media.FIR) && now.Sub(b.askedKey) >= keyInterval
	if b.next == 0 {
		b.next = now.Add(reportInterval / 2)
	}
	report := now >= b.next
	if !report && !key && n == 0 {
		return false
	}
	*f = feedback{own: b.own, source: t.sender.ssrc, cname: b.cname, nacks: b.seqs[:n]}
	if report {
		// RFC 3550, 6.2: at random between half and one and a half intervals.
		var r [1]byte
		_, _ = rand.Read(r[:])
		b.next = now.Add(reportInterval/2 + reportInterval*time.Duration(r[0])/256)
		f.report, f.hasReport = t.recv.Report(now)
	}
	if key {
		b.askKey, b.askedKey = false, now
		f.pli, f.fir = t.media.PLI, !t.media.PLI
		if f.fir {
			b.firs++
			f.firCount = b.firs
		}
		t.c.KeyRequests++
	}
	return true
}

// send sends feedback to the sender. What cannot be sent is not missed.
func (t *track) send(f *feedback) {
	to, conn := t.rtcpAddress()
	if conn == nil {
		return
	}
	p, err := f.marshal()
	if err != nil {
		return
	}
	if conn.WriteTo(p, to) == nil {
		t.back.spoke = true
	}
}

// rtcpAddress is where the sender listens: where its reports come from, or the port after
// that of its packets. Multicast senders get no reports: a group may have many members,
// and this one counts none of them.
func (t *track) rtcpAddress() (netip.AddrPort, *udp.Conn) {
	s := &t.sender
	if t.s.multicast(t.media) || !s.live {
		return netip.AddrPort{}, nil
	}
	if t.rtcp == nil {
		if t.media.RTCPPort != t.media.Port {
			return netip.AddrPort{}, nil
		}
		return s.from, t.conn
	}
	if t.back.sr.IsValid() {
		return t.back.sr, t.rtcp
	}
	if s.from.Port() == math.MaxUint16 {
		return netip.AddrPort{}, nil
	}
	return netip.AddrPortFrom(s.from.Addr(), s.from.Port()+1), t.rtcp
}

// readControl reads what the sender says about itself. What comes from elsewhere is not
// believed.
func (t *track) readControl(p *udp.Packet) {
	s := &t.sender
	if s.live && p.From.Addr() != s.from.Addr() && !t.s.cfg.AnySource {
		t.c.Foreign++
		return
	}
	at := p.Received
	ok := readRTCP(p.Data, func(r *senderReport) {
		if !s.live || r.ssrc != s.ssrc {
			return
		}
		t.back.sr = p.From
		t.c.SenderReports++
		t.recv.SenderReport(r.ntp, at)
		t.reported(r, at)
	}, func(ssrc uint32) {
		if s.live && ssrc == s.ssrc {
			s.bye = true
		}
	})
	if !ok {
		t.c.Malformed++
	}
}
