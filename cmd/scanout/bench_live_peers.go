package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/internal/impair"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// Rows of the live benchmark whose source is another program: what comes is read by
// libavformat. When its pictures left is not known, so there is no latency in them.

// livePeer is such a row.
type livePeer struct {
	name string
	rtsp bool // else MPEG-TS over UDP
	cut  time.Duration
}

var livePeers = []livePeer{
	{name: "MPEG-TS, 2 s partition", cut: 2 * time.Second},
	{name: "MPEG-TS, sender restart"},
	{name: "RTSP, 2 s partition", rtsp: true, cut: 2 * time.Second},
	{name: "RTSP, server restart", rtsp: true},
}

// peerServer serves a file like a camera. Arguments: port, file.
const peerServer = `
import sys, gi
gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import Gst, GstRtspServer, GLib
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address('127.0.0.1')
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch('( filesrc location=' + sys.argv[2] + ' ! queue ! tsdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 )')
server.get_mount_points().add_factory('/v', factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
`

// peerRun plays what another program sends.
type peerRun struct {
	liveRun
	peer livePeer
	file string // what is sent

	proxy *impair.Proxy
	relay *relay
	port  int
	proc  *exec.Cmd
}

// makePeerClip writes a transport stream that is long enough for a row.
func makePeerClip(ctx context.Context, dir string, c *liveClip) (string, error) {
	once, path := filepath.Join(dir, "once.ts"), filepath.Join(dir, "peer.ts")
	for _, args := range [][]string{
		{"-fflags", "+genpts", "-r", fmt.Sprint(liveRate), "-i", filepath.Join(dir, fmt.Sprintf("%d.h264", c.height)), "-c", "copy", once},
		{"-stream_loop", "19", "-i", once, "-c", "copy", path},
	} {
		if out, err := exec.CommandContext(ctx, "ffmpeg", append([]string{"-v", "error", "-y"}, args...)...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("ffmpeg: %w: %s", err, out)
		}
	}
	return path, nil
}

func (r *peerRun) run(ctx context.Context) (err error) {
	r.foreign = true
	r.waiting = map[uint64]livePicture{}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cfg := player.Config{Output: player.OutputNull, Refresh: liveRate, Audio: player.AudioNone, Decoder: player.DecoderFFmpeg,
		OnPresent: r.present, OnPresented: r.presented}
	defer func() { r.end() }()
	if r.peer.rtsp {
		if err := r.start(ctx); err != nil {
			return err
		}
		if r.relay, err = newRelay(r.port); err != nil {
			return err
		}
		defer r.relay.close()
		cfg.Media = fmt.Sprintf("rtsp://127.0.0.1:%d/v", r.relay.port())
		cfg.Network.Transport = "tcp"
	} else {
		free, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		to := free.LocalAddr().String()
		free.Close()
		if r.proxy, err = impair.NewProxy(impair.ProxyConfig{Routes: []impair.Route{{Listen: "127.0.0.1:0", To: to}}}); err != nil {
			return err
		}
		defer r.proxy.Close()
		cfg.Media = "udp://" + to
		if err := r.start(ctx); err != nil {
			return err
		}
	}
	p, err := player.Open(ctx, cfg)
	if err != nil {
		return err
	}
	fault := make(chan error, 1)
	go func() { fault <- r.fail(ctx) }()
	playing, end := context.WithTimeout(ctx, r.length)
	defer end()
	err = p.Run(playing)
	err = errors.Join(err, p.Close())
	r.stats = p.Stats()
	stop()
	return errors.Join(err, <-fault)
}

// fail does what the row is about, after a third of its time.
func (r *peerRun) fail(ctx context.Context) error {
	wait := func(d time.Duration) bool {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(d):
			return true
		}
	}
	if !wait(r.length / 3) {
		return nil
	}
	if r.peer.cut > 0 {
		r.cut(true)
		defer r.cut(false)
		if wait(r.peer.cut) {
			r.healAt(clock.Now())
		}
		return nil
	}
	r.end()
	if !wait(300 * time.Millisecond) {
		return nil
	}
	if err := r.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	r.healAt(clock.Now())
	return nil
}

// cut lets nothing pass, or everything again.
func (r *peerRun) cut(on bool) {
	if r.proxy != nil {
		r.proxy.Cut(on, on)
	} else {
		r.relay.hold(on)
	}
}

// start starts the other program.
func (r *peerRun) start(ctx context.Context) error {
	if !r.peer.rtsp {
		r.proc = exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-nostdin", "-re", "-i", r.file, "-c", "copy", "-f", "mpegts",
			"udp://"+r.proxy.Addr(0).String()+"?pkt_size=1316")
		return r.proc.Start()
	}
	const python = "/usr/bin/python3" // the one that Debian's modules are for
	if exec.Command(python, "-c", "import gi; gi.require_version('GstRtspServer', '1.0')").Run() != nil {
		return fmt.Errorf("RTSP is served by GStreamer, which is missing (apt-get install python3-gi gir1.2-gst-rtsp-server-1.0): %w", media.ErrNotSupported)
	}
	r.proc = exec.CommandContext(ctx, python, "-c", peerServer, fmt.Sprint(r.port), r.file)
	out, err := r.proc.StdoutPipe()
	if err != nil {
		return err
	}
	if err := r.proc.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the RTSP server did not start: %w", err)
	}
	_, err = fmt.Sscan(line, &r.port)
	return err
}

// end kills it.
func (r *peerRun) end() {
	if r.proc != nil && r.proc.Process != nil {
		_ = r.proc.Process.Kill()
		_ = r.proc.Wait()
		r.proc = nil
	}
}

// relay passes TCP connections on to a port of this machine.
type relay struct {
	l       net.Listener
	to      int
	running sync.WaitGroup

	mu    sync.Mutex
	gate  sync.Cond
	held  bool
	ended bool
	open  []net.Conn
}

func newRelay(to int) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{l: l, to: to}
	r.gate.L = &r.mu
	r.running.Go(r.accept)
	return r, nil
}

func (r *relay) port() int { return r.l.Addr().(*net.TCPAddr).Port }

func (r *relay) accept() {
	for {
		in, err := r.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.to))
		if err != nil { // nobody is there
			in.Close()
			continue
		}
		r.mu.Lock()
		if r.open = append(r.open, in, out); r.ended {
			in.Close()
			out.Close()
		}
		r.mu.Unlock()
		r.running.Go(func() { r.pass(in, out) })
		r.running.Go(func() { r.pass(out, in) })
	}
}

// pass copies until one of the two ends.
func (r *relay) pass(to, from net.Conn) {
	_, _ = io.Copy(gated{to, r}, from)
	to.Close()
	from.Close()
}

// gated writes while the relay is not held.
type gated struct {
	io.Writer
	r *relay
}

func (g gated) Write(b []byte) (int, error) {
	g.r.mu.Lock()
	for g.r.held && !g.r.ended {
		g.r.gate.Wait()
	}
	ended := g.r.ended
	g.r.mu.Unlock()
	if ended {
		return 0, os.ErrClosed
	}
	return g.Writer.Write(b)
}

func (r *relay) hold(on bool) {
	r.mu.Lock()
	r.held = on
	r.mu.Unlock()
	r.gate.Broadcast()
}

func (r *relay) close() {
	r.l.Close()
	r.mu.Lock()
	r.ended = true
	for _, c := range r.open {
		c.Close()
	}
	r.mu.Unlock()
	r.gate.Broadcast()
	r.running.Wait()
}
