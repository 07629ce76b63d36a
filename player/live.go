package player

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/scanout-av/scanout/clock"
	"github.com/scanout-av/scanout/ingest/rtp"
	"github.com/scanout-av/scanout/internal/udp"
	"github.com/scanout-av/scanout/pace"
)

// isRTP reports whether a medium is an RTP stream: an address, or the file of a session
// description.
func isRTP(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasPrefix(lower, "rtp://") || strings.HasSuffix(lower, ".sdp") && !strings.Contains(lower, "://")
}

// maxMissingWait bounds how long a picture may wait for a packet, however much latency
// is allowed.
const maxMissingWait = 500 * time.Millisecond

func (p *Player) openRTP(ctx context.Context) (err error) {
	cfg := &p.cfg
	c := rtp.Config{Name: cfg.Media, Now: clock.Now, Log: p.log, Complete: cfg.MaxSpeed || cfg.written(), OpenTimeout: cfg.Network.Timeout,
		Reconnect: cfg.Network.Reconnect, Freshest: cfg.Latency == LatencyFreshest, MaxLatency: cfg.MaxLatency}
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
	if strings.HasPrefix(strings.ToLower(cfg.Media), "rtp://") {
		c.Description, err = rtp.ParseURL(cfg.Media)
	} else if c.Description, err = rtp.ReadFile(cfg.Media); err != nil && !errors.Is(err, fs.ErrNotExist) { // whose text has the name
		err = fmt.Errorf("open %s: %w", cfg.Media, err)
	}
	if err != nil {
		return err
	}
	src, err := rtp.Open(ctx, c)
	if err != nil {
		return err
	}
	p.src, p.info = src, src.Info()
	return nil
}
