package udp

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/internal/uring"
	"github.com/scanout-av/scanout/media"
)

// ringSlots is how many slots the kernel may hold: a burst at 100,000 packets a second
// for 10 ms, and little enough to stay in the cache while they go round.
const ringSlots = 256

// Requests of the ring.
const (
	userReceive = iota + 1
	userEvent
	userCancel
)

// uringReceiver is [PathURing]. What receive does:
//
//  1. give the slots that were released to the kernel;
//  2. arm the receive, if it is not;
//  3. read completions: each is a packet in a slot;
//  4. none there: wait until packets have gathered, at most until the deadline; again
//     from 1.
type uringReceiver struct {
	*socket
	c       *Conn
	ring    *uring.Ring
	buffers *uring.Buffers
	hdr     *unix.Msghdr
	event   int // an eventfd that ends waiting
	batch   int
	gather  time.Duration

	enabled, watching, armed, cancelled bool
	room                                int // bytes of a slot that it may fill
	most                                int // slots that the kernel may hold
	held                                int // slots that it does
	clocks                              stamper
	flow                                flow
	taken                               int           // packets since the last wait
	newest                              media.Instant // stamp of the last of them
}

func (c *Conn) openURing(cfg *Config, s *socket) (err error) {
	r := &uringReceiver{socket: s, c: c, batch: cfg.Batch, gather: cfg.Gather, most: min(ringSlots, cfg.Packets), room: headroom + cfg.PacketSize,
		hdr: &unix.Msghdr{Namelen: nameRoom}}
	r.hdr.SetControllen(controlRoom)
	if r.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		s.close()
		return os.NewSyscallError("eventfd", err)
	}
	n := 1 << bits.Len(uint(r.most-1))
	if r.ring, err = uring.New(uring.Config{Completions: 2 * n}); err != nil {
		_ = unix.Close(r.event)
		s.close()
		return err
	}
	if r.buffers, err = r.ring.NewBuffers(0, n); err != nil {
		r.ring.Close()
		_ = unix.Close(r.event)
		s.close()
		return err
	}
	m, err := newMemory(cfg.Packets, roundUp(r.room, 64), 0, 0)
	if err != nil {
		_ = r.reap()
		return err
	}
	if !r.ring.MinWait() {
		r.batch = 1
		c.warnings = append(c.warnings, "io_uring wakes up for every packet on this kernel: gathering needs Linux 6.12; the mmsg path gathers on every kernel")
	}
	c.path, c.memory, c.receiver = PathURing, m, r
	return nil
}

// headroom is what the kernel puts in front of the payload.
const _ = -(headroom ^ (uring.RecvmsgHeader + nameRoom + controlRoom))

func (r *uringReceiver) receive(pkts []Packet, deadline media.Instant) (int, error) {
	if !r.enabled {
		// The ring serves one thread. Unlocked when the connection is closed.
		runtime.LockOSThread()
		if err := r.ring.Enable(); err != nil {
			runtime.UnlockOSThread()
			return 0, err
		}
		r.enabled = true
	}
	for last := false; ; {
		r.provide()
		if n, err := r.read(pkts); n > 0 || err != nil {
			return n, err
		}
		switch {
		case r.c.interrupted.Load():
			return 0, r.cancel()
		case !r.armed && r.held == 0:
			return 0, ErrExhausted
		case last:
			return 0, media.ErrAgain
		}
		if !r.watching {
			r.ring.PollIn(r.event, userEvent)
			r.watching = true
		}
		if !r.armed {
			r.ring.RecvmsgMultishot(r.fd, r.hdr, 0, userReceive)
			r.armed = true
		}
		now := rt.Now()
		if r.taken > 0 {
			r.flow.took(r.taken, r.newest)
			r.taken = 0
		}
		left, gather := time.Duration(-1), r.gather
		if !r.flow.gathers(now, gather) {
			gather = 0
		}
		if deadline != 0 {
			left = max(deadline.Sub(now), 0)
			gather = min(gather, left)
			last = left == 0
		}
		r.c.counts.syscalls.Add(1)
		if err := r.wait(gather, left); err != nil {
			return 0, err
		}
		r.clocks = newStamper()
	}
}

func (r *uringReceiver) wait(gather, left time.Duration) error {
	n := r.batch
	if gather == 0 {
		n = 1
	}
	if err := r.ring.Wait(n, gather, left); err != nil {
		if errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("udp: Receive was called by another thread than before, which an io_uring does not serve: %w", err)
		}
		return fmt.Errorf("udp: %w", err)
	}
	return nil
}

// provide gives free slots to the kernel.
func (r *uringReceiver) provide() {
	m := r.c.memory
	for r.held < r.most {
		i, ok := m.take(slotList)
		if !ok {
			break
		}
		r.buffers.Add(m.bytes(i)[:r.room], uint16(i))
		r.held++
	}
	r.buffers.Publish()
}

// read turns completions into packets.
func (r *uringReceiver) read(pkts []Packet) (n int, err error) {
	m := r.c.memory
	for n < len(pkts) {
		c, ok := r.ring.Peek()
		if !ok {
			return n, nil
		}
		if c.User != userReceive {
			r.ring.Advance()
			continue
		}
		if !c.More() {
			r.armed = false
		}
		id, filled := c.Buffer()
		failed := c.Err()
		result := int(c.Result)
		r.ring.Advance()
		if !filled {
			if failed != nil && !errors.Is(failed, unix.ENOBUFS) && !errors.Is(failed, os.ErrClosed) {
				return n, fmt.Errorf("udp: receive: %w", failed)
			}
			continue
		}
		r.held--
		i := uint32(id)
		b := m.bytes(i)
		msg, ok := uring.ParseRecvmsg(b[:max(min(result, len(b)), 0)], nameRoom, controlRoom)
		if !ok || msg.Truncated || failed != nil {
			m.putOwn(i)
			r.c.counts.truncated.Add(1)
			continue
		}
		m.lend(i, 1)
		r.newest = r.clocks.instant(parseControl(msg.Control).wall)
		r.taken++
		pkts[n] = Packet{msg.Payload, r.senders.address(msg.Name), r.newest, i + 1}
		n++
	}
	return n, nil
}

// cancel ends the receive, so that the kernel lets go of the socket before Close returns,
// and lets the goroutine leave its thread.
func (r *uringReceiver) cancel() error {
	if r.cancelled {
		return nil
	}
	r.cancelled = true
	defer runtime.UnlockOSThread()
	if r.armed {
		r.ring.Cancel(userReceive, userCancel)
	}
	for tries := 0; r.armed && tries < 100; tries++ {
		if err := r.ring.Wait(1, 0, 10*time.Millisecond); err != nil {
			return err
		}
		for c, ok := r.ring.Peek(); ok; c, ok = r.ring.Peek() {
			r.armed = r.armed && (c.User != userReceive || c.More())
			r.ring.Advance()
		}
	}
	return nil
}

// interrupt wakes whoever waits, and all who will: the event stays.
func (r *uringReceiver) interrupt() {
	one := uint64(1)
	// Fails only when the event is there a thousand times.
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(r.event), uintptr(unsafe.Pointer(&one)), 8)
}

func (r *uringReceiver) reap() error {
	r.ring.Close()
	r.buffers.Close()
	_ = unix.Close(r.event)
	r.socket.close()
	return nil
}
