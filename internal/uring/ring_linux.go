package uring

import (
	"fmt"
	"math/bits"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Config sizes a ring.
type Config struct {
	// Completions is how many completions may wait to be read; the kernel keeps what is
	// beyond and is slower then. Rounded up to a power of two.
	Completions int
}

// submissions is the length of the submission queue: one receive, one poll, one cancel.
const submissions = 8

// Ring is an io_uring.
type Ring struct {
	fd       int
	features uint32

	rings, sqeMem []byte
	sqHead        *uint32
	sqTail        *uint32
	cqHead        *uint32
	cqTail        *uint32
	sqMask        uint32
	cqMask        uint32
	sqes          []submission
	cqes          []Completion

	head  uint32 // completions read
	queue uint32 // submissions not yet told to the kernel

	// On the heap once, so that waiting allocates nothing.
	args waitArguments
	ts   timespec
	keep []*unix.Msghdr // headers that armed requests refer to
}

// New makes a ring, which does nothing until Enable.
// Ownership: the caller closes it.
// Errors: Errno; ENOSYS, EPERM and EINVAL mean that this kernel has or allows no such ring.
func New(cfg Config) (*Ring, error) {
	n := max(cfg.Completions, submissions)
	p := &params{
		flags:     setupCQSize | setupRDisabled | setupSubmitAll | setupSingleIssuer | setupDeferTaskrun,
		cqEntries: 1 << bits.Len(uint(n-1)),
	}
	fd, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, submissions, uintptr(unsafe.Pointer(p)), 0)
	if e != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w", Errno(e))
	}
	r := &Ring{fd: int(fd), features: p.features}
	if err := r.open(p); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Ring) open(p *params) error {
	if want := uint32(featSingleMmap | featNoDrop | featExtArg); p.features&want != want {
		return fmt.Errorf("io_uring_setup: features %#x: %w", p.features, Errno(unix.ENOSYS))
	}
	sq := int(p.sq.array + p.sqEntries*4)
	cq := int(p.cq.cqes + p.cqEntries*uint32(unsafe.Sizeof(Completion{})))
	var err error
	if r.rings, err = unix.Mmap(r.fd, offSQRing, max(sq, cq), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE); err != nil {
		return fmt.Errorf("io_uring: map the rings: %w", err)
	}
	if r.sqeMem, err = unix.Mmap(r.fd, offSQEs, int(p.sqEntries)*int(unsafe.Sizeof(submission{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE); err != nil {
		return fmt.Errorf("io_uring: map the submissions: %w", err)
	}
	word := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.rings[off])) }
	r.sqHead, r.sqTail, r.sqMask = word(p.sq.head), word(p.sq.tail), *word(p.sq.ringMask)
	r.cqHead, r.cqTail, r.cqMask = word(p.cq.head), word(p.cq.tail), *word(p.cq.ringMask)
	r.sqes = unsafe.Slice((*submission)(unsafe.Pointer(&r.sqeMem[0])), p.sqEntries)
	r.cqes = unsafe.Slice((*Completion)(unsafe.Pointer(&r.rings[p.cq.cqes])), p.cqEntries)
	// Submissions are queued in order, so the array that says where each one stands never
	// changes.
	for i := range p.sqEntries {
		*word(p.sq.array + 4*i) = i
	}
	return nil
}

// MinWait reports whether [Ring.Wait] can gather completions (Linux 6.12).
func (r *Ring) MinWait() bool { return r.features&featMinTimeout != 0 }

// Enable starts the ring for the calling thread, and for no other.
func (r *Ring) Enable() error {
	if _, _, e := unix.RawSyscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), registerEnableRings, 0, 0, 0, 0); e != 0 {
		return fmt.Errorf("io_uring_register: enable: %w", Errno(e))
	}
	return nil
}

// next returns an empty submission. The queue has room for all that a receiver has in
// flight; asking for more without a Wait between is a broken invariant.
func (r *Ring) next(user uint64) *submission {
	tail := *r.sqTail
	if tail-atomic.LoadUint32(r.sqHead) >= uint32(len(r.sqes)) {
		panic("uring: the submission queue is full")
	}
	s := &r.sqes[tail&r.sqMask]
	*s = submission{userData: user}
	return s
}

// push tells the kernel, at the next Wait, of the submission that next returned.
func (r *Ring) push() {
	atomic.StoreUint32(r.sqTail, *r.sqTail+1)
	r.queue++
}

// RecvmsgMultishot arms a receive on a socket, which completes for each datagram with a
// buffer of the group. Only hdr's Namelen and Controllen are used: the room for the
// address and for control messages in each buffer.
// Ownership: hdr must stay as it is until the request has ended; the ring keeps it alive.
func (r *Ring) RecvmsgMultishot(fd int, hdr *unix.Msghdr, group uint16, user uint64) {
	s := r.next(user)
	s.opcode, s.flags, s.ioprio, s.bufferGroup = opRecvmsg, sqeBufferSelect, recvMultishot, group
	s.fd, s.addr, s.len = int32(fd), uint64(uintptr(unsafe.Pointer(hdr))), 1
	if len(r.keep) == 0 || r.keep[len(r.keep)-1] != hdr {
		r.keep = append(r.keep, hdr)
	}
	r.push()
}

// PollIn completes once when fd can be read.
func (r *Ring) PollIn(fd int, user uint64) {
	s := r.next(user)
	s.opcode, s.fd, s.opFlags = opPollAdd, int32(fd), unix.POLLIN
	r.push()
}

// Cancel ends the request that was made with user. The request completes with ECANCELED,
// the cancelling with done.
func (r *Ring) Cancel(user, done uint64) {
	s := r.next(done)
	s.opcode, s.fd, s.addr = opAsyncCancel, -1, user
	r.push()
}

// Wait submits what is queued and waits until n completions can be read, but only gather
// long for more than one, and only timeout long for any. A gather of 0 waits for n; so
// does every gather where MinWait is false. A negative timeout waits for ever, 0 takes
// what there is.
// Errors: none at the timeout: what there is says enough. EINTR is none either: look,
// and wait again.
func (r *Ring) Wait(n int, gather, timeout time.Duration) error {
	r.args = waitArguments{}
	if gather > 0 && r.MinWait() {
		r.args.minWait = uint32(max(gather/time.Microsecond, 1))
	}
	if timeout >= 0 {
		r.ts = timespec{int64(timeout / time.Second), int64(timeout % time.Second)}
		r.args.timeout = uint64(uintptr(unsafe.Pointer(&r.ts)))
	}
	flags, args, size := uintptr(enterGetEvents|enterExtArg), unsafe.Pointer(&r.args), unsafe.Sizeof(r.args)
	if timeout == 0 {
		n, flags, args, size = 0, enterGetEvents, nil, 0
	}
	done, _, e := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(r.queue), uintptr(n), flags, uintptr(args), size)
	switch e {
	case 0:
		r.queue -= min(r.queue, uint32(done))
		return nil
	case unix.ETIME, unix.EINTR:
		// Submitting comes first: when waiting failed, nothing is left in the queue.
		r.queue = *r.sqTail - atomic.LoadUint32(r.sqHead)
		return nil
	}
	return fmt.Errorf("io_uring_enter: %w", Errno(e))
}

// Peek returns the oldest completion that has not been read. It is valid until Advance.
func (r *Ring) Peek() (c *Completion, ok bool) {
	if r.head == atomic.LoadUint32(r.cqTail) {
		return nil, false
	}
	return &r.cqes[r.head&r.cqMask], true
}

// Advance gives the completion that Peek returned back to the kernel.
func (r *Ring) Advance() {
	r.head++
	atomic.StoreUint32(r.cqHead, r.head)
}

// Close ends the ring and, a little later, what is armed on it: the kernel writes no
// buffer any more, but it may hold the socket for some milliseconds. Cancel first what
// must be gone at once.
// Concurrency: any goroutine, while no other uses the ring.
func (r *Ring) Close() {
	if r.rings != nil {
		_ = unix.Munmap(r.rings)
	}
	if r.sqeMem != nil {
		_ = unix.Munmap(r.sqeMem)
	}
	_ = unix.Close(r.fd)
	r.rings, r.sqeMem, r.sqes, r.cqes, r.fd = nil, nil, nil, nil, -1
}
