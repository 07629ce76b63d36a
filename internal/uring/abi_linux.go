package uring

import "unsafe"

// Source: linux/io_uring.h.
const (
	setupCQSize       = 1 << 3
	setupRDisabled    = 1 << 6
	setupSubmitAll    = 1 << 7
	setupSingleIssuer = 1 << 12
	setupDeferTaskrun = 1 << 13

	featSingleMmap = 1 << 0
	featNoDrop     = 1 << 1
	featExtArg     = 1 << 8
	featMinTimeout = 1 << 15

	offSQRing = 0
	offSQEs   = 0x10000000

	enterGetEvents = 1 << 0
	enterExtArg    = 1 << 3

	registerEnableRings = 12
	registerBufferRing  = 22

	opPollAdd     = 6
	opRecvmsg     = 10
	opAsyncCancel = 14

	sqeBufferSelect = 1 << 5
	recvMultishot   = 1 << 1 // in ioprio

	cqeBuffer = 1 << 0
	cqeMore   = 1 << 1
)

type sqOffsets struct {
	head, tail, ringMask, ringEntries, flags, dropped, array, resv1 uint32
	userAddr                                                        uint64
}

type cqOffsets struct {
	head, tail, ringMask, ringEntries, overflow, cqes, flags, resv1 uint32
	userAddr                                                        uint64
}

type params struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFd uint32
	resv                                                                   [3]uint32
	sq                                                                     sqOffsets
	cq                                                                     cqOffsets
}

type submission struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	off, addr     uint64
	len, opFlags  uint32
	userData      uint64
	bufferGroup   uint16
	personality   uint16
	fileIndex     uint32
	addr3, pad    uint64
}

// Completion is what the kernel says about a request.
type Completion struct {
	User   uint64
	Result int32 // bytes, or a negative errno
	Flags  uint32
}

// More says that the request stays armed.
func (c *Completion) More() bool { return c.Flags&cqeMore != 0 }

// Buffer is the number of the provided buffer that was used.
func (c *Completion) Buffer() (id uint16, ok bool) {
	return uint16(c.Flags >> 16), c.Flags&cqeBuffer != 0
}

// Err is the error in Result, nil for none.
func (c *Completion) Err() error {
	if c.Result >= 0 {
		return nil
	}
	return Errno(-c.Result)
}

type providedBuffer struct {
	addr uint64
	len  uint32
	id   uint16
	tail uint16 // of the ring, in the first element only
}

type bufferRegistration struct {
	addr         uint64
	entries      uint32
	group, flags uint16
	resv         [3]uint64
}

type waitArguments struct {
	sigmask     uint64
	sigmaskSize uint32
	minWait     uint32 // µs
	timeout     uint64 // address of a timespec
}

type timespec struct{ sec, nsec int64 }

const (
	_ = -(unsafe.Sizeof(params{}) ^ 120)
	_ = -(unsafe.Sizeof(submission{}) ^ 64)
	_ = -(unsafe.Sizeof(Completion{}) ^ 16)
	_ = -(unsafe.Sizeof(providedBuffer{}) ^ 16)
	_ = -(unsafe.Sizeof(bufferRegistration{}) ^ 40)
	_ = -(unsafe.Sizeof(waitArguments{}) ^ 24)
	_ = -(unsafe.Offsetof(submission{}.userData) ^ 32)
	_ = -(unsafe.Offsetof(params{}.sq) ^ 40)
)
