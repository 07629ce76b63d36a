package rtp

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// told is how far a stream had come when it was last said what is waited for.
type told uint8

const (
	toldNothing  told = iota
	toldSilence       // nothing comes
	toldUseless       // what comes cannot be used
	toldPictures      // it has no key frame yet
)

// firstNotice is how long opening says nothing.
const firstNotice = time.Second

// name is the stream in messages.
func (t *track) name() string {
	if t.media.anything {
		return fmt.Sprintf("port %d", t.media.Port)
	}
	return fmt.Sprintf("port %d (%s)", t.media.Port, t.media.Kind)
}

// lacks says what is missing before the stream can be decoded, and what to do about it. It
// is called under mu.
func (t *track) lacks() (string, told) {
	c := &t.c
	came := func(n int64) string {
		if n == 1 {
			return "1 packet came"
		}
		return fmt.Sprintf("%d packets came", n)
	}
	switch {
	case c.Packets > 0 && t.pictures && !t.sized:
		f := t.format // known: a packet was taken
		s := came(c.Packets) + " and no key frame"
		switch f.Codec {
		case "h264", "hevc":
			s += " with parameter sets: let the sender repeat them (x264: repeat-headers=1, GStreamer: config-interval=1) or put them into the session description (sprop-parameter-sets)"
		default:
			s += ": let the sender make one more often (ffmpeg: -g 30)"
		}
		if c.Malformed > 0 {
			s += fmt.Sprintf("; %d of them are no %s: is that what is sent?", c.Malformed, encodingName(f))
		} else {
			s += fmt.Sprintf("; or is it not %s that is sent?", encodingName(f))
		}
		return s, toldPictures
	case c.Packets > 0:
		return came(c.Packets) + " and no whole picture", toldPictures
	case c.Unknown > 0 && t.media.anything:
		return fmt.Sprintf("%s, of payload type %d, which says nothing by itself: add ?codec=h264, or what else is sent, to the address, or play its session description (.sdp)",
			came(c.Unknown), t.unknown), toldUseless
	case c.Unknown > 0:
		return fmt.Sprintf("%s, of payload type %d, and %s: compare pt= or a=rtpmap with what the sender uses", came(c.Unknown), t.unknown, t.described()), toldUseless
	case c.Malformed > 0:
		return came(c.Malformed) + ", not as RTP: for MPEG-TS use udp://", toldUseless
	case c.Foreign > 0:
		return fmt.Sprintf("%s, but not from %v, which the description names", came(c.Foreign), t.media.From), toldUseless
	}
	return "", toldSilence
}

// described lists the payload types that are expected.
func (t *track) described() string {
	var types []string
	for i := range t.media.Formats {
		if f := &t.media.Formats[i]; f.role == roleMedia && f.PayloadType != anyType {
			types = append(types, fmt.Sprint(f.PayloadType))
		}
	}
	switch len(types) {
	case 0:
		return "another one was first"
	case 1:
		return types[0] + " is described"
	}
	return strings.Join(types, ", ") + " are described"
}

func encodingName(f *Format) string { return strings.ToUpper(f.Encoding) }

// notice says what is waited for, once for each state in which a stream is.
func (s *Source) notice() {
	for _, t := range s.tracks {
		if t.known() {
			continue
		}
		t.mu.Lock()
		why, now := t.lacks()
		again := now <= t.told
		t.told = max(t.told, now)
		t.mu.Unlock()
		switch {
		case again:
		case now == toldSilence:
			s.cfg.Log.Warn(fmt.Sprintf("%s: waiting for the first packet, for %v at most", t.name(), s.cfg.OpenTimeout))
		case now == toldPictures && t.pictures:
			s.cfg.Log.Warn(t.name() + ": packets come, waiting for a key frame")
		default:
			s.cfg.Log.Warn(t.name() + ": " + why)
		}
	}
}

const (
	// longSilence is how long a sender says nothing before that is said: pictures of screens
	// come once a second or so.
	longSilence = 3 * time.Second
	// mostSilences is how often it is: some senders pause now and then.
	mostSilences = 5
)

// silence says that the sender has been silent for d and is waited for, for patience in all,
// and that it is back. Of sound beside pictures it says nothing: many send none where there
// is none.
func (t *track) silence(d, patience time.Duration) {
	log := t.s.cfg.Log
	switch {
	case t.silent != 0 && d < longSilence:
		log.Warn(fmt.Sprintf("%s: %v sends again, after %v", t.name(), t.sender.from, t.sender.heard.Sub(t.silent).Round(100*time.Millisecond)))
		t.silent = 0
	case t.silent == 0 && d >= longSilence && !t.sender.bye && t.silences < mostSilences && (t.pictures || len(t.s.tracks) == 1):
		wait := fmt.Sprintf("for %v", patience)
		if patience > 24*time.Hour {
			wait = "however long that takes"
		}
		log.Warn(fmt.Sprintf("%s: the sender, %v, has fallen silent: waiting %s for it or another one (--reconnect)", t.name(), t.sender.from, wait))
		t.silent = t.sender.heard
		t.silences++
	}
}

// nothing says why opening failed.
func (s *Source) nothing() error {
	var why []string
	for _, t := range s.tracks {
		t.mu.Lock()
		why = append(why, t.name()+": "+s.missing(t))
		t.mu.Unlock()
	}
	return errors.New(strings.Join(why, "; "))
}

// missing is why a stream cannot be played when opening has taken its time.
func (s *Source) missing(t *track) string {
	why, state := t.lacks()
	if state == toldSilence {
		return fmt.Sprintf("nothing came in %v: is the sender running, and is this where it sends to?", s.cfg.OpenTimeout)
	}
	return why
}

// complain says once what came and could not be used.
func (t *track) complain() {
	if drops := t.c.KernelDrops; drops > 0 {
		t.s.cfg.Log.Warn(fmt.Sprintf("%s: the system dropped %d packets because its receive buffer was full: raise its limit (sysctl net.core.rmem_max=8388608)", t.name(), drops))
	}
	if !t.s.opened.Load() {
		return // what kept it from opening says it
	}
	var of []string
	for _, x := range []struct {
		n    int64
		what string
	}{
		{t.c.Malformed, "malformed"}, {t.c.Unknown, "of a payload type that is not described"}, {t.c.Foreign, "of another sender"},
		{t.c.Strange, "with odd sequence numbers"},
	} {
		if x.n > 0 {
			of = append(of, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	if len(of) > 0 {
		t.s.cfg.Log.Warn(t.name() + ": packets that could not be used: " + strings.Join(of, ", "))
	}
	if n := t.c.Oversized; n > 0 {
		t.s.cfg.Log.Warn(fmt.Sprintf("%s: %d units of more than %d bytes were dropped", t.name(), n, t.s.cfg.MaxUnit))
	}
}
