// Package fec gives lost RTP packets back from packets of forward error correction: each is
// the exclusive or of several packets of the stream, and when one of these is missing, it is
// what is left of it.
//
// A [Decoder] keeps a copy of the newest packets of a stream, because they have gone their way
// when what protects them comes.
//
// Ownership: what is handed in is borrowed and copied; what comes out is the caller's memory.
// Concurrency: one goroutine.
// Units: instants are ns, CLOCK_MONOTONIC, and arguments: no clock is read here. Sequence
// numbers are RTP's.
// Source: RFC 5109; draft-ietf-payload-flexible-fec-scheme-03.
package fec

import (
	"crypto/subtle"
	"encoding/binary"
	"time"

	"github.com/scanout-av/scanout/media"
)

const (
	// headerSize is an RTP header without extensions: what follows is protected as it is.
	headerSize = 12
	// keptPackets is more than twice Span, for what protects them may be late. A power of two,
	// so that neighbours stay apart where the numbers wrap around.
	keptPackets = 256
	// maxRepairs bounds the packets of error correction of which more than one is missing.
	maxRepairs = 32
	// maxPacket is a packet of a network with large frames; longer ones are not protected.
	maxPacket = 9216
	// lagDecay is the share of the longest lag that is forgotten with each one that is shorter.
	lagDecay = 32
)

// Decoder gives back what is lost of one stream. The zero value is ready. It allocates what
// the packets need, the first time round, and never more than 2.8 MB.
type Decoder struct {
	kept    [keptPackets]kept
	repairs [maxRepairs]repair
	turn    int // the next one to be thrown out
	lag     time.Duration
}

type kept struct {
	seq  uint16
	at   media.Instant
	data []byte // empty: there is none
}

// find returns the packet with number seq, nil when it is not kept.
func (d *Decoder) find(seq uint16) *kept {
	if k := &d.kept[seq%keptPackets]; k.seq == seq && len(k.data) > 0 {
		return k
	}
	return nil
}

// Keep remembers a packet of the stream, with its header, that came at an instant.
func (d *Decoder) Keep(packet []byte, at media.Instant) {
	if len(packet) < headerSize || len(packet) > maxPacket {
		return
	}
	seq := binary.BigEndian.Uint16(packet[2:])
	if d.find(seq) != nil {
		return // it came before
	}
	k := &d.kept[seq%keptPackets]
	k.seq, k.at, k.data = seq, at, append(k.data[:0], packet...)
	for i := range d.repairs {
		if r := &d.repairs[i]; r.used && r.covers(seq) {
			r.missing--
			r.used = r.missing > 0
		}
	}
}

// Add takes the payload of a packet of error correction that came at an instant and should
// protect the stream of ssrc; false when it makes no sense. Next has what follows from it.
func (d *Decoder) Add(s Scheme, b []byte, ssrc uint32, at media.Instant) bool {
	var in repair
	payload, ok := in.parse(s, b, ssrc)
	if !ok {
		return false
	}
	first := at
	for seq, i := in.next(0); i < 128; seq, i = in.next(i + 1) {
		if k := d.find(seq); k != nil {
			first = min(first, k.at)
		} else {
			in.missing++
		}
	}
	d.lag = max(d.lag-d.lag/lagDecay, at.Sub(first))
	if in.missing == 0 {
		return true
	}
	r := &d.repairs[d.turn]
	for i := range d.repairs {
		if !d.repairs[i].used {
			r = &d.repairs[i]
			break
		}
	}
	if r == &d.repairs[d.turn] {
		d.turn = (d.turn + 1) % maxRepairs
	}
	in.used, in.payload = true, append(r.payload[:0], payload...)
	*r = in
	return true
}

// Lag is how long after the first of the packets that it covers one of error correction comes,
// as a rule: so long a packet that is missing should be waited for.
func (d *Decoder) Lag() time.Duration { return d.lag }

// Next appends a packet that was lost to b, with its header; false when there is none. It is
// kept like those that came. Whether it makes sense is not known: it is as right as what the
// sender put into its error correction.
func (d *Decoder) Next(b []byte, ssrc uint32, now media.Instant) ([]byte, bool) {
	for i := range d.repairs {
		r := &d.repairs[i]
		if !r.used || r.missing != 1 {
			continue
		}
		r.used = false
		if p, ok := d.recover(r, b, ssrc); ok {
			d.Keep(p[len(b):], now)
			return p, true
		}
	}
	return b, false
}

// recover is the exclusive or of a packet of error correction and those that it covers but one.
// Source: RFC 5109, 9.
func (d *Decoder) recover(r *repair, b []byte, ssrc uint32) ([]byte, bool) {
	start := len(b)
	b = append(append(b, make([]byte, headerSize)...), r.payload...)
	out := b[start:]
	rest := out[headerSize:]
	head, ts, length := r.head, r.ts, r.length
	lost, missing := uint16(0), 0
	for seq, i := r.next(0); i < 128; seq, i = r.next(i + 1) {
		k := d.find(seq)
		if k == nil {
			lost, missing = seq, missing+1
			continue
		}
		head[0] ^= k.data[0]
		head[1] ^= k.data[1]
		ts ^= binary.BigEndian.Uint32(k.data[4:])
		length ^= uint16(len(k.data) - headerSize)
		n := min(len(rest), len(k.data)-headerSize)
		subtle.XORBytes(rest[:n], rest[:n], k.data[headerSize:])
	}
	// Others may have been forgotten meanwhile; and what is longer than what is protected of
	// it would have no end.
	if missing != 1 || int(length) > len(rest) {
		return b[:start], false
	}
	out[0], out[1] = 0x80|head[0]&0x3f, head[1]
	binary.BigEndian.PutUint16(out[2:], lost)
	binary.BigEndian.PutUint32(out[4:], ts)
	binary.BigEndian.PutUint32(out[8:], ssrc)
	return b[:start+headerSize+int(length)], true
}

// Reset forgets the packets: numbers begin anew.
func (d *Decoder) Reset() {
	for i := range d.kept {
		d.kept[i].data = d.kept[i].data[:0]
	}
	for i := range d.repairs {
		d.repairs[i].used = false
	}
}
