package uring

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Buffers is a group of buffers that the kernel may fill: a ring in memory that both
// sides see, so that giving one back is no system call.
type Buffers struct {
	mem   []byte
	ring  []providedBuffer
	mask  uint16
	tail  uint16
	added uint16 // tail that the kernel knows
}

// NewBuffers registers an empty group of n buffers, a power of two up to 32768.
// Ownership: closed after the ring.
func (r *Ring) NewBuffers(group uint16, n int) (*Buffers, error) {
	if n < 1 || n > 1<<15 || n&(n-1) != 0 {
		return nil, fmt.Errorf("uring: %d provided buffers: use a power of two up to 32768", n)
	}
	mem, err := unix.Mmap(-1, 0, n*int(unsafe.Sizeof(providedBuffer{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("uring: map the list of buffers: %w", err)
	}
	reg := &bufferRegistration{addr: uint64(uintptr(unsafe.Pointer(&mem[0]))), entries: uint32(n), group: group}
	if _, _, e := unix.RawSyscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), registerBufferRing, uintptr(unsafe.Pointer(reg)), 1, 0, 0); e != 0 {
		_ = unix.Munmap(mem)
		return nil, fmt.Errorf("io_uring_register: provided buffers: %w", Errno(e))
	}
	return &Buffers{mem: mem, ring: unsafe.Slice((*providedBuffer)(unsafe.Pointer(&mem[0])), n), mask: uint16(n - 1)}, nil
}

// Add gives buffer id to the kernel at the next Publish.
// Ownership: b is the kernel's until a completion names id. It must not be Go memory.
func (b *Buffers) Add(data []byte, id uint16) {
	p := &b.ring[b.tail&b.mask]
	p.addr = uint64(uintptr(unsafe.Pointer(&data[0])))
	p.len = uint32(len(data))
	// The ring's tail stands behind the first element's id; it is written by Publish only.
	p.id = id
	b.tail++
}

// Publish shows the kernel what was added.
func (b *Buffers) Publish() {
	if b.tail == b.added {
		return
	}
	b.added = b.tail
	// The kernel reads a 16-bit tail. Go has no 16-bit release store: store the word that
	// the tail shares with the first element's id, which is not changing now.
	first := &b.ring[0]
	word := (*uint32)(unsafe.Pointer(&first.id))
	atomic.StoreUint32(word, halves(first.id, b.tail))
}

// halves is the word with low at the lower address.
func halves(low, high uint16) uint32 {
	return *(*uint32)(unsafe.Pointer(&[2]uint16{low, high}))
}

// Close unmaps the list; the ring must be closed.
func (b *Buffers) Close() {
	_ = unix.Munmap(b.mem)
	b.mem, b.ring = nil, nil
}
