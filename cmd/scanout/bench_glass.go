package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/ingest/pattern"
	"github.com/scanout-av/scanout/media"
)

// The glass benchmark measures several players with the same eye: each shows the same RTP
// stream in a window of an X server without a screen, whose picture memory is a file. That
// is read a thousand times a second, and the number that the sender drew into each picture
// says when it left and when it could first be seen.

const (
	glassWidth, glassHeight = 640, 360
	glassRows               = glassHeight / 8 // from the bottom; the number is in there
	glassLook               = time.Millisecond
	// glassWarm is how long after its first picture a player is measured.
	glassWarm = 2 * time.Second
	// glassPatience is for how long the first picture is waited for.
	glassPatience = 15 * time.Second
)

// glassPlayer is a way to show the stream.
type glassPlayer struct {
	name    string
	program string // looked up in PATH
	args    func(sdp, port string) []string
	env     []string
}

func glassPlayers(self string) []glassPlayer {
	scanout := func(name string, more ...string) glassPlayer {
		return glassPlayer{name: name, program: self, args: func(sdp, _ string) []string {
			return append([]string{"play", sdp, "-q", "--output", "window", "--audio", "none", "--decoder", "ffmpeg"}, more...)
		}}
	}
	gstreamer := func(name string, jitterbuffer ...string) glassPlayer {
		return glassPlayer{name: name, program: "gst-launch-1.0", args: func(_, port string) []string {
			head := []string{"-q", "udpsrc", "port=" + port, "caps=application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload=96", "!", "rtpjitterbuffer"}
			return append(append(head, jitterbuffer...), strings.Fields("! rtph264depay ! h264parse ! avdec_h264 max-threads=1 ! videoconvert ! ximagesink sync=true")...)
		}}
	}
	return []glassPlayer{
		scanout("scanout, balanced (its default)"),
		scanout("scanout, freshest", "--latency", "freshest"),
		gstreamer("GStreamer, default jitter buffer"),
		gstreamer("GStreamer, latency=20", "latency=20"),
		{name: "ffplay -fflags nobuffer -flags low_delay -framedrop", program: "ffplay", env: []string{"SDL_VIDEODRIVER=x11"}, args: func(sdp, _ string) []string {
			return []string{"-v", "error", "-an", "-noborder", "-left", "0", "-top", "0", "-protocol_whitelist", "file,rtp,udp",
				"-fflags", "nobuffer", "-flags", "low_delay", "-framedrop", sdp}
		}},
		{name: "mpv --profile=low-latency --vo=x11", program: "mpv", args: func(sdp, _ string) []string {
			return []string{"--no-config", "--really-quiet", "--no-audio", "--no-border", "--hwdec=no", "--vo=x11", "--profile=low-latency", "--untimed",
				"--geometry=" + fmt.Sprintf("%dx%d+0+0", glassWidth, glassHeight), "--demuxer-lavf-o=protocol_whitelist=[file,rtp,udp]", sdp}
		}},
	}
}

func benchGlass(ctx context.Context, o *benchOptions) (*benchTable, error) {
	dir, err := os.MkdirTemp("", "scanout-glass")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	clip, err := makeClip(ctx, dir, glassWidth, glassHeight)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	t := &benchTable{Columns: []string{"player", "sent", "seen", "p50_ms", "p99_ms", "peak_ms", "first_ms", "percent_of_core"}}
	for _, p := range glassPlayers(self) {
		path, err := exec.LookPath(p.program)
		if err != nil {
			t.note("%s is not here", p.program)
			continue
		}
		fmt.Fprintf(o.Verbose, "glass: %s\n", p.name)
		r := &glassRun{player: p, path: path, clip: clip, length: 3 * o.Duration, dir: dir}
		if err := r.run(ctx); err != nil {
			if ctx.Err() != nil || errors.Is(err, media.ErrNotSupported) {
				return nil, err
			}
			t.note("%s: %v", p.name, err)
			continue
		}
		t.add(r.row()...)
	}
	t.note("%dx%d H.264 at %d fps, about 4 Mbit/s, on loopback, %v each, in a window on Xvfb: pictures are seen when they are drawn; its Present extension counts 60 refreshes a second by a timer, and scanout keeps to that", glassWidth, glassHeight, liveRate, 3*o.Duration)
	t.note("latency: from the sender's first packet of a picture until its number can be read in the X server's picture memory, looked at every millisecond; first: from the start of the program; CPU: of the whole process, start included")
	return t, nil
}

// glassRun is one player.
type glassRun struct {
	player glassPlayer
	path   string
	clip   *liveClip
	length time.Duration
	dir    string

	screen  *glassScreen
	sentAt  [liveFrames]media.Instant
	due     media.Instant // of the next picture
	next    int
	sent    int
	seen    int
	last    int
	first   time.Duration
	delays  []time.Duration
	cpu     time.Duration
	elapsed time.Duration
}

func (r *glassRun) run(ctx context.Context) error {
	var err error
	if r.screen, err = openGlassScreen(ctx, r.dir); err != nil {
		return err
	}
	defer r.screen.close()
	ports, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	to := ports.LocalAddr().(*net.UDPAddr).AddrPort()
	ports.Close()
	port := strconv.Itoa(int(to.Port()))
	sdp := filepath.Join(r.dir, "glass.sdp")
	text := fmt.Sprintf("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=video %s RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1\n", port)
	if err := os.WriteFile(sdp, []byte(text), 0o600); err != nil {
		return err
	}
	sender, err := newLiveSender(to, 1)
	if err != nil {
		return err
	}
	defer sender.close()
	cmd := exec.CommandContext(ctx, r.path, r.player.args(sdp, port)...)
	cmd.Env = r.screen.environ(r.player.env)
	var said strings.Builder
	cmd.Stderr = &said
	began := clock.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	err = r.watch(ctx, sender, began)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	r.elapsed = clock.Now().Sub(began)
	if s := cmd.ProcessState; s != nil {
		r.cpu = s.UserTime() + s.SystemTime()
	}
	if err != nil && said.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return err
}

// watch sends pictures and looks at the screen until the player has been measured.
func (r *glassRun) watch(ctx context.Context, s *liveSender, began media.Instant) error {
	r.due, r.last = began, -1
	var firstAt media.Instant
	for ctx.Err() == nil {
		now := clock.Now()
		measured := firstAt != 0 && now.Sub(firstAt) > glassWarm
		switch {
		case firstAt == 0 && now.Sub(began) > glassPatience:
			return fmt.Errorf("no picture could be seen within %v", glassPatience)
		case measured && now.Sub(firstAt) > glassWarm+r.length:
			return nil
		}
		if now >= r.due {
			k := r.next % liveFrames
			r.sentAt[k] = now
			if measured {
				r.sent++
			}
			if err := s.picture(r.clip.units[k], r.next); err != nil {
				return err
			}
			r.next++
			r.due = r.due.Add(time.Second / liveRate)
		}
		if n, ok := r.screen.number(); ok && n != r.last && n < liveFrames && r.sentAt[n] != 0 {
			at := clock.Now()
			if firstAt == 0 {
				firstAt, r.first = at, at.Sub(began)
			}
			if measured {
				r.seen++
				r.delays = append(r.delays, at.Sub(r.sentAt[n]))
			}
			r.last = n
		}
		time.Sleep(min(glassLook, max(r.due.Sub(clock.Now()), 0)))
	}
	return ctx.Err()
}

func (r *glassRun) row() []any {
	slices.Sort(r.delays)
	at := func(q float64) any {
		if len(r.delays) == 0 {
			return "-"
		}
		return float64(r.delays[max(int(math.Ceil(q*float64(len(r.delays))))-1, 0)]) / 1e6
	}
	return []any{r.player.name, r.sent, r.seen, at(0.5), at(0.99), at(1), float64(r.first) / 1e6, 100 * float64(r.cpu) / float64(max(r.elapsed, 1))}
}

// glassScreen is an X server whose picture memory is a file.
type glassScreen struct {
	cmd    *exec.Cmd
	name   string // for DISPLAY
	memory *os.File
	at     int64 // of the row that is read first
	stride int
	raw    []byte
	img    *image.RGBA
}

func openGlassScreen(ctx context.Context, dir string) (*glassScreen, error) {
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		return nil, fmt.Errorf("players are watched on Xvfb, which is missing (apt-get install xvfb): %w", media.ErrNotSupported)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	s := &glassScreen{cmd: exec.CommandContext(ctx, path, "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", glassWidth, glassHeight),
		"-fbdir", dir, "-nolisten", "tcp", "-noreset")}
	s.cmd.ExtraFiles = []*os.File{write}
	if err := s.cmd.Start(); err != nil {
		write.Close()
		return nil, fmt.Errorf("start Xvfb: %w: %w", err, media.ErrNotSupported)
	}
	write.Close()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err == nil {
		s.name = ":" + strings.TrimSpace(line)
		err = s.open(filepath.Join(dir, "Xvfb_screen0"))
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("no start of Xvfb: %w", err)
	}
	return s, nil
}

// open finds the pixels.
// Source: XWDFile.h, version 7.
func (s *glassScreen) open(path string) (err error) {
	if s.memory, err = os.Open(path); err != nil {
		return err
	}
	var head [100]byte
	if _, err := s.memory.ReadAt(head[:], 0); err != nil {
		return err
	}
	field := func(i int) int { return int(binary.BigEndian.Uint32(head[4*i:])) }
	const size, version, width, height, depth, perLine, colours = 0, 1, 4, 5, 11, 12, 19
	if field(version) != 7 || field(width) != glassWidth || field(height) != glassHeight || field(depth) != 32 {
		return fmt.Errorf("its picture memory has version %d and %dx%d pixels of %d bits", field(version), field(width), field(height), field(depth))
	}
	s.stride = field(perLine)
	s.at = int64(field(size) + 12*field(colours) + (glassHeight-glassRows)*s.stride)
	s.raw = make([]byte, glassRows*s.stride)
	s.img = image.NewRGBA(image.Rect(0, 0, glassWidth, glassHeight))
	return nil
}

// number reads the number of the picture that is on the screen.
func (s *glassScreen) number() (int, bool) {
	if _, err := s.memory.ReadAt(s.raw, s.at); err != nil {
		return 0, false
	}
	for y := range glassRows { // blue and red have changed places, which does not matter
		copy(s.img.Pix[(glassHeight-glassRows+y)*s.img.Stride:][:4*glassWidth], s.raw[y*s.stride:])
	}
	n, err := pattern.ReadFrameNumberRGBA(s.img, glassWidth, glassHeight)
	return int(n), err == nil
}

// environ is the environment of a program that shows its pictures here.
func (s *glassScreen) environ(more []string) []string {
	env := slices.DeleteFunc(os.Environ(), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return name == "DISPLAY" || name == "WAYLAND_DISPLAY" || name == "SDL_VIDEODRIVER"
	})
	return append(append(env, "DISPLAY="+s.name), more...)
}

func (s *glassScreen) close() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	if s.memory != nil {
		s.memory.Close()
	}
}
