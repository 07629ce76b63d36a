package audio

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"sync"

	"github.com/jfreymuth/pulse/proto"
)

// The wire lies between the connection and proto.Client. proto.Client speaks the set-up
// (authentication, creation of the stream); it allocates for every message. The handful
// of messages that repeat while playing are written and read here without allocating:
// those coming in are taken out of the byte stream before proto.Client sees them, and
// those going out carry tags that it never uses.
//
// Source: PulseAudio's PROTOCOL file and pulsecore/native-common.h.
type wire struct {
	conn net.Conn
	// event gets each message of the playing phase, on the reader's goroutine.
	event func(m *message)

	// The reader's side.
	in   []byte
	r, w int // unread bytes of in
	pass int // bytes of the current packet that proto.Client has not read yet
	m    message

	mu     sync.Mutex // guards conn's writing side and all below
	held   []byte     // what proto.Client has written of a packet
	out    []byte     // scratch for a packet
	serial uint32
}

const (
	headerSize = 20
	// command is the channel of everything that is not samples.
	command = 0xFFFFFFFF
	// ownTag marks the tags of requests made here; proto.Client counts from 0.
	ownTag = 1 << 31
	// maxPacket is what PulseAudio itself refuses to exceed.
	maxPacket = 16 << 20
)

// message is what the server says while playing.
type message struct {
	op     uint32 // proto.OpReply, OpError, OpRequest, OpUnderflow, OpStarted…
	tag    uint32 // of OpReply and OpError
	stream uint32
	length uint32 // OpRequest: bytes asked for; OpError: the code
	delay  delay  // OpReply
}

// delay is the answer to getDelay.
type delay struct {
	latency     uint64 // µs until what is read now is heard
	running     bool
	server      int64 // the server's wall clock, µs
	write, read int64 // bytes
}

var errProtocol = errors.New("audio: the server's answer makes no sense")

// Read hands proto.Client what is its own. It implements io.Reader.
// Errors: io.EOF for everything, because that is the only one of which proto.Client
// tells its callback.
func (w *wire) Read(p []byte) (int, error) {
	for {
		if w.pass > 0 && w.w > w.r {
			n := copy(p, w.in[w.r:min(w.w, w.r+w.pass)])
			w.r += n
			w.pass -= n
			return n, nil
		}
		if w.pass == 0 && w.w-w.r >= headerSize {
			length := int(binary.BigEndian.Uint32(w.in[w.r:]))
			if length > maxPacket {
				return 0, io.EOF
			}
			whole := headerSize + length
			if w.w-w.r >= whole {
				packet := w.in[w.r : w.r+whole]
				if own, err := w.take(packet); err != nil {
					return 0, io.EOF
				} else if own {
					w.r += whole
				} else {
					w.pass = whole
				}
				continue
			}
			if len(w.in) < whole {
				w.in = append(make([]byte, 0, 2*whole), w.in[w.r:w.w]...)[:2*whole]
				w.r, w.w = 0, w.w-w.r
			}
		}
		if w.r > 0 {
			w.w = copy(w.in, w.in[w.r:w.w])
			w.r = 0
		}
		n, err := w.conn.Read(w.in[w.w:])
		w.w += n
		if n == 0 && err != nil {
			return 0, io.EOF
		}
	}
}

// take handles a packet of the playing phase; false leaves it to proto.Client.
func (w *wire) take(packet []byte) (bool, error) {
	if binary.BigEndian.Uint32(packet[4:]) != command {
		return true, nil // samples: nobody asked for any
	}
	p := parser{b: packet[headerSize:]}
	m := &w.m
	*m = message{op: p.u32(), tag: p.u32()}
	switch m.op {
	case proto.OpReply:
		if m.tag&ownTag == 0 {
			return false, nil
		}
		if len(p.b) > 0 {
			m.delay.latency = p.u64('U')
			p.u64('U')
			m.delay.running = p.bool()
			p.time()
			m.delay.server = p.time()
			m.delay.write = int64(p.u64('r'))
			m.delay.read = int64(p.u64('r'))
		}
	case proto.OpError:
		if m.tag&ownTag == 0 {
			return false, nil
		}
		m.length = p.u32()
	case proto.OpRequest:
		m.stream, m.length = p.u32(), p.u32()
	default:
		// Every event names its stream first; those without one are not ours to judge.
		m.stream = proto.Undefined
		if len(p.b) >= 5 && p.b[0] == 'L' {
			m.stream = p.u32()
		}
	}
	if p.bad {
		return true, errProtocol
	}
	w.event(m)
	return true, nil
}

// parser reads the tagged values of a packet.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) next(tag byte, n int) []byte {
	if len(p.b) < n+1 || p.b[0] != tag {
		p.bad, p.b = true, nil
		return zeros[:n]
	}
	v := p.b[1 : n+1]
	p.b = p.b[n+1:]
	return v
}

var zeros [8]byte

func (p *parser) u32() uint32         { return binary.BigEndian.Uint32(p.next('L', 4)) }
func (p *parser) u64(tag byte) uint64 { return binary.BigEndian.Uint64(p.next(tag, 8)) }

// time reads a point of the wall clock, in µs.
func (p *parser) time() int64 {
	v := p.next('T', 8)
	return int64(binary.BigEndian.Uint32(v))*1e6 + int64(binary.BigEndian.Uint32(v[4:]))
}

func (p *parser) bool() bool {
	if len(p.b) == 0 || p.b[0] != '0' && p.b[0] != '1' {
		p.bad, p.b = true, nil
		return false
	}
	v := p.b[0] == '1'
	p.b = p.b[1:]
	return v
}

// Write takes proto.Client's packets, which come in pieces, and sends each at once, so
// that nothing gets between the pieces. It implements io.Writer.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = append(w.held, p...)
	if len(w.held) < headerSize || len(w.held) < headerSize+int(binary.BigEndian.Uint32(w.held)) {
		return len(p), nil
	}
	_, err := w.conn.Write(w.held)
	w.held = w.held[:0]
	return len(p), err
}

// nextTag returns a tag that no other request has.
func (w *wire) nextTag() uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tag()
}

func (w *wire) tag() uint32 {
	w.serial++
	return ownTag | w.serial&(ownTag-1)
}

// begin starts a command in w.out; the caller holds w.mu.
func (w *wire) begin(op, tag uint32) {
	w.out = w.out[:headerSize]
	w.u32(op)
	w.u32(tag)
}

func (w *wire) u32(v uint32) {
	w.out = append(w.out, 'L')
	w.out = binary.BigEndian.AppendUint32(w.out, v)
}

func (w *wire) bool(v bool) {
	b := byte('0')
	if v {
		b = '1'
	}
	w.out = append(w.out, b)
}

// end sends what is in w.out on a channel.
func (w *wire) end(channel uint32) error {
	h := w.out[:headerSize]
	clear(h)
	binary.BigEndian.PutUint32(h, uint32(len(w.out)-headerSize))
	binary.BigEndian.PutUint32(h[4:], channel)
	_, err := w.conn.Write(w.out)
	return err
}

// streamCommand sends a command whose only argument is a stream or a sink input.
func (w *wire) streamCommand(op, index uint32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(op, w.tag())
	w.u32(index)
	return w.end(command)
}

// switchCommand sends a command that switches something of index on or off.
func (w *wire) switchCommand(op, index uint32, on bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(op, w.tag())
	w.u32(index)
	w.bool(on)
	return w.end(command)
}

// volume sets the volume of a sink input; on the server's scale 1 is 0x10000, too, and
// perceptual.
func (w *wire) volume(index uint32, channels int, v float64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(proto.OpSetSinkInputVolume, w.tag())
	w.u32(index)
	w.out = append(w.out, 'v', byte(channels))
	for range channels {
		w.out = binary.BigEndian.AppendUint32(w.out, uint32(math.Round(v*float64(proto.VolumeNorm))))
	}
	return w.end(command)
}

// getDelay asks where the stream is; wall is now in µs. The answer carries tag.
func (w *wire) getDelay(tag, stream uint32, wall int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(proto.OpGetPlaybackLatency, tag)
	w.u32(stream)
	w.out = append(w.out, 'T')
	w.out = binary.BigEndian.AppendUint32(w.out, uint32(wall/1e6))
	w.out = binary.BigEndian.AppendUint32(w.out, uint32(wall%1e6))
	return w.end(command)
}

// samples sends samples to a stream.
func (w *wire) samples(stream uint32, x []float32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = w.out[:headerSize]
	for _, v := range x {
		w.out = binary.LittleEndian.AppendUint32(w.out, math.Float32bits(v))
	}
	return w.end(stream)
}
