package x11

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/scanout-av/scanout/media"
)

func TestDisplayNames(t *testing.T) {
	for name, want := range map[string]string{":0": "0", ":99.0": "99", "unix:1": "1", ":7.1": "7", "": "", "host:0": "", ":": "",
		":x": "", ":0.x": "", "localhost:10.0": "", ":-1": "", ":70000": "", "/tmp/launch/org.x:0": ""} {
		p, ok := parseDisplay(name)
		if ok != (want != "") || p.number != want || ok && p.paths[1] != "/tmp/.X11-unix/X"+want {
			t.Errorf("%q: %+v, %v", name, p, ok)
		}
	}
}

// entry is one of an authority file.
func entry(family uint16, fields ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, family)
	for _, f := range fields {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(f))), f...)
	}
	return b
}

func TestCookie(t *testing.T) {
	file := entry(0, "\x7f\x00\x00\x01", "0", cookieName, "inet")
	file = append(file, entry(familyLocal, "here", "0", "XDM-AUTHORIZATION-1", "other")...)
	file = append(file, entry(familyLocal, "elsewhere", "0", cookieName, "renamed")...)
	file = append(file, entry(familyLocal, "here", "1", cookieName, "one")...)
	file = append(file, entry(familyLocal, "here", "", cookieName, "any")...)
	for _, c := range []struct{ host, number, want string }{{"here", "1", "one"}, {"here", "0", "any"}, {"new", "0", "renamed"}} {
		if got := cookie(file, c.host, c.number); string(got) != c.want {
			t.Errorf("%s:%s: %q, want %q", c.host, c.number, got, c.want)
		}
	}
	if got := cookie(entry(familyWild, "", "", cookieName, "wild"), "here", "3"); string(got) != "wild" {
		t.Errorf("wild: %q", got)
	}
	if got := cookie(nil, "here", "0"); got != nil {
		t.Errorf("no file: %q", got)
	}
}

// event makes what Present sends.
func event(kind, mode byte, window, serial uint32, us, msc uint64) []byte {
	b := make([]byte, 40)
	b[0], b[1], b[10], b[11] = kindGeneric, 147, kind, mode
	le.PutUint32(b[4:], 2)
	le.PutUint16(b[8:], eventComplete)
	le.PutUint32(b[16:], window)
	le.PutUint32(b[20:], serial)
	le.PutUint64(b[24:], us)
	le.PutUint64(b[32:], msc)
	return b
}

func FuzzMessages(f *testing.F) {
	f.Add(event(completeMSC, 0, 1, 2, 3, 4), []byte(cookieName))
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 31: 0}, entry(familyLocal, "a", "b", cookieName, "d"))
	f.Fuzz(func(t *testing.T, message, file []byte) {
		cookie(file, "here", "0")
		if len(message) >= smallest && length(message) < smallest {
			t.Errorf("a message of %d bytes", length(message))
		}
		for _, copies := range []bool{false, true} {
			q := pending{copies: copies}
			for i := 0; i+40 <= len(message); i += 8 {
				if i%16 == 0 {
					q.push(&media.Presented{Number: uint64(i)})
				}
				if c, ok := parseComplete(message[i:], message[1]); ok {
					q.see(c)
				}
			}
			var p media.Presented
			for q.pop(&p) {
			}
			if q.waiting < 0 || q.waiting > q.size || q.size > maxPending {
				t.Errorf("%d of %d waiting", q.waiting, q.size)
			}
		}
	})
}

const ms = media.Instant(time.Millisecond)

// TestPixmaps answers pictures that a driver presents: shown, skipped, one that the server
// says nothing of, and those of a new swapchain, which counts from one.
func TestPixmaps(t *testing.T) {
	var q pending
	ask := func(n uint64, at media.Instant) { q.push(&media.Presented{Number: n, Submitted: at}) }
	next := func(n uint64, actual media.Instant, discarded bool) {
		t.Helper()
		var p media.Presented
		if !q.pop(&p) || p.Number != n || p.Actual != actual || p.Discarded != discarded || p.Source != media.PresentX11 {
			t.Fatalf("want %d at %d, discarded %v; got %+v", n, actual, discarded, p)
		}
	}
	ask(1, 100*ms)
	if q.queued() != 0 {
		t.Error("waiting for a server that has never answered")
	}
	q.see(complete{kind: completePixmap, serial: 9, at: 40 * ms, msc: 2}) // of another one's picture
	q.see(complete{kind: completeMSC, serial: 1, at: 116 * ms, msc: 7})   // of another one's question
	var p media.Presented
	if q.pop(&p) {
		t.Fatalf("answered: %+v", p)
	}
	q.see(complete{kind: completePixmap, mode: modeFlip, serial: 10, at: 116 * ms, msc: 7})
	next(1, 116*ms, false)
	ask(2, 117*ms)
	ask(3, 118*ms)
	ask(4, 130*ms)
	if q.queued() != 3 {
		t.Errorf("%d queued", q.queued())
	}
	q.see(complete{kind: completePixmap, mode: modeSkip, serial: 11})
	q.see(complete{kind: completePixmap, serial: 13, at: 150 * ms, msc: 9}) // 12 is missing
	next(2, 0, true)
	next(3, 0, true)
	next(4, 150*ms, false)
	ask(5, 151*ms)
	q.see(complete{kind: completePixmap, serial: 1, at: 166 * ms, msc: 10})
	next(5, 166*ms, false)
	if q.queued() != 0 || q.size != 0 {
		t.Errorf("%d queued, %d pending", q.queued(), q.size)
	}
}

// TestCopies answers pictures that were copied, each by the refresh after it.
func TestCopies(t *testing.T) {
	q := pending{copies: true}
	for i := range uint32(3) {
		q.push(&media.Presented{Number: uint64(i)}).serial = i + 1
	}
	q.see(complete{kind: completePixmap, serial: 3, at: ms})
	q.see(complete{kind: completeMSC, serial: 2, at: 16 * ms, msc: 5}) // the answer to 1 was lost
	var p media.Presented
	for want := range uint64(2) {
		if !q.pop(&p) || p.Number != want || p.Actual != 16*ms || p.Sequence != 5 {
			t.Errorf("%+v", p)
		}
	}
	if q.pop(&p) || q.queued() != 1 {
		t.Errorf("%+v, %d queued", p, q.queued())
	}
	q.drop()
	if q.queued() != 0 {
		t.Errorf("%d queued after a withdrawal", q.queued())
	}
}

// TestSilence gives up on a server that never answers, and finds the rate of one that does.
func TestSilence(t *testing.T) {
	var q pending
	for i := range uint64(muteAfter + 1) {
		q.push(&media.Presented{Number: i, Submitted: media.Instant(i + 1)})
	}
	var p media.Presented
	for i := range uint64(muteAfter + 1) {
		if !q.pop(&p) || p.Number != i || p.Source != media.PresentFence || p.Actual != media.Instant(i+1) {
			t.Fatalf("%d: %+v", i, p)
		}
	}
	if !q.mute || q.queued() != 0 {
		t.Errorf("mute %v, %d queued", q.mute, q.queued())
	}
}

func TestRate(t *testing.T) {
	q := pending{copies: true}
	at := func(n uint64) media.Instant { return media.Instant(n * 16_683_350) }
	for n := range uint64(200) {
		q.push(&media.Presented{}).serial = uint32(n)
		q.see(complete{kind: completeMSC, serial: uint32(n), at: at(100 + 2*n), msc: 50 + 2*n})
		if known := n >= rateSpan/2; known != (q.rate != 0) {
			t.Fatalf("after %d refreshes the rate is %v", 2*n, q.rate)
		}
	}
	if off := q.rate - 16_683_350; off.Abs() > 2 {
		t.Errorf("rate %v", q.rate)
	}
	q.see(complete{kind: completeMSC, at: at(5000), msc: 3}) // another display, which counts anew
	if q.rate == 0 || q.rateFrom.msc != 3 {
		t.Errorf("%+v", q.rateFrom)
	}
}
