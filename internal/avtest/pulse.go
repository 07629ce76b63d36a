package avtest

import (
	"encoding/binary"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"github.com/scanout-av/scanout/media"
)

// PulseServer is a PulseAudio server whose only output is a null sink, 48 kHz stereo.
type PulseServer struct {
	*Process
	// Server is the value for PULSE_SERVER: "unix:/…".
	Server string
	// Monitor is the source that hears what is played.
	Monitor string
	socket  string
}

// Pulse starts a PulseAudio server with a null sink named "null" and ends it with the
// test. Any client is let in.
//
// A program is pointed at it by PULSE_SERVER, SDL in the test's own process by
// (*sdl.Library).Setenv with PULSE_SERVER and SDL_AUDIODRIVER=pulseaudio.
func Pulse(t testing.TB) *PulseServer {
	t.Helper()
	path := need(t, "pulseaudio", "pulseaudio")
	dir := tempDir(t)
	socket := filepath.Join(dir, "native")
	cmd := exec.Command(path, "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=true",
		// Without norewinds an idle null sink renders silence 2 s ahead, and the first stream
		// waits behind that.
		"-L", "module-null-sink sink_name=null rate=48000 channels=2 format=float32le norewinds=1",
		"-L", "module-native-protocol-unix auth-anonymous=1 socket="+socket)
	cmd.Env = append(without(os.Environ(), "HOME", "XDG_RUNTIME_DIR", "PULSE_SERVER", "PULSE_RUNTIME_PATH", "DBUS_SESSION_BUS_ADDRESS"),
		"HOME="+dir, "XDG_RUNTIME_DIR="+dir)
	p := start(t, cmd)
	p.waitFor(t, "its socket is there", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return &PulseServer{Process: p, Server: "unix:" + socket, Monitor: "null.monitor", socket: socket}
}

// PipeWire starts PipeWire with its PulseAudio server and a null sink named "null", and
// ends all of it with the test.
func PipeWire(t testing.TB) *PulseServer {
	t.Helper()
	bus := need(t, "dbus-daemon", "dbus-daemon")
	var paths [3]string
	for i, p := range []string{"pipewire", "wireplumber", "pipewire-pulse"} {
		paths[i] = need(t, p, p)
	}
	need(t, "pactl", "pulseaudio-utils")
	dir := tempDir(t)
	env := append(without(os.Environ(), "HOME", "XDG_RUNTIME_DIR", "PULSE_SERVER", "PULSE_RUNTIME_PATH", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"),
		"HOME="+dir, "XDG_RUNTIME_DIR="+dir, "DBUS_SESSION_BUS_ADDRESS=unix:path="+filepath.Join(dir, "bus"))
	begin := func(socket, path string, args ...string) *Process {
		t.Helper()
		cmd := exec.Command(path, args...)
		cmd.Env = env
		p := start(t, cmd)
		p.waitFor(t, "its socket is there", func() bool {
			c, err := net.Dial("unix", filepath.Join(dir, socket))
			if err == nil {
				c.Close()
			}
			return err == nil
		})
		return p
	}
	begin("bus", bus, "--session", "--nofork", "--address=unix:path="+filepath.Join(dir, "bus"))
	begin("pipewire-0", paths[0])
	begin("pipewire-0", paths[1])
	const socket = "pulse/native"
	p := begin(socket, paths[2])
	s := &PulseServer{Process: p, Server: "unix:" + filepath.Join(dir, socket), Monitor: "null.monitor", socket: filepath.Join(dir, socket)}
	s.Pactl(t, "load-module", "module-null-sink", "sink_name=null", "rate=48000", "channels=2")
	p.waitFor(t, "the null sink is the default", func() bool {
		return strings.Contains(s.Pactl(t, "info"), "Default Sink: null")
	})
	return s
}

// Pactl runs pactl on the server and returns what it prints.
func (s *PulseServer) Pactl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(need(t, "pactl", "pulseaudio-utils"), append([]string{"-s", s.Server}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("pactl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Recording is what the null sink has played since Record, with the moments at which it
// was heard.
type Recording struct {
	client *proto.Client
	conn   net.Conn
	stream uint32
	now    func() media.Instant
	quit   chan struct{}
	done   chan struct{} // closed when the measuring goroutine has ended
	closed chan struct{} // closed when the protocol reader has ended

	mu      sync.Mutex
	samples []float32
	offsets []time.Duration // measured: position in the recording − instant
}

const (
	recordRate     = 48000
	recordChannels = 2
)

// Record starts to record what the null sink plays: 48 kHz stereo. now is the clock that
// SampleTime answers in.
func (s *PulseServer) Record(t testing.TB, now func() media.Instant) *Recording {
	t.Helper()
	conn, err := net.Dial("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	r := &Recording{client: new(proto.Client), conn: conn, now: now,
		quit: make(chan struct{}), done: make(chan struct{}), closed: make(chan struct{})}
	c := r.client
	c.SetTimeout(20 * time.Second)
	c.Callback = r.message
	c.Open(endOfFile{conn})
	request := func(req proto.RequestArgs, reply proto.Reply) {
		t.Helper()
		if err := c.Request(req, reply); err != nil {
			conn.Close()
			t.Fatalf("record: %T: %v", req, err)
		}
	}
	var auth proto.AuthReply
	request(&proto.Auth{Version: c.Version(), Cookie: make([]byte, 256)}, &auth)
	c.SetVersion(auth.Version)
	request(&proto.SetClientName{Props: proto.PropList{"application.name": proto.PropListString("recorder")}}, &proto.SetClientNameReply{})
	var reply proto.CreateRecordStreamReply
	request(&proto.CreateRecordStream{
		SampleSpec:         proto.SampleSpec{Format: proto.FormatFloat32LE, Channels: recordChannels, Rate: recordRate},
		ChannelMap:         proto.ChannelMap{proto.ChannelLeft, proto.ChannelRight},
		SourceIndex:        proto.Undefined,
		SourceName:         s.Monitor,
		BufferMaxLength:    proto.Undefined,
		BufferFragSize:     recordRate / 100 * recordChannels * 4,
		AdjustLatency:      true,
		DirectOnInputIndex: proto.Undefined,
		Properties:         proto.PropList{},
		ChannelVolumes:     proto.ChannelVolumes{uint32(proto.VolumeNorm), uint32(proto.VolumeNorm)},
	}, &reply)
	r.stream = reply.StreamIndex
	go r.measure()
	t.Cleanup(func() { r.Stop() })
	return r
}

// endOfFile reports every read error as io.EOF: that is the only one of which
// proto.Client tells its callback.
type endOfFile struct{ net.Conn }

// Read implements io.Reader.
func (c endOfFile) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// message is called on the protocol reader's goroutine.
func (r *Recording) message(m any) {
	switch m := m.(type) {
	case *proto.DataPacket:
		r.mu.Lock()
		for b := m.Data; len(b) >= 4; b = b[4:] {
			r.samples = append(r.samples, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		r.mu.Unlock()
	case *proto.ConnectionClosed:
		close(r.closed)
	}
}

// measure asks where the recording is, every 20 ms.
func (r *Recording) measure() {
	defer close(r.done)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-tick.C:
		}
		var l proto.GetRecordLatencyReply
		sent := time.Now()
		us := sent.UnixMicro()
		err := r.client.Request(&proto.GetRecordLatency{StreamIndex: r.stream, Time: proto.Time{Seconds: uint32(us / 1e6), Microseconds: uint32(us % 1e6)}}, &l)
		at, wall := r.now(), time.Now()
		if err != nil {
			return
		}
		// The server is on this machine: its own stamp says when it measured.
		server := time.Unix(int64(l.ReplyTime.Seconds), int64(l.ReplyTime.Microseconds)*1000)
		at = at.Add(-wall.Round(0).Sub(server))
		position := time.Duration(l.WriteIndex) * time.Second / (recordRate * recordChannels * 4)
		// What was captured and not delivered comes on top; what was delivered ahead of
		// being heard (a monitor runs ahead of its sink) comes off.
		position += time.Duration(l.Latency)*time.Microsecond - time.Duration(l.MonitorLatency)*time.Microsecond
		// Before the first sample there is nothing to measure.
		if l.Running && l.WriteIndex > 0 {
			r.mu.Lock()
			r.offsets = append(r.offsets, position-time.Duration(at))
			r.mu.Unlock()
		}
	}
}

// Samples returns a copy of what has been recorded, interleaved stereo at 48 kHz.
func (r *Recording) Samples() []float32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.samples)
}

// SampleTime returns when sample n (per channel) was heard, by the recording's own time
// line. A measurement may lack a block that is on its way to the recording, but none is
// ahead of the truth: so the 90th percentile of them counts.
func (r *Recording) SampleTime(n int) (media.Instant, bool) {
	r.mu.Lock()
	o := slices.Clone(r.offsets)
	r.mu.Unlock()
	if len(o) == 0 {
		return 0, false
	}
	slices.Sort(o)
	return media.Instant(time.Duration(n)*time.Second/recordRate - o[len(o)*9/10]), true
}

// Spread returns the distance between the median and the 95th percentile of the
// measurements, which says how far SampleTime can be trusted, and their number.
func (r *Recording) Spread() (time.Duration, int) {
	r.mu.Lock()
	o := slices.Clone(r.offsets)
	r.mu.Unlock()
	if len(o) == 0 {
		return 0, 0
	}
	slices.Sort(o)
	return o[len(o)*95/100] - o[len(o)/2], len(o)
}

// Stop ends the recording and returns it. Stopping twice returns the same.
func (r *Recording) Stop() []float32 {
	select {
	case <-r.quit:
	default:
		close(r.quit)
	}
	r.conn.Close()
	<-r.done
	<-r.closed
	return r.Samples()
}
