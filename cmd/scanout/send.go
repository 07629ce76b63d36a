package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/scanout-av/scanout/clock"
	egress "github.com/scanout-av/scanout/egress/rtp"
	"github.com/scanout-av/scanout/ingest/annexb"
	"github.com/scanout-av/scanout/ingest/file"
	"github.com/scanout-av/scanout/internal/rt"
	"github.com/scanout-av/scanout/media"
	"github.com/scanout-av/scanout/player"
)

type sendCommand struct {
	Media       string  `arg:"" type:"media" help:"File or URL to send."`
	To          string  `arg:"" help:"rtp://host:port, of the first stream; the second one uses port + 2. Options: ?pkt_size=1200&ttl=1&interface=eth0&localaddr=10.0.0.1"`
	SDP         string  `name:"sdp" placeholder:"FILE" help:"Write the session description there; - is standard output."`
	Loop        bool    `help:"Begin again at the end."`
	PayloadSize int     `default:"0" placeholder:"BYTES" help:"Longest RTP payload (default 1200)."`
	FEC         int     `name:"fec" default:"0" placeholder:"PERCENT" help:"Protect pictures by so many packets in a hundred of forward error correction (FlexFEC draft 03), at least one each. Receivers learn of them from the description (--sdp); others pass them over."`
	Rate        float64 `default:"1" help:"Times real time, 0.1 to 16. Anything but 1 sends the picture only."`
	Burst       bool    `help:"Send each picture at once, instead of spreading its packets."`
	NoVideo     bool    `help:"Leave the picture out."`
	NoAudio     bool    `help:"Leave the sound out."`
	Quiet       bool    `short:"q" help:"Print errors only."`
}

// lookAhead is how far the file is read before its packets are due, so that streams that
// are not well interleaved are sent in order, and a slow disk is not felt.
const lookAhead = 300 * time.Millisecond

// farewell is how long after the last packet the goodbye follows.
const farewell = 250 * time.Millisecond

func (c *sendCommand) Run(env *environment) error {
	cfg, err := c.config()
	if err != nil {
		return usageError{err}
	}
	src, err := c.open(env.ctx)
	if err != nil {
		return mediaError{err}
	}
	defer src.Close()
	defer context.AfterFunc(env.ctx, src.Interrupt)()
	if err := c.choose(env, src.Info(), &cfg); err != nil {
		return mediaError{fmt.Errorf("send %s: %w", c.Media, err)}
	}
	var chosen []int
	for _, s := range cfg.Streams {
		chosen = append(chosen, s.Index)
	}
	src.Select(chosen...)
	if c.Loop && !src.Info().Seekable {
		return usageError{fmt.Errorf("--loop: %s cannot be sought, so it cannot begin again", c.Media)}
	}
	out, err := egress.New(cfg)
	if err != nil {
		return err
	}
	defer out.Close()
	s := sending{c: c, env: env, src: src, out: out}
	err = s.run()
	if n := out.Stats(); !c.Quiet {
		fmt.Fprintf(env.err, "scanout: sent %d packets, %d bytes, in %d system calls", n.Packets, n.Bytes, n.Syscalls)
		if n.Refused > 0 {
			fmt.Fprintf(env.err, "; nobody listened to %d of them", n.Refused)
		}
		if n.Corrections > 0 {
			fmt.Fprintf(env.err, "; %d of them are error correction", n.Corrections)
		}
		if f := n.Feedback; f.Asked > 0 {
			fmt.Fprintf(env.err, "; %d were asked for again, and %d sent", f.Asked, f.Resent)
		}
		fmt.Fprintln(env.err)
	}
	return err
}

// open opens what is sent; raw files need no FFmpeg.
func (c *sendCommand) open(ctx context.Context) (player.Source, error) {
	if annexb.CodecOf(c.Media) != "" && !strings.Contains(c.Media, "://") {
		src, err := annexb.Open(annexb.Config{Path: c.Media, Order: true})
		if err == nil {
			return src, nil
		}
		if !errors.Is(err, media.ErrNotSupported) {
			return nil, err
		}
	}
	src, err := file.Open(ctx, file.Config{URL: c.Media})
	if err != nil { // no typed nil
		return nil, err
	}
	return src, nil
}

// config reads the command line.
func (c *sendCommand) config() (cfg egress.Config, err error) {
	cfg = egress.Config{Now: clock.Now, Wall: time.Now, Name: filepath.Base(c.Media), PayloadSize: c.PayloadSize, FEC: c.FEC, Speed: c.Rate, Burst: c.Burst}
	u, err := url.Parse(c.To)
	if err != nil || u.Scheme != "rtp" || u.Port() == "" || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" {
		return cfg, fmt.Errorf("%q is not rtp://host:port", c.To)
	}
	cfg.To = u.Host
	for k, v := range u.Query() {
		var n int
		switch k {
		case "pkt_size", "ttl":
			if n, err = strconv.Atoi(v[0]); err != nil || n < 1 {
				return cfg, fmt.Errorf("%s: %s=%s is not a number from 1", c.To, k, v[0])
			}
		}
		switch k {
		case "pkt_size":
			// FFmpeg's counts the RTP header.
			if c.PayloadSize != 0 {
				return cfg, errors.New("the packet size is given twice: by --payload-size and by pkt_size")
			}
			cfg.PayloadSize = n - 12
		case "ttl":
			cfg.TTL = n
		case "interface":
			cfg.Interface = v[0]
		case "localaddr":
			cfg.Local = v[0] + ":0"
		default:
			return cfg, fmt.Errorf("%s has no option %q; there are pkt_size, ttl, interface and localaddr", c.To, k)
		}
	}
	switch {
	case cfg.PayloadSize != 0 && (cfg.PayloadSize < 64 || cfg.PayloadSize > 65000):
		return cfg, fmt.Errorf("payloads of %d bytes: use 64 to 65000", cfg.PayloadSize)
	case !(c.Rate >= 0.1 && c.Rate <= 16):
		return cfg, fmt.Errorf("--rate %v is out of range: use 0.1 to 16", c.Rate)
	case c.FEC < 0 || c.FEC > 100:
		return cfg, fmt.Errorf("--fec %d: use 0 to 100", c.FEC)
	case c.NoVideo && c.NoAudio:
		return cfg, errors.New("--no-video and --no-audio leave nothing to send")
	}
	return cfg, nil
}

// choose selects the streams that play by default.
func (c *sendCommand) choose(env *environment, info *media.Info, cfg *egress.Config) error {
	video, sound := info.Best(media.KindVideo), info.Best(media.KindAudio)
	if c.NoVideo || video != nil && video.CoverArt {
		video = nil
	}
	if c.NoAudio {
		sound = nil
	}
	if sound != nil && c.Rate != 1 && video != nil {
		fmt.Fprintf(env.err, "scanout: the sound is left out: it cannot be sent at %v times its rate\n", c.Rate)
		sound = nil
	}
	if sound != nil && !egress.CanSend(sound) && video != nil {
		fmt.Fprintf(env.err, "scanout: the sound is left out: %s is not sent over RTP here\n", sound.Codec)
		sound = nil
	}
	for _, s := range []*media.Stream{video, sound} {
		if s != nil {
			cfg.Streams = append(cfg.Streams, *s)
		}
	}
	if len(cfg.Streams) == 0 {
		return errors.New("it has no stream that was asked for")
	}
	return nil
}

// sending is a file on its way. One goroutine reads, waits and sends; the sender's own
// answer what the receiver asks for.
type sending struct {
	c       *sendCommand
	env     *environment
	src     player.Source
	out     *egress.Sender
	written bool // the description

	offset time.Duration // of the current round
	end    time.Duration // of the media, as far as it was read
	begin  time.Duration
	begun  bool
	ended  bool
	damage int
	asked  bool // for a key frame
}

func (s *sending) run() error {
	th := rt.Lock(rt.ThreadConfig{}) // less timer slack
	defer th.Unlock()
	ahead := media.Instant(0)
	for s.env.ctx.Err() == nil {
		for !s.ended && ahead < clock.Now().Add(lookAhead) {
			due, err := s.read()
			if err != nil {
				return err
			}
			ahead = max(ahead, due)
		}
		if err := s.describe(); err != nil {
			return err
		}
		at, ok := s.out.Next()
		if !ok {
			if s.ended {
				// The goodbye takes another way than the last packets: FFmpeg would hear it
				// before it has read them.
				rt.SleepUntil(clock.Now().Add(farewell))
				return nil
			}
			continue
		}
		// In pieces, so that Ctrl-C is heard.
		rt.SleepUntil(min(at, clock.Now().Add(50*time.Millisecond)))
		if err := s.out.Send(clock.Now()); err != nil {
			return err
		}
		if !s.asked && !s.c.Quiet && s.out.Stats().Feedback.KeyRequests > 0 {
			s.asked = true
			fmt.Fprintln(s.env.err, "scanout: the receiver asks for a key frame: a file has those it has, and the next one comes in its turn")
		}
	}
	return nil
}

// read queues the next access unit.
func (s *sending) read() (due media.Instant, err error) {
	var au media.AccessUnit
	switch err := s.src.Read(&au); {
	case err == io.EOF && s.c.Loop && s.begun:
		s.offset += s.end - s.begin
		if err := s.src.Seek(s.src.Info().Start); err != nil {
			return 0, err
		}
		s.begun = false // a file without a single unit does not go round for ever
		return 0, nil
	case err == io.EOF:
		s.ended = true
		return 0, nil
	case errors.Is(err, os.ErrClosed) && s.env.ctx.Err() != nil:
		s.ended = true
		return 0, nil
	case err != nil:
		return 0, err
	}
	defer au.Release()
	at := au.DTS
	if !at.Valid() {
		at = au.PTS
	}
	if at.Valid() {
		t := au.Timebase.Duration(at)
		if !s.begun {
			s.begin, s.end = t, t
		}
		s.begun = true
		length := time.Duration(0)
		if au.Duration.Valid() {
			length = au.Timebase.Duration(au.Duration)
		}
		s.begin, s.end = min(s.begin, t), max(s.end, t+length)
	}
	due, err = s.out.Queue(&au, s.offset)
	if err != nil {
		// Damaged files are sent as far as they are whole.
		if s.damage++; s.damage == 1 {
			fmt.Fprintf(s.env.err, "scanout: %v\n", err)
		}
		if s.damage > 256 {
			return 0, err
		}
		return 0, nil
	}
	s.damage = 0
	return due, nil
}

// describe writes the session description once it is complete, before the first packet
// leaves; a stream that has not begun by then is described by its header alone.
func (s *sending) describe() error {
	if s.written || s.c.SDP == "" {
		return nil
	}
	s.written = true
	b, err := s.out.SDP()
	if err != nil {
		return err
	}
	if s.c.SDP == "-" {
		_, err = s.env.out.Write(b)
		if o, ok := s.env.out.(*output); ok && err == nil {
			err = o.end() // play reads to the end
		}
		return err
	}
	if st, err := os.Stat(s.c.SDP); err == nil && !st.Mode().IsRegular() {
		err = os.WriteFile(s.c.SDP, b, 0o644)
		return err
	}
	// Whoever waits for the file must not read half of it.
	tmp, err := os.CreateTemp(filepath.Dir(s.c.SDP), ".sdp-*")
	if err != nil {
		var pe *os.PathError // which names the temporary file
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return fmt.Errorf("--sdp %s: %w", s.c.SDP, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), s.c.SDP)
	}
	if err != nil {
		return fmt.Errorf("--sdp %s: %w", s.c.SDP, err)
	}
	return nil
}
