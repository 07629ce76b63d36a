package jitter

import (
	"time"

	"github.com/scanout-av/scanout/media"
)

// Nacks says which missing packets to ask for, and when: once each has been missing for a
// moment, then again after each round trip, as long as an answer can come in time.
//
// Every request is counted against a budget in proportion to what is received, so that a
// bad network is not made worse.
//
// Source: RFC 4585, 6.2.1.
type Nacks struct {
	// RTT is the round trip as far as it is known.
	RTT time.Duration
	// Grace is how long a packet is missing before it is asked for, at least: error correction
	// may give it back.
	Grace   time.Duration
	entries [maxNacks]nack
	n       int
	budget  float64
	sent    int64
}

type nack struct {
	seq   int64
	asked media.Instant // first
	next  media.Instant
	tries int
}

const (
	maxNacks    = 256
	nackTries   = 4
	nackGrace   = 2 * time.Millisecond // reordering mends itself
	nackAgain   = time.Millisecond     // whoever answers has to wake up, too
	nackShare   = 0.25                 // requests for each packet received
	nackReserve = 64
	defaultRTT  = 20 * time.Millisecond
)

// Receive says that packet seq came, and earns the budget for requests.
func (k *Nacks) Receive(seq int64, now media.Instant) {
	k.budget = min(k.budget+nackShare, nackReserve)
	for i := range k.n {
		if e := &k.entries[i]; e.seq == seq {
			if e.tries > 0 {
				k.learn(now.Sub(e.asked), e.tries)
			}
			k.n--
			k.entries[i] = k.entries[k.n]
			return
		}
	}
}

// Forget says that packet seq need not come any more, and that it did not.
func (k *Nacks) Forget(seq int64) {
	for i := range k.n {
		if k.entries[i].seq == seq {
			k.n--
			k.entries[i] = k.entries[k.n]
			return
		}
	}
}

// learn takes how long after the first request a packet came. Which of several requests was
// answered is not known; to take none of these would ask twice for everything, for ever,
// where the way is longer than was thought. So they count, up to twice what is known.
func (k *Nacks) learn(rtt time.Duration, tries int) {
	known := k.roundTrip()
	if tries > 1 {
		rtt = min(rtt, 2*known)
	}
	if k.RTT == 0 {
		k.RTT = rtt
	} else {
		k.RTT += (rtt - k.RTT) / 8
	}
}

func (k *Nacks) roundTrip() time.Duration {
	if k.RTT > 0 {
		return k.RTT
	}
	return defaultRTT
}

// Miss says that packet seq is missing. It may be said again.
func (k *Nacks) Miss(seq int64, now media.Instant) {
	for i := range k.n {
		if k.entries[i].seq == seq {
			return
		}
	}
	if k.n < maxNacks {
		k.entries[k.n] = nack{seq: seq, next: now.Add(max(nackGrace, k.Grace))}
		k.n++
	}
}

// GiveUp forgets what is older than seq: nobody waits for it any more.
func (k *Nacks) GiveUp(seq int64) {
	for i := 0; i < k.n; {
		if k.entries[i].seq < seq {
			k.n--
			k.entries[i] = k.entries[k.n]
			continue
		}
		i++
	}
}

// Due fills seqs with the numbers to ask for now and returns how many.
func (k *Nacks) Due(now media.Instant, seqs []int64) int {
	again := max(k.roundTrip()*3/2, nackAgain)
	n := 0
	for i := 0; i < k.n && n < len(seqs); {
		e := &k.entries[i]
		switch {
		case now < e.next:
		case e.tries == nackTries: // and the answer to the last request had its time
			k.n--
			*e = k.entries[k.n]
			continue
		case k.budget >= 1:
			k.budget--
			e.tries++
			if e.tries == 1 {
				e.asked = now
			}
			e.next = now.Add(again)
			if k.RTT == 0 { // until it is known, longer and longer
				e.next = now.Add(again << (e.tries - 1))
			}
			seqs[n] = e.seq
			n++
			k.sent++
		}
		i++
	}
	return n
}

// Next is when Due has something to say, 0 for never.
func (k *Nacks) Next() media.Instant {
	var t media.Instant
	for i := range k.n {
		if e := &k.entries[i]; t == 0 || e.next < t {
			t = e.next
		}
	}
	return t
}

// Sent counts the requests.
func (k *Nacks) Sent() int64 { return k.sent }

// Reset forgets what is missing.
func (k *Nacks) Reset() { k.n = 0 }
