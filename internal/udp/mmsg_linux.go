package udp

import (
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
)

const (
	// vector is how many messages one recvmmsg may take.
	vector = 64
	// spareSlabs is how many slabs may be lent out; beyond that, trains are copied.
	spareSlabs = 64
	// maxTrain is how many bytes the kernel puts together.
	maxTrain = 65536
)

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// message is a place of the vector: where the next datagram or train goes.
//
// A single packet lands in the slot. A train fills the first lead bytes of the slot and
// goes on in the slab. lead follows the stream: it becomes a multiple of its packets'
// length, so that each packet lies in one piece. Of one that does not, the piece in the
// slot is copied in front of the slab's, where there is room for it.
type message struct {
	slot, slab uint32 // element + 1, 0 for none
	name       sockaddr
	control    [controlRoom]byte
}

// run is memory with packets of one length, of which the last may be shorter.
type run struct {
	data    []byte
	segment int
	element uint32 // its memory; each packet is one reference
	copied  bool   // each packet goes into a slot of its own instead
}

// mmsgReceiver is [PathMMsg]. What receive does:
//
//  1. hand out what is left of the last recvmmsg;
//  2. while packets flow, sleep until some have gathered;
//  3. recvmmsg into as many messages as there is memory for;
//  4. when there was none, wait in Go's poller, and again from 3;
//  5. cut trains into packets, which refer to the memory they landed in.
type mmsgReceiver struct {
	*socket
	c      *Conn
	size   int
	batch  int
	gather time.Duration
	gro    bool

	vec   [vector]mmsghdr
	iov   [vector][2]unix.Iovec
	place [vector]message
	ready int // messages at the front that have memory
	most  int // messages that may ever have
	lead  int
	wish  int // lead from the next recvmmsg on

	have, next int    // messages received, and how many of them have become runs
	runs       [2]run // of the message before next: in the slot, in the slab
	from       netip.AddrPort
	stamp      media.Instant
	clocks     stamper

	flow    flow
	emptied bool          // the last recvmmsg took all there was
	taken   media.Instant // when that was
	drained bool          // so that it is better to wait than to look
	poller  *rt.Poller
}

func (c *Conn) openMMsg(cfg *Config, s *socket) error {
	r := &mmsgReceiver{socket: s, c: c, size: cfg.PacketSize, batch: cfg.Batch, gather: cfg.Gather,
		most: min(vector, cfg.Packets), lead: cfg.PacketSize, wish: cfg.PacketSize}
	slabs := 0
	if !cfg.NoGRO && unix.SetsockoptInt(s.fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil { // since Linux 5.0
		r.gro = true
		slabs = r.most + min(spareSlabs, cfg.Packets)
	}
	slot := roundUp(cfg.PacketSize, 64)
	m, err := newMemory(cfg.Packets, slot, slabs, slot+maxTrain)
	if err != nil {
		s.close()
		return err
	}
	if r.poller, err = rt.NewPoller(s.fd); err != nil {
		m.unref()
		s.close()
		return err
	}
	for i := range r.vec {
		h := &r.vec[i].hdr
		h.Name = &r.place[i].name[0]
		h.Control = &r.place[i].control[0]
		h.Iov = &r.iov[i][0]
	}
	c.path, c.memory, c.receiver = PathMMsg, m, r
	return nil
}

func (r *mmsgReceiver) receive(pkts []Packet, deadline media.Instant) (int, error) {
	if n, err := r.cut(pkts); n > 0 || err != nil {
		return n, err
	}
	for {
		if r.emptied && r.batch > 1 {
			r.emptied = false
			if now := rt.Now(); r.flow.gathers(now, r.gather) {
				until := r.taken.Add(r.gather)
				if deadline != 0 {
					until = min(until, deadline)
				}
				if until > now {
					r.poller.SleepUntil(until)
					r.drained = false
					r.c.counts.syscalls.Add(uint64(r.poller.Calls()))
				}
			}
		}
		if r.c.interrupted.Load() {
			return 0, nil
		}
		if r.prepare(); r.ready == 0 {
			return 0, ErrExhausted
		}
		left := time.Duration(0)
		if deadline != 0 {
			left = max(deadline.Sub(rt.Now()), 1)
		}
		n, e := r.recvmmsg(left)
		switch {
		case e == 0:
			if r.c.interrupted.Load() {
				return 0, nil // woken by shutdown, which looks like an empty datagram
			}
			r.have, r.next = n, 0
			r.clocks = newStamper()
			r.emptied, r.taken, r.drained = n < min(r.batch, r.ready), r.clocks.now, n < r.ready
			last := parseControl(r.place[n-1].control[:min(int(r.vec[n-1].hdr.Controllen), controlRoom)])
			r.flow.took(n, r.clocks.instant(last.wall))
			if n, err := r.cut(pkts); n > 0 || err != nil {
				return n, err
			}
		case e != unix.EAGAIN && e != unix.EINTR:
			return 0, fmt.Errorf("udp: recvmmsg: %w", e)
		case left == 1:
			return 0, media.ErrAgain
		}
	}
}

// recvmmsg receives what there is. If there is nothing, it waits; for left at most, and for
// as long as it likes when that is 0. EAGAIN says that nothing came.
func (r *mmsgReceiver) recvmmsg(left time.Duration) (n int, e unix.Errno) {
	if !r.drained || left == 1 {
		if n, e = r.recv(); e != unix.EAGAIN || left == 1 {
			return n, e
		}
	}
	until := media.Instant(0)
	if left != 0 {
		until = rt.Now().Add(left)
	}
	readable := r.poller.WaitRead(until)
	r.c.counts.syscalls.Add(uint64(r.poller.Calls()))
	if !readable {
		return 0, unix.EAGAIN
	}
	return r.recv()
}

// recv takes what is there. It is a raw call, which Go's monitor thread does not look after:
// it does not wait.
func (r *mmsgReceiver) recv() (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(r.fd), uintptr(unsafe.Pointer(&r.vec)), uintptr(r.ready), unix.MSG_DONTWAIT, 0, 0)
	r.c.counts.syscalls.Add(1)
	return int(n), e
}

// interrupt ends every wait, now and later.
func (r *mmsgReceiver) interrupt() {
	// ENOTCONN for a socket without a peer, and it wakes all the same. Sending still works.
	_ = unix.Shutdown(r.fd, unix.SHUT_RD)
}

// prepare gives memory to the messages at the front of the vector.
func (r *mmsgReceiver) prepare() {
	m := r.c.memory
	r.lead = r.wish
	for j := 0; j < r.most; j++ {
		p := &r.place[j]
		if p.slot == 0 {
			i, ok := m.take(slotList)
			if !ok && !r.borrow(j) {
				r.ready = j
				return
			}
			if ok {
				p.slot = i + 1
			}
		}
		if r.gro && p.slab == 0 {
			// There is one for each message, and the spare ones are lent only when there
			// is another to take their place.
			if i, ok := m.take(slabList); ok {
				p.slab = i + 1
			}
		}
		h := &r.vec[j].hdr
		h.Namelen = nameRoom
		h.SetControllen(controlRoom)
		slot := m.bytes(p.slot - 1)
		r.iov[j][0].Base = &slot[0]
		r.iov[j][0].SetLen(r.lead)
		h.SetIovlen(1)
		if r.gro {
			r.iov[j][1].Base = &m.bytes(p.slab - 1)[m.slot]
			r.iov[j][1].SetLen(maxTrain)
			h.SetIovlen(2)
		}
	}
	r.ready = r.most
}

// borrow takes the slot of the last message behind j that has one.
func (r *mmsgReceiver) borrow(j int) bool {
	for k := r.most - 1; k > j; k-- {
		if r.place[k].slot != 0 {
			r.place[j].slot, r.place[k].slot = r.place[k].slot, 0
			return true
		}
	}
	return false
}

// cut hands packets out of what was received. ErrExhausted says that a packet must be
// copied and there is no slot to copy it to: it waits.
func (r *mmsgReceiver) cut(pkts []Packet) (n int, err error) {
	for {
		for i := range r.runs {
			w := &r.runs[i]
			for w.data != nil {
				if n == len(pkts) {
					return n, nil
				}
				k := min(w.segment, len(w.data))
				p := &pkts[n]
				p.Data, p.slot = w.data[:k:k], w.element+1
				if w.copied {
					slot, ok := r.c.memory.take(slotList)
					if !ok {
						if n > 0 {
							return n, nil
						}
						return 0, ErrExhausted
					}
					p.Data, p.slot = r.c.memory.bytes(slot)[:k:k], slot+1
					copy(p.Data, w.data)
					r.c.memory.lend(slot, 1)
					r.c.counts.copied.Add(1)
				}
				p.From, p.Received = r.from, r.stamp
				if w.data = w.data[k:]; len(w.data) == 0 {
					w.data = nil
				}
				n++
			}
		}
		if r.next == r.have {
			return n, nil
		}
		r.next++
		r.open(&r.vec[r.next-1], &r.place[r.next-1])
	}
}

// open makes runs of a received message, which keeps or gives away its memory.
func (r *mmsgReceiver) open(v *mmsghdr, p *message) {
	m := r.c.memory
	total, lead := int(v.n), r.lead
	control := parseControl(p.control[:min(int(v.hdr.Controllen), controlRoom)])
	r.from = r.senders.address(p.name[:min(int(v.hdr.Namelen), nameRoom)])
	r.stamp = r.clocks.instant(control.wall)
	inSlot := m.bytes(p.slot - 1)
	if control.segment == 0 || control.segment >= total {
		switch {
		case total > r.size || v.hdr.Flags&unix.MSG_TRUNC != 0:
			r.c.counts.truncated.Add(1)
			return
		case total > lead:
			copy(inSlot[lead:], m.bytes(p.slab - 1)[m.slot:][:total-lead])
			r.c.counts.copied.Add(1)
			r.wish = r.size
		}
		r.runs[0] = run{data: inSlot[:total:total], segment: max(total, 1), element: p.slot - 1}
		m.lend(p.slot-1, 1)
		p.slot = 0
		return
	}
	segment := control.segment
	packets := (total + segment - 1) / segment
	if segment > r.size || v.hdr.Flags&unix.MSG_TRUNC != 0 {
		r.c.counts.truncated.Add(uint64(packets))
		return
	}
	r.c.counts.trains.Add(1)
	r.wish = r.size / segment * segment
	whole := min(lead/segment, packets)
	if whole > 0 {
		end := min(whole*segment, total)
		r.runs[0] = run{data: inSlot[:end:end], segment: segment, element: p.slot - 1}
		m.lend(p.slot-1, whole)
	}
	if whole < packets {
		begin := m.slot
		slab := m.bytes(p.slab - 1)
		if piece := inSlot[whole*segment : min(lead, total)]; len(piece) > 0 {
			begin -= copy(slab[m.slot-len(piece):m.slot], piece)
			r.c.counts.copied.Add(1)
		}
		end := begin + total - whole*segment
		w := run{data: slab[begin:end:end], segment: segment, element: p.slab - 1}
		if i, ok := m.take(slabList); ok {
			m.lend(p.slab-1, packets-whole)
			p.slab = i + 1
		} else {
			w.copied = true // the slab stays with the message
		}
		r.runs[1] = w
	}
	if whole > 0 {
		p.slot = 0
	}
}

func (r *mmsgReceiver) reap() error {
	for i := range r.runs {
		if w := &r.runs[i]; w.data != nil && !w.copied {
			for n := (len(w.data) + w.segment - 1) / w.segment; n > 0; n-- {
				r.c.memory.release(w.element)
			}
			w.data = nil
		}
	}
	r.poller.Close()
	r.socket.close()
	return nil
}
