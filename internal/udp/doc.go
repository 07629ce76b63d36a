// Package udp receives and sends datagrams with as little work a packet as the system
// allows, and knows nothing of what is in them.
//
// Receiving has three paths with one behaviour. [PathMMsg] takes many datagrams a system
// call with recvmmsg, and whole trains of them where UDP_GRO has put them together;
// [PathURing] arms one multishot receive in io_uring, and the kernel fills packet memory
// by itself; [PathNet] is Go's own net.UDPConn, which every system has. [Config].Receive
// insists on one. Left to itself, [Listen] takes recvmmsg on Linux: `scanout bench
// receive` finds io_uring no cheaper where packets come one by one, and dearer by half
// and more where they come in trains, which a multishot receive cannot take.
//
// What a receiver pays for is waking up, not packets. Both Linux paths therefore gather:
// while packets flow so fast that several are to be expected, the next Receive comes back
// when [Config].Gather has passed. A packet after a pause, and one of a slow stream,
// wakes the receiver at once.
//
// Ownership: packet memory is one mapping that is allocated at Listen and never grows.
// Receive lends packets out of it, Release gives each back, on any goroutine, also after
// Close: the mapping goes when the last packet has come back.
//
// Concurrency: one goroutine calls Receive; everything else may be called from any.
//
// Errors: media.ErrAgain when the deadline has passed, os.ErrClosed after Interrupt or
// Close, [ErrExhausted] when all packet memory is lent out; media.ErrNotSupported when a
// path was insisted on that this system has not.
//
// Source: RFC 768; RFC 4607 (source-specific multicast); linux/udp.h, linux/io_uring.h.
package udp
