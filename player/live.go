package player

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/ingest/raw"
	"github.com/scanout-av/scanout/ingest/rtp"
	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/pace"
)

// isRTP reports whether a medium is an RTP stream: an address, or the file of a session
// description, by its name or by how it begins.
func isRTP(name string) bool {
	lower := strings.ToLower(name)
	switch {
	case isRTPAddress(name):
		return true
	case strings.Contains(lower, "://"):
		return false
	}
	return strings.HasSuffix(lower, ".sdp") || describes(name)
}

// isRTPAddress includes those of which the slashes were forgotten, to say so.
func isRTPAddress(name string) bool { return strings.HasPrefix(strings.ToLower(name), "rtp:") }

// describes reports whether a file begins like a session description. Only regular files are
// looked into, because what is read of others is gone.
func describes(path string) bool {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() || st.Size() > 64<<10 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	begin := make([]byte, len(descriptionBegin))
	_, err = io.ReadFull(f, begin)
	return err == nil && string(begin) == descriptionBegin
}

// descriptionBegin is how every session description begins (RFC 8866, 5.1).
const descriptionBegin = "v=0"

// openPiped opens what came over standard input and is no video: a session description, or
// what is wrong with it is why.
func (p *Player) openPiped(ctx context.Context, src *raw.Source, why error) error {
	if !strings.HasPrefix(string(src.Begin()), descriptionBegin) {
		return why
	}
	stop := context.AfterFunc(ctx, src.Interrupt)
	text, err := src.Rest(64 << 10)
	stop()
	if err != nil {
		return err
	}
	d, err := rtp.Parse(text)
	if err != nil {
		return fmt.Errorf("open %s: %w", p.cfg.Media, err)
	}
	p.raw = nil
	return errors.Join(p.openDescription(ctx, d), src.Close())
}

// maxMissingWait bounds how long a picture may wait for a packet, however much latency
// is allowed.
const maxMissingWait = 500 * time.Millisecond

func (p *Player) openRTP(ctx context.Context) (err error) {
	var d *rtp.Description
	if name := p.cfg.Media; isRTPAddress(name) {
		d, err = rtp.ParseURL(name)
	} else if d, err = rtp.ReadFile(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // whose text has the name
		err = fmt.Errorf("open %s: %w", name, err)
	}
	if err != nil {
		return err
	}
	return p.openDescription(ctx, d)
}

// openDescription opens the streams of a description.
func (p *Player) openDescription(ctx context.Context, d *rtp.Description) (err error) {
	cfg := &p.cfg
	c := rtp.Config{Description: d, Name: cfg.Media, Now: clock.Now, Log: p.log, Complete: cfg.MaxSpeed || cfg.written(), OpenTimeout: cfg.Network.Timeout,
		Interface: cfg.Network.Interface, Reconnect: cfg.Network.Reconnect, Freshest: cfg.Latency == LatencyFreshest, MaxLatency: cfg.MaxLatency}
	if c.Reconnect < 0 {
		c.Reconnect = rtp.DefaultLinger
	}
	if c.MaxLatency == 0 {
		switch cfg.Latency {
		case LatencySmooth:
			c.MaxLatency = pace.DefaultMaxLatency(pace.PolicySmooth)
		case LatencyFreshest:
			c.MaxLatency = pace.DefaultMaxLatency(pace.PolicyFreshest)
		default:
			c.MaxLatency = pace.DefaultMaxLatency(pace.PolicyBalanced)
		}
	}
	c.MaxLatency = min(c.MaxLatency, maxMissingWait)
	if c.Receive, err = udp.ParsePath(cfg.Receive); err != nil {
		return err
	}
	for _, x := range []struct {
		given bool
		what  string
	}{
		{cfg.Network.Transport != "", "--transport is for RTSP"}, {cfg.Network.User != "", "--user is for servers that ask"},
		{len(cfg.SourceOptions) > 0, "--source-option is for what FFmpeg opens"},
	} {
		if x.given {
			p.log.Warn(x.what + ": RTP goes without it")
		}
	}
	src, err := rtp.Open(ctx, c)
	if err != nil {
		return err
	}
	p.src, p.info, p.overRTP = src, src.Info(), true
	return nil
}
