// Package udp receives and sends datagrams with as little work a packet as the system
// allows, and knows nothing of what is in them.
//
// Receiving has three paths with one behaviour. [PathURing] arms one multishot receive
// in io_uring and lets the kernel fill packet memory while nobody waits; [PathMMsg]
// takes many datagrams a system call with recvmmsg, and whole trains of them where
// UDP_GRO has put them together; [PathNet] is Go's own net.UDPConn, which every system
// has. [Listen] probes and chooses; [Config].Receive insists.
//
// What a receiver pays for is waking up, not packets. Both Linux paths therefore gather:
// while packets flow, the next Receive comes back when [Config].Batch packets are there
// or [Config].Gather has passed, whichever is first. A packet after a pause wakes the
// receiver at once.
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
