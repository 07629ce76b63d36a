package rtp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/scanout-av/scanout/media"
)

const testSSRC = 0x5ca40a7

// packetOf is a packet of RTP whose payload tells its number.
func packetOf(seq uint16, size int) []byte {
	b := append(make([]byte, headerSize), bytes.Repeat([]byte{byte(seq), byte(seq >> 8)}, (size-headerSize)/2)...)
	b[0] = 0x80
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[8:], testSSRC)
	return b
}

func compound(t testing.TB, p ...rtcp.Packet) []byte {
	t.Helper()
	b, err := rtcp.Marshal(append([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}}, p...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func nack(t testing.TB, ssrc uint32, seqs ...uint16) []byte {
	t.Helper()
	return compound(t, &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(seqs)})
}

// answers are the numbers of the packets that b brings back, which are as they were.
func answers(t testing.TB, r *Retransmitter, now media.Instant, b []byte) (seqs []uint16) {
	t.Helper()
	if err := r.Answer(now, b, func(p []byte) error {
		seq := binary.BigEndian.Uint16(p[2:])
		if !bytes.Equal(p, packetOf(seq, len(p))) {
			t.Errorf("packet %d differs from what was sent", seq)
		}
		seqs = append(seqs, seq)
		return nil
	}); err != nil {
		t.Error(err)
	}
	return seqs
}

// TestAnswer asks for packets: across the wrap-around of their numbers, too early, for some
// that are not there any more or never were, and by RTCP that is none.
func TestAnswer(t *testing.T) {
	const size = 1212
	r := NewRetransmitter(testSSRC, size)
	now := media.Instant(1e9)
	first := uint16(0xffff - historyPackets) // the last of them are on the other side
	for i := range uint16(historyPackets + 100) {
		r.Keep(now, packetOf(first+i, size))
	}
	next := first + historyPackets + 100
	for _, step := range []struct {
		name  string
		after time.Duration
		ask   []byte
		want  []uint16
		stats RetransmitStats // what changes
	}{
		{"around the wrap", 0, nack(t, testSSRC, 0xfffd, 0xffff, 0, 2, 40), []uint16{0xfffd, 0xffff, 0, 2, 40}, RetransmitStats{Asked: 5, Resent: 5, ResentBytes: 5 * size}},
		{"at once again", shortestGuard / 2, nack(t, testSSRC, 0xffff, 0, 1), []uint16{1}, RetransmitStats{Asked: 3, Resent: 1, ResentBytes: size, TooSoon: 2}},
		{"after a while", shortestGuard, nack(t, testSSRC, 0xffff, 0), []uint16{0xffff, 0}, RetransmitStats{Asked: 2, Resent: 2, ResentBytes: 2 * size}},
		{"not yet sent", 0, nack(t, testSSRC, next, next+1), nil, RetransmitStats{Asked: 2, Gone: 2}},
		{"overwritten", 0, nack(t, testSSRC, first, first+99), nil, RetransmitStats{Asked: 2, Gone: 2}},
		{"the oldest and the newest", 0, nack(t, testSSRC, next-historyPackets, next-1), []uint16{next - historyPackets, next - 1}, RetransmitStats{Asked: 2, Resent: 2, ResentBytes: 2 * size}},
		{"half the numbers away", 0, nack(t, testSSRC, next+1<<15), nil, RetransmitStats{Asked: 1, Gone: 1}},
		{"of another stream", 0, nack(t, testSSRC+1, 0), nil, RetransmitStats{}},
		{"empty", 0, nil, nil, RetransmitStats{Malformed: 1}},
		{"cut off", 0, nack(t, testSSRC, 0)[:17], nil, RetransmitStats{Malformed: 1}},
		{"no RTCP", 0, packetOf(5, 200), nil, RetransmitStats{Malformed: 1}},
		{"a length beyond the end", 0, func() []byte { b := nack(t, testSSRC, 3); b[11]++; return b }(), nil, RetransmitStats{Malformed: 1}},
		{"key frames", 0, compound(t, &rtcp.PictureLossIndication{MediaSSRC: testSSRC}, &rtcp.PictureLossIndication{MediaSSRC: 9},
			&rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{SSRC: testSSRC}, {SSRC: 9}}}), nil, RetransmitStats{KeyRequests: 2}},
		{"without a report in front", 0, nack(t, testSSRC, 7)[8:], []uint16{7}, RetransmitStats{Asked: 1, Resent: 1, ResentBytes: size}},
		{"too late for anybody", historyAge, nack(t, testSSRC, 9), nil, RetransmitStats{Asked: 1, Gone: 1}},
	} {
		now = now.Add(step.after)
		want := r.Stats()
		want.add(step.stats)
		if got := answers(t, r, now, step.ask); !slices.Equal(got, step.want) {
			t.Errorf("%s: %d were sent again, want %d", step.name, got, step.want)
		}
		if got := r.Stats(); got != want {
			t.Errorf("%s: %+v, want %+v", step.name, got, want)
		}
	}
	failed := errors.New("no route")
	r.Keep(now, packetOf(9, size))
	if err := r.Answer(now, nack(t, testSSRC, 9), func([]byte) error { return failed }); err != failed {
		t.Errorf("sending failed: %v", err)
	}
}

// TestAnswerFlood: whoever asks without end gets a quarter of the stream and 128 KiB.
func TestAnswerFlood(t *testing.T) {
	const size = 1200
	r := NewRetransmitter(testSSRC, size)
	now := media.Instant(1e9)
	sent, again := 0, 0
	all := make([]uint16, 17*24)
	for i := range uint16(20000) {
		r.Keep(now, packetOf(i, size))
		sent += size
		for j := range all {
			all[j] = i - uint16(len(all)-1-j)
		}
		for range 3 {
			now = now.Add(shortestGuard)
			again += size * len(answers(t, r, now, nack(t, testSSRC, all...)))
		}
	}
	if most := sent/resendShare + resendReserve; again > most || again < sent/resendShare*9/10 {
		t.Errorf("%d bytes sent again of %d, at most %d may be", again, sent, most)
	}
	if s := r.Stats(); s.Resent+s.Gone+s.TooSoon+s.TooMany != s.Asked || s.TooMany == 0 || s.ResentBytes != uint64(again) {
		t.Errorf("%+v", s)
	}
}

// TestRoundTrip learns the round trip from the receiver's reports, and sends nothing twice
// within half of it.
func TestRoundTrip(t *testing.T) {
	r := NewRetransmitter(testSSRC, 1200)
	at := media.Instant(5e9)
	const ntp = uint64(0x1234_5678_9abc_def0)
	r.Reported(at, ntp)
	r.Keep(at, packetOf(1, 1200))
	report := func(ssrc, lsr uint32) []byte {
		b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: ssrc, LastSenderReport: lsr, Delay: 1 << 15}}}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	now := at.Add(580 * time.Millisecond) // half a second of which were the receiver's
	answers(t, r, now, report(testSSRC+1, 0x56789abc))
	answers(t, r, now, report(testSSRC, 0x56789abd))
	answers(t, r, now, report(testSSRC, 0))
	answers(t, r, now.Add(-200*time.Millisecond), report(testSSRC, 0x56789abc)) // before it was sent
	if d := r.RoundTrip(); d != 0 {
		t.Errorf("%v from reports that say nothing", d)
	}
	answers(t, r, now, report(testSSRC, 0x56789abc))
	if d := r.RoundTrip(); d != 80*time.Millisecond {
		t.Errorf("round trip %v, want 80 ms", d)
	}
	for i, want := range []int{1, 0, 1, 0} { // every 20 ms
		if got := answers(t, r, now.Add(time.Duration(i)*20*time.Millisecond), nack(t, testSSRC, 1)); len(got) != want {
			t.Errorf("after %d ms %d packets, want %d", 20*i, len(got), want)
		}
	}
}

// TestHistoryIsBounded: what is kept takes 4 MiB at most, and keeping takes no memory.
func TestHistoryIsBounded(t *testing.T) {
	for _, size := range []int{100, 1212, 9000, 65012} {
		r := NewRetransmitter(testSSRC, size)
		b := packetOf(0, size)
		fill := func() {
			for range historyPackets {
				binary.BigEndian.PutUint16(b[2:], binary.BigEndian.Uint16(b[2:])+1)
				r.Keep(1, b)
			}
		}
		fill()
		total := 0
		for _, k := range r.kept {
			total += len(k.data)
		}
		if total > historyBytes || total < historyBytes/3 && len(r.kept) < historyPackets {
			t.Errorf("%d bytes of packets of %d", total, size)
		}
		if n := testing.AllocsPerRun(2, fill); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
	r := NewRetransmitter(testSSRC, 100)
	r.Keep(1, packetOf(1, 102), []byte{1, 2, 3})
	if got := answers(t, r, 2, nack(t, testSSRC, 1)); got != nil {
		t.Error("a packet that is too long was kept")
	}
}

// TestSenderAnswers: the receiver gets what it asks for, on the port of RTCP and on that of
// packets; nobody else does.
func TestSenderAnswers(t *testing.T) {
	p := newPeer(t)
	s, err := New(Config{To: net.JoinHostPort("127.0.0.1", itoa(p.port)), PayloadSize: 100,
		Streams: []media.Stream{{Kind: media.KindVideo, Codec: "vp8"}},
		Now:     func() media.Instant { return 1e9 }, Wall: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	due, err := s.Queue(&media.AccessUnit{Data: make([]byte, 1000), PTS: 0, DTS: 0, Timebase: media.RTPVideo}, 0)
	if err == nil {
		err = s.Send(due)
	}
	if err != nil {
		t.Fatal(err)
	}
	var sent []rtp.Packet
	for range s.Stats().Packets {
		var h rtp.Packet
		if err := h.Unmarshal(readOne(t, p.media)); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, h)
	}
	b := make([]byte, 2000)
	p.rtcp.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, from, err := p.rtcp.ReadFromUDP(b)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	packets := net.UDPAddrFromAddrPort(s.streams[0].media.LocalAddr())
	for i, ask := range []struct {
		by *net.UDPConn
		at *net.UDPAddr
	}{{stranger, from}, {p.media, from}, {p.rtcp, from}, {stranger, packets}, {p.rtcp, packets}, {p.media, packets}} {
		if _, err := ask.by.WriteToUDP(nack(t, sent[0].SSRC, sent[i].SequenceNumber), ask.at); err != nil {
			t.Fatal(err)
		}
		if i != 2 && i != 5 {
			continue
		}
		var h rtp.Packet
		if err := h.Unmarshal(readOne(t, p.media)); err != nil {
			t.Fatal(err)
		}
		if h.SequenceNumber != sent[i].SequenceNumber || !bytes.Equal(h.Payload, sent[i].Payload) {
			t.Errorf("request %d: packet %d came, want %d", i, h.SequenceNumber-sent[0].SequenceNumber, i)
		}
	}
	if f := s.Stats().Feedback; f.Asked != 2 || f.Resent != 2 {
		t.Errorf("%+v", f)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(nack(f, testSSRC, 1, 2, 3, 0xffff))
	f.Add(compound(f, &rtcp.PictureLossIndication{MediaSSRC: testSSRC}, &rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{SSRC: testSSRC}}}))
	f.Add([]byte{0x80, 200, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewRetransmitter(testSSRC, 100)
		r.Keep(1, packetOf(1, 100), packetOf(2, 100), packetOf(0xffff, 100))
		if got := answers(t, r, 1, b); len(got) > 3 {
			t.Errorf("%d of 3 packets", len(got))
		}
	})
}
