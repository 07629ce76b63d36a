package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jfreymuth/pulse/proto"
)

func TestParseServer(t *testing.T) {
	here := func(m string) bool { return m == "here" }
	for in, want := range map[string][]address{
		"":                       nil,
		"/run/p/native":          {{"unix", "/run/p/native"}},
		"unix:/run/p":            {{"unix", "/run/p"}},
		"unix:":                  nil,
		"tcp:host":               {{"tcp", "host:4713"}},
		"tcp:host:99":            {{"tcp", "host:99"}},
		"tcp4:1.2.3.4":           {{"tcp4", "1.2.3.4:4713"}},
		"tcp6:[::1]:5":           {{"tcp6", "[::1]:5"}},
		"tcp6:::1":               {{"tcp6", "[::1]:4713"}},
		"host":                   {{"tcp", "host:4713"}},
		"{here}unix:/a {far}/b":  {{"unix", "/a"}},
		"{here} {broken unix:/c": {{"unix", "/c"}},
		"/a tcp:b":               {{"unix", "/a"}, {"tcp", "b:4713"}},
	} {
		got := parseServer(in, here)
		if d := cmp.Diff(want, got, cmp.AllowUnexported(address{})); d != "" {
			t.Errorf("%q: %s", in, d)
		}
	}
}

func TestAddresses(t *testing.T) {
	env := map[string]string{"XDG_RUNTIME_DIR": "/run/user/1"}
	get := func(k string) string { return env[k] }
	if got := addresses("", get)[0]; got.addr != "/run/user/1/pulse/native" {
		t.Errorf("default: %v", got)
	}
	env["PULSE_SERVER"] = "/s"
	if got := addresses("", get); len(got) != 1 || got[0].addr != "/s" {
		t.Errorf("PULSE_SERVER: %v", got)
	}
	if got := addresses("/asked", get); len(got) != 1 || got[0].addr != "/asked" {
		t.Errorf("asked for: %v", got)
	}
}

// packet frames a command.
func packet(payload ...any) []byte {
	var b bytes.Buffer
	for _, v := range payload {
		switch v := v.(type) {
		case uint32:
			b.WriteByte('L')
			binary.Write(&b, binary.BigEndian, v)
		case string:
			b.WriteString(v)
		case uint64:
			binary.Write(&b, binary.BigEndian, v)
		}
	}
	h := make([]byte, headerSize)
	binary.BigEndian.PutUint32(h, uint32(b.Len()))
	binary.BigEndian.PutUint32(h[4:], command)
	return append(h, b.Bytes()...)
}

func delayReply(tag uint32) []byte {
	return packet(uint32(proto.OpReply), tag, "U", uint64(5000), "U", uint64(0), "1", "T", uint64(7<<32|8), "T", uint64(9<<32|10), "r", uint64(1600), "r", uint64(800), "R", uint64(0), "R", uint64(0))
}

// scriptedConn is a connection that delivers bytes in pieces of a given size.
type scriptedConn struct {
	net.Conn
	in    []byte
	piece int
	out   bytes.Buffer
}

func (c *scriptedConn) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, errors.New("reset")
	}
	n := copy(p[:min(len(p), max(c.piece, 1))], c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *scriptedConn) Write(p []byte) (int, error) { return c.out.Write(p) }

func TestWireReads(t *testing.T) {
	theirs := append(packet(uint32(proto.OpReply), uint32(3), "hello"), packet(uint32(proto.OpError), uint32(4), uint32(1))...)
	var stream []byte
	stream = append(stream, packet(uint32(proto.OpRequest), uint32(proto.Undefined), uint32(7), uint32(4096))...)
	stream = append(stream, theirs[:len(theirs)/2+3]...) // ends within the second packet
	rest := theirs[len(theirs)/2+3:]
	stream = append(stream, rest...)
	stream = append(stream, delayReply(ownTag|5)...)
	stream = append(stream, packet(uint32(proto.OpUnderflow), uint32(proto.Undefined), uint32(7), "r", uint64(1))...)
	stream = append(stream, packet(uint32(222), uint32(1), "unknown event")...)
	for piece := range 90 {
		var got []message
		w := wire{conn: &scriptedConn{in: stream, piece: piece}, in: make([]byte, 32), event: func(m *message) { got = append(got, *m) }}
		passed, err := io.ReadAll(&w)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(passed, theirs) {
			t.Fatalf("piece %d: passed on %q, want %q", piece, passed, theirs)
		}
		want := []message{
			{op: proto.OpRequest, tag: proto.Undefined, stream: 7, length: 4096},
			{op: proto.OpReply, tag: ownTag | 5, delay: delay{latency: 5000, running: true, server: 9_000_010, write: 1600, read: 800}},
			{op: proto.OpUnderflow, tag: proto.Undefined, stream: 7},
			{op: 222, tag: 1, stream: proto.Undefined},
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(message{}, delay{})); d != "" {
			t.Fatalf("piece %d: %s", piece, d)
		}
	}
}

func TestWireWrites(t *testing.T) {
	c := &scriptedConn{}
	w := wire{conn: c, out: make([]byte, headerSize, 1024)}
	p := packet(uint32(8), uint32(0))
	// The pieces of one packet stay together whatever comes between.
	for _, b := range [][]byte{p[:4], p[4:headerSize]} {
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.switchCommand(proto.OpCorkPlaybackStream, 9, true); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(p[headerSize:]); err != nil {
		t.Fatal(err)
	}
	want := append(packet(uint32(proto.OpCorkPlaybackStream), uint32(ownTag|1), uint32(9), "1"), p...)
	if !bytes.Equal(c.out.Bytes(), want) {
		t.Errorf("got  %q\nwant %q", c.out.Bytes(), want)
	}
	c.out.Reset()
	if err := w.samples(9, []float32{1, -1}); err != nil {
		t.Fatal(err)
	}
	want = []byte{0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0x80, 0xbf}
	if !bytes.Equal(c.out.Bytes(), want) {
		t.Errorf("samples: % x", c.out.Bytes())
	}
}

func FuzzWire(f *testing.F) {
	f.Add(delayReply(ownTag|1), 7)
	f.Add(packet(uint32(proto.OpRequest), uint32(proto.Undefined), uint32(7), uint32(4096)), 1)
	f.Add(packet(uint32(proto.OpReply), uint32(3), "hello"), 100)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		w := wire{conn: &scriptedConn{in: b, piece: piece}, in: make([]byte, 32), event: func(*message) {}}
		got, err := io.ReadAll(&w)
		if err != nil || len(got) > len(b) {
			t.Fatalf("%d bytes of %d: %v", len(got), len(b), err)
		}
	})
}

// TestPulseNoServer checks the refusal, and that a server that says nothing sensible is
// given up.
func TestPulseNoServer(t *testing.T) {
	_, err := Open(Config{Backend: Pulse, Server: "unix:" + t.TempDir() + "/none"})
	if err == nil {
		t.Fatal("no error")
	}
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			c.SetDeadline(time.Now().Add(time.Minute))
			c.Write([]byte("HTTP/1.1 400 Bad Request, and so on for a while\r\n\r\n"))
			c.Close()
		}
	}()
	if s, err := Open(Config{Backend: Pulse, Server: "unix:" + l.Addr().String()}); err == nil {
		s.Close()
		t.Fatal("no error")
	}
}
