package udp

import (
	"encoding/binary"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	maxSegments   = 64     // UDP_MAX_SEGMENTS of older kernels
	maxTrainBytes = 65000  // with headers, an IP packet has 65535 bytes
	segmentRoom   = 24     // CMSG_SPACE of a uint16 on 64-bit systems
	sendVector    = vector // messages a system call
)

// rawSender sends with sendmmsg and UDP_SEGMENT. The descriptor stays with Go's poller,
// which waits when the kernel's buffer is full.
type rawSender struct {
	rc  syscall.RawConn
	gso bool

	vec     [sendVector]mmsghdr
	iov     [sendVector * 16]unix.Iovec
	control [sendVector][segmentRoom]byte
	counts  [sendVector]int // datagrams in each message

	// Of the call that is being made; write is one closure for all of them.
	from, n int
	errno   unix.Errno
	write   func(fd uintptr) bool
}

func (r *rawSender) init(uc *net.UDPConn, gso bool) {
	rc, err := uc.SyscallConn()
	if err != nil {
		return // sendEach
	}
	r.rc = rc
	control(uc, func(fd int) {
		_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT) // since Linux 4.18
		r.gso = gso && err == nil
	})
	r.write = func(fd uintptr) bool {
		var n uintptr
		n, _, r.errno = unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&r.vec[r.from])), uintptr(r.n-r.from), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if r.errno == 0 {
			r.from += int(n)
		}
		return r.errno != unix.EAGAIN
	}
}

func (r *rawSender) send(s *Sender, datagrams [][]byte) error {
	if r.rc == nil {
		return s.sendEach(datagrams)
	}
	for len(datagrams) > 0 {
		k := r.fill(datagrams)
		refused := 0
		for r.from = 0; r.from < r.n; {
			before := r.from
			if err := r.rc.Write(r.write); err != nil {
				return err
			}
			s.counts.syscalls.Add(1)
			for i := before; i < r.from; i++ {
				s.counts.sent.Add(uint64(r.counts[i]))
			}
			switch e := r.errno; {
			case e == 0, e == unix.EINTR, e == unix.EAGAIN:
			case e == unix.ECONNREFUSED:
				// About an earlier datagram; the call sent nothing. Not for ever, though.
				s.counts.refused.Add(1)
				if refused++; refused > 2*sendVector {
					return nil
				}
			case r.gso && r.counts[r.from] > 1:
				// The route takes no trains: a card without checksums, a length beyond its MTU.
				r.gso = false
				done := 0
				for i := range r.from {
					done += r.counts[i]
				}
				s.addBytes(datagrams[:done])
				return r.send(s, datagrams[done:])
			default:
				return e
			}
		}
		s.addBytes(datagrams[:k])
		datagrams = datagrams[k:]
	}
	return nil
}

// fill makes messages of the first datagrams and returns how many it took.
func (r *rawSender) fill(datagrams [][]byte) int {
	r.n = 0
	iov, k := 0, 0
	for k < len(datagrams) && r.n < sendVector && iov < len(r.iov) {
		n := 1
		if r.gso {
			n = train(datagrams[k:], len(r.iov)-iov)
		}
		h := &r.vec[r.n].hdr
		*h = unix.Msghdr{Iov: &r.iov[iov]}
		h.SetIovlen(n)
		if n > 1 {
			c := &r.control[r.n]
			ch := (*unix.Cmsghdr)(unsafe.Pointer(c))
			ch.Level, ch.Type = unix.SOL_UDP, unix.UDP_SEGMENT
			ch.SetLen(unix.CmsgLen(2))
			binary.NativeEndian.PutUint16(c[unix.CmsgLen(0):], uint16(len(datagrams[k])))
			h.Control = &c[0]
			h.SetControllen(unix.CmsgSpace(2))
		}
		for _, b := range datagrams[k : k+n] {
			r.iov[iov] = unix.Iovec{Base: unsafe.SliceData(b)}
			r.iov[iov].SetLen(len(b))
			iov++
		}
		r.counts[r.n] = n
		r.n++
		k += n
	}
	return k
}

// train is how many of the first datagrams can leave together: all of one length, but
// the last, which may be shorter.
func train(datagrams [][]byte, most int) int {
	size := len(datagrams[0])
	if size == 0 {
		return 1
	}
	n, total := 1, size
	for n < len(datagrams) && n < maxSegments && n < most {
		k := len(datagrams[n])
		if k == 0 || k > size || total+k > maxTrainBytes {
			break
		}
		n++
		total += k
		if k < size {
			break
		}
	}
	return n
}

func (s *Sender) addBytes(datagrams [][]byte) {
	n := 0
	for _, b := range datagrams {
		n += len(b)
	}
	s.counts.bytes.Add(uint64(n))
}
