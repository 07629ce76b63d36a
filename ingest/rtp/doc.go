// Package rtp plays RTP streams: what a session description or an rtp:// address names is
// received, put in order and handed on as access units, with receiver reports, requests
// for lost packets and for key frames going back where the sender takes them.
//
// # Time
//
// Timestamps of access units are local time, in ns since the source was opened: when the
// unit would have come if the network had always been at its quickest. The drift of the
// sender's clock and its own idea of time are gone by then, and where sender reports tell
// how the streams of one sender belong together, pictures are moved to their sound. Delay
// says how much later than that the network delivers.
//
// # What is lost
//
// Packets that are missing are asked for again, where the sender takes that, and given back by
// forward error correction, where it sends any: ULPFEC (RFC 5109) among the packets of the
// stream, or FlexFEC (draft 03) with an SSRC of its own, at the same port. What error
// correction may still give back is not asked for. Without any nothing is kept for it.
//
// # What is trusted
//
// A stream is taken from the first sender that sends two packets in sequence, and from
// nobody else until that one says goodbye or falls silent. Whatever comes from others,
// carries an unknown payload type or makes no sense is counted, not kept. Memory is
// bounded by Config, and none is allocated for a packet.
//
// Concurrency: one goroutine for each stream receives, because a socket blocks, streams
// have a socket each, and an io_uring belongs to one thread. Read is for one goroutine;
// everything else may be called from any.
package rtp
