package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/ingest/pattern"
	"github.com/scanout-av/scanout/internal/impair"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

// The live benchmark sends pictures that carry their number over a bad network to a player
// in the same process, and reads the number of every picture that is shown. So it knows
// how long each was on its way, from the sender's socket to the (simulated) display, and by
// a checksum of its samples whether it is whole.

const (
	liveRate   = 60
	liveFrames = 240 // of the clip, which is sent in a loop
)

// liveClip is an encoded clip and what its pictures look like when nothing is lost.
type liveClip struct {
	width, height int
	units         [][][]byte // NAL units of each picture
	sums          [liveFrames]uint32
}

// liveFault is a row of the table.
type liveFault struct {
	name    string
	network impair.Config
	nack    bool
	cut     time.Duration // for so long nothing passes, in the middle
	restart bool          // another sender with another size takes over, in the middle
}

var liveFaults = []liveFault{
	{name: "nothing"},
	{name: "1 % loss", network: impair.Config{Loss: 0.01}},
	{name: "1 % loss, NACK", network: impair.Config{Loss: 0.01}, nack: true},
	{name: "5 % loss", network: impair.Config{Loss: 0.05}},
	{name: "5 % loss, NACK", network: impair.Config{Loss: 0.05}, nack: true},
	{name: "bursts of 20", network: impair.Config{Loss: 0.02, Burst: 20}},
	{name: "50 ms jitter", network: impair.Config{Jitter: 50 * time.Millisecond}},
	{name: "5 % reordered", network: impair.Config{Reorder: 0.05}},
	{name: "5 % twice", network: impair.Config{Duplicate: 0.05}},
	{name: "2 s partition", cut: 2 * time.Second},
	{name: "source restart", restart: true},
}

func benchLive(ctx context.Context, o *benchOptions) (*benchTable, error) {
	dir, err := os.MkdirTemp("", "scanout-live")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	first, err := makeClip(ctx, dir, 640, 360)
	if err != nil {
		return nil, err
	}
	second, err := makeClip(ctx, dir, 848, 480)
	if err != nil {
		return nil, err
	}
	t := &benchTable{Columns: []string{"network", "sent", "shown", "whole", "dropped", "longest_freeze_ms", "recovery_ms", "p50_ms", "p99_ms", "peak_ms"}}
	for _, f := range liveFaults {
		if !o.wants(f.name) {
			continue
		}
		fmt.Fprintf(o.Verbose, "live: %s\n", f.name)
		r := &liveRun{fault: f, clips: [2]*liveClip{first, second}, length: max(4*o.Duration, 2*f.cut+3*time.Second), dir: dir}
		if err := r.run(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		t.add(r.row()...)
	}
	peerClip := ""
	for _, p := range livePeers {
		if !o.wants(p.name) {
			continue
		}
		if peerClip == "" {
			if peerClip, err = makePeerClip(ctx, dir, first); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(o.Verbose, "live: %s\n", p.name)
		r := &peerRun{peer: p, file: peerClip}
		r.liveRun = liveRun{fault: liveFault{name: p.name}, clips: [2]*liveClip{first, first}, length: max(4*o.Duration, 2*p.cut+3*time.Second), dir: dir}
		switch err := r.run(ctx); {
		case errors.Is(err, media.ErrNotSupported):
			t.note("%s: %v", p.name, err)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", p.name, err)
		default:
			t.add(r.row()...)
		}
	}
	t.note("640x360 H.264 at %d fps, a key frame each second, about 4 Mbit/s, %v a row; damage is shown; the display is simulated", liveRate, 4*o.Duration)
	t.note("sent: pictures, from the first that can be decoded; whole: shown exactly as sent; dropped: decoded, and late")
	t.note("freeze: between two shown pictures; recovery: from the end of the fault to the first picture that is whole again")
	t.note("MPEG-TS is sent over UDP by ffmpeg, RTSP served over TCP by GStreamer; for TCP a partition is a connection on which nothing moves, and what it holds comes late")
	t.note("p50, p99, peak: from the sender's first packet of a picture to the display's refresh that shows it")
	return t, nil
}

// wants reports whether a row was asked for.
func (o *benchOptions) wants(row string) bool {
	return len(o.Rows) == 0 || slices.ContainsFunc(o.Rows, func(part string) bool { return strings.Contains(row, part) })
}

// knownRows refuses what is part of no row's name.
func knownRows(parts []string) error {
	var names []string
	for _, f := range liveFaults {
		names = append(names, f.name)
	}
	for _, p := range livePeers {
		names = append(names, p.name)
	}
	for _, r := range headlineRuns {
		names = append(names, r.name)
	}
	names = append(names, headlineIdle)
	for _, part := range parts {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, part) }) {
			return fmt.Errorf("--rows %q is part of no row's name: %s", part, strings.Join(names, "; "))
		}
	}
	return nil
}

// makeClip encodes the built-in picture.
func makeClip(ctx context.Context, dir string, w, h int) (*liveClip, error) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, fmt.Errorf("the clip is encoded by the ffmpeg program, which is missing (apt-get install ffmpeg): %w", media.ErrNotSupported)
	}
	c := &liveClip{width: w, height: h}
	path := filepath.Join(dir, fmt.Sprintf("%d.h264", h))
	r, pipe := io.Pipe()
	cmd := exec.CommandContext(ctx, ffmpeg, "-v", "error", "-f", "yuv4mpegpipe", "-i", "-", "-vf", "noise=alls=12:allf=t", "-pix_fmt", "yuv420p",
		"-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", fmt.Sprint(liveRate), "-b:v", "4M",
		"-x264-params", "repeat-headers=1:sliced-threads=0:aud=1", "-f", "h264", path)
	cmd.Stdin = r
	out := make(chan error, 1)
	go func() {
		text, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("ffmpeg: %w: %s", err, text)
		}
		r.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		out <- err
	}()
	err = playThrough(ctx, player.Config{Media: fmt.Sprintf("pattern:size=%dx%d,rate=%d,duration=%ds", w, h, liveRate, liveFrames/liveRate),
		Output: "y4m:-", Writer: pipe, Audio: player.AudioNone})
	pipe.Close()
	if e := <-out; e != nil {
		err = errors.Join(e, err)
	}
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for nal := range annexB(b) {
		if nal[0]&31 == 9 { // a delimiter
			c.units = append(c.units, nil)
		}
		if n := len(c.units); n > 0 {
			c.units[n-1] = append(c.units[n-1], nal)
		}
	}
	if len(c.units) != liveFrames {
		return nil, fmt.Errorf("the clip has %d pictures instead of %d", len(c.units), liveFrames)
	}
	seen := 0
	err = playThrough(ctx, player.Config{Media: path, Output: player.OutputNull, MaxSpeed: true, Decoder: player.DecoderFFmpeg, OnPresent: func(s *media.Scheduled) {
		if n, err := pattern.ReadFrameNumber(s.Frame); err == nil && n < liveFrames {
			c.sums[n] = sumOf(s.Frame)
			seen++
		}
	}})
	if err == nil && seen != liveFrames {
		err = fmt.Errorf("%d pictures of the clip can be read, %d were encoded", seen, liveFrames)
	}
	return c, err
}

// playThrough plays something to its end.
func playThrough(ctx context.Context, cfg player.Config) error {
	p, err := player.Open(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(p.Run(ctx), p.Close())
}

// annexB iterates over the NAL units of a byte stream.
func annexB(b []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		start := -1
		for i := 0; i+3 <= len(b); i++ {
			if b[i] != 0 || b[i+1] != 0 || b[i+2] != 1 {
				continue
			}
			if start >= 0 && !yield(trimZeros(b[start:i])) {
				return
			}
			start = i + 3
			i += 2
		}
		if start >= 0 {
			yield(trimZeros(b[start:]))
		}
	}
}

func trimZeros(b []byte) []byte {
	for len(b) > 1 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// sumOf is a checksum of a frame's brightness.
func sumOf(f *media.Frame) (sum uint32) {
	p := &f.Planes[0]
	for y := range f.Height {
		sum = crc32.Update(sum, crc32.IEEETable, p.Data[y*p.Stride:][:f.Width])
	}
	return sum
}

// liveRun is one row.
type liveRun struct {
	fault  liveFault
	clips  [2]*liveClip
	length time.Duration
	dir    string
	extra  func(*player.Config)
	// foreign says that another program sends: when is not known.
	foreign bool

	mu       sync.Mutex
	sentAt   [2][liveFrames]media.Instant // of the latest round
	sent     int
	heal     media.Instant // when the fault ended
	waiting  map[uint64]livePicture
	shown    int
	whole    int
	last     media.Instant
	freeze   time.Duration
	recovery time.Duration
	delays   []time.Duration
	stats    player.Stats
}

// livePicture is a picture on its way to the display.
type livePicture struct {
	sent  media.Instant
	whole bool
}

func (r *liveRun) run(ctx context.Context) error {
	ports, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	port := ports.LocalAddr().(*net.UDPAddr).Port
	ports.Close()
	proxy, err := impair.NewProxy(impair.ProxyConfig{Routes: []impair.Route{{Listen: "127.0.0.1:0", To: fmt.Sprintf("127.0.0.1:%d", port)}}})
	if err != nil {
		return err
	}
	defer proxy.Close()
	sdp := filepath.Join(r.dir, "live.sdp")
	text := fmt.Sprintf("v=0\nc=IN IP4 127.0.0.1\nm=video %d RTP/AVPF 96\na=rtcp-mux\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1\n", port)
	if r.fault.nack {
		text += "a=rtcp-fb:96 nack\n"
	}
	if err := os.WriteFile(sdp, []byte(text), 0o600); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sending := make(chan error, 1)
	opened := make(chan struct{})
	go func() { sending <- r.send(ctx, proxy, opened) }()

	r.waiting = map[uint64]livePicture{}
	cfg := player.Config{Media: sdp, Output: player.OutputNull, Refresh: liveRate, Audio: player.AudioNone, Decoder: player.DecoderFFmpeg,
		OnPresent: r.present, OnPresented: r.presented}
	if r.extra != nil {
		r.extra(&cfg)
	}
	p, err := player.Open(ctx, cfg)
	close(opened)
	if err != nil {
		stop()
		return errors.Join(err, <-sending)
	}
	playing, end := context.WithTimeout(ctx, r.length)
	defer end()
	err = p.Run(playing)
	err = errors.Join(err, p.Close())
	r.stats = p.Stats()
	stop()
	return errors.Join(err, <-sending)
}

// present reads the number of a picture that is about to be shown.
func (r *liveRun) present(s *media.Scheduled) {
	f := s.Frame
	clip := 0
	if f.Width != r.clips[0].width {
		clip = 1
	}
	n, err := pattern.ReadFrameNumber(f)
	r.mu.Lock()
	defer r.mu.Unlock()
	var p livePicture
	if err == nil && n < liveFrames {
		p = livePicture{r.sentAt[clip][n], sumOf(f) == r.clips[clip].sums[n]}
	}
	r.waiting[s.Number] = p
}

// presented takes what the display says.
func (r *liveRun) presented(f *media.Presented) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.waiting[f.Number]
	delete(r.waiting, f.Number)
	if !ok || f.Actual == 0 {
		return
	}
	r.shown++
	if r.last != 0 {
		r.freeze = max(r.freeze, f.Actual.Sub(r.last))
	}
	r.last = f.Actual
	if p.sent != 0 {
		r.delays = append(r.delays, f.Actual.Sub(p.sent))
	}
	if !p.whole {
		return
	}
	r.whole++
	if r.heal != 0 && r.recovery == 0 && f.Actual > r.heal && (r.foreign || p.sent > r.heal.Add(-20*time.Millisecond)) {
		r.recovery = f.Actual.Sub(r.heal)
	}
}

func (r *liveRun) row() []any {
	slices.Sort(r.delays)
	at := func(q float64) any {
		if len(r.delays) == 0 {
			return "-"
		}
		i := int(math.Ceil(q*float64(len(r.delays)))) - 1
		return float64(r.delays[max(i, 0)]) / 1e6
	}
	recovery := any("-")
	if r.recovery > 0 {
		recovery = float64(r.recovery) / 1e6
	}
	sent := any(r.sent)
	if r.foreign {
		sent = "-"
	}
	return []any{r.fault.name, sent, r.shown, r.whole, r.stats.Dropped, float64(r.freeze) / 1e6, recovery, at(0.5), at(0.99), at(1)}
}

// send sends the clip in a loop until ctx ends. The network is good until the player has
// opened, and turns bad then.
func (r *liveRun) send(ctx context.Context, proxy *impair.Proxy, opened <-chan struct{}) error {
	s, err := newLiveSender(proxy.Addr(0), 1)
	if err != nil {
		return err
	}
	defer func() { s.close() }()
	began := clock.Now()
	var bad, healed bool
	var from media.Instant // when the network turned bad
	clip := 0
	for n := 0; ctx.Err() == nil; n++ {
		due := began.Add(time.Duration(n) * time.Second / liveRate)
		if d := due.Sub(clock.Now()); d > 0 {
			time.Sleep(d)
		}
		now := clock.Now()
		select {
		case <-opened:
			if !bad {
				bad, from = true, now
				if err := proxy.Set(r.fault.network, impair.Config{}); err != nil {
					return err
				}
			}
		default:
		}
		middle := bad && now.Sub(from) > r.length/3
		switch {
		case middle && r.fault.cut > 0 && !healed:
			over := now.Sub(from) > r.length/3+r.fault.cut
			proxy.Cut(!over, !over)
			if over {
				r.healAt(now)
				healed = true
			}
		case middle && r.fault.restart && !healed:
			// The program is killed and started again, with another camera.
			s.close()
			time.Sleep(300 * time.Millisecond)
			if s, err = newLiveSender(proxy.Addr(0), 2); err != nil {
				return err
			}
			clip, healed = 1, true
			now = clock.Now()
			r.healAt(now)
			began = now.Add(-time.Duration(n) * time.Second / liveRate)
		}
		k := n % liveFrames
		r.mu.Lock()
		r.sentAt[clip][k] = now
		if bad {
			r.sent++
		}
		r.mu.Unlock()
		if err := s.picture(r.clips[clip].units[k], n); err != nil {
			return err
		}
	}
	return nil
}

func (r *liveRun) healAt(at media.Instant) {
	r.mu.Lock()
	r.heal = at
	r.mu.Unlock()
}

// liveAddress is where a sender sends to.
func liveAddress(a netip.AddrPort) *net.UDPAddr { return net.UDPAddrFromAddrPort(a) }
