// Package rtp sends access units as RTP: packetized, paced so that a large picture does
// not leave as one burst, with sender reports once a second, and described by SDP.
//
// H.264, H.265, VP9, AAC and Opus are cut here, into one piece of memory an access unit
// and with equal lengths, so that the system can send them as trains; VP8 and AV1 by
// github.com/pion/rtp. Parameter sets that a container keeps to itself go in front of
// every key frame. Packets that the receiver asks for again are sent again ([Retransmitter]), and
// pictures can be protected by forward error correction (Config.FEC).
//
// Ownership: [Sender.Queue] borrows the access unit and copies it.
//
// Concurrency: one goroutine uses a [Sender]. Two for each stream that is not multicast wait
// for what its receiver asks for, which is answered at once and not when the next picture
// is due.
//
// Source: RFC 3550; RFC 4585 (feedback); RFC 6184 (H.264), RFC 7798 (H.265), RFC 7741 (VP8), RFC 9628 (VP9),
// RFC 7587 (Opus), RFC 3640 (AAC), AOM "RTP Payload Format For AV1" 1.0; RFC 8866 (SDP);
// draft-ietf-payload-flexible-fec-scheme-03 (error correction).
package rtp
