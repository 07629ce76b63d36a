package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/scanout-av/scanout/internal/impair"
)

// impairCommand is a bad network for trying things out: a proxy for UDP.
type impairCommand struct {
	Listen []string `required:"" sep:"none" placeholder:"HOST:PORT" help:"Where packets come in, e.g. :5004; several times for several ports."`
	To     []string `required:"" sep:"none" placeholder:"HOST:PORT" help:"Where they go on to, one for each --listen."`
	Ports  int      `default:"1" placeholder:"N" help:"Pass on this many ports in a row: 2 for RTP with RTCP."`

	Loss      string        `default:"0%" help:"Share of packets that is lost, e.g. 5%."`
	Burst     int           `default:"1" placeholder:"N" help:"Lose this many in a row at a time."`
	Delay     time.Duration `placeholder:"TIME" help:"Delay of every packet."`
	Jitter    time.Duration `placeholder:"TIME" help:"Further delay that wanders between 0 and this; order is kept."`
	Reorder   string        `default:"0%" help:"Share of packets that those behind overtake."`
	ReorderBy time.Duration `default:"10ms" help:"How long these are held back."`
	Duplicate string        `default:"0%" help:"Share of packets that comes twice."`
	Corrupt   string        `default:"0%" help:"Share of packets in which a bit is turned over."`
	Rate      string        `default:"0" placeholder:"BIT/S" help:"What the link carries, e.g. 8M; 0 is no limit."`
	Queue     time.Duration `default:"100ms" help:"How long packets queue for it before they are lost."`
	Partition []string      `placeholder:"AT+FOR" help:"Nothing passes from AT on, counted from the first packet, e.g. 10s+2s; several times for several."`
	Seed      uint64        `default:"1" help:"Another seed loses other packets; the same one, the same."`
	Back      string        `placeholder:"WORDS" help:"What happens in the other direction (RTCP), e.g. loss=5%,delay=20ms; default: nothing."`

	For   time.Duration `placeholder:"TIME" help:"End after this time; default: Ctrl-C."`
	Quiet bool          `short:"q" help:"Print the summary only."`
}

// config turns flags into a proxy's configuration.
func (c *impairCommand) config() (cfg impair.ProxyConfig, err error) {
	if len(c.Listen) != len(c.To) {
		return cfg, fmt.Errorf("%d times --listen and %d times --to: they come in pairs", len(c.Listen), len(c.To))
	}
	if c.Ports < 1 {
		return cfg, fmt.Errorf("--ports %d: use 1 or more", c.Ports)
	}
	for i := range c.Listen {
		cfg.Routes = append(cfg.Routes, impair.Route{Listen: c.Listen[i], To: c.To[i], Ports: c.Ports})
	}
	f := &cfg.Forward
	*f = impair.Config{Seed: c.Seed, Burst: c.Burst, Delay: c.Delay, Jitter: c.Jitter, ReorderBy: c.ReorderBy, Queue: c.Queue}
	for _, s := range []struct {
		flag, text string
		to         *float64
	}{{"loss", c.Loss, &f.Loss}, {"reorder", c.Reorder, &f.Reorder}, {"duplicate", c.Duplicate, &f.Duplicate}, {"corrupt", c.Corrupt, &f.Corrupt}} {
		if *s.to, err = impair.ParseShare(s.text); err != nil {
			return cfg, fmt.Errorf("--%s: %w", s.flag, err)
		}
	}
	if f.Rate, err = impair.ParseRate(c.Rate); err != nil {
		return cfg, fmt.Errorf("--rate: %w", err)
	}
	for _, text := range c.Partition {
		span, err := impair.ParseSpan(text)
		if err != nil {
			return cfg, fmt.Errorf("--partition: %w", err)
		}
		f.Partitions = append(f.Partitions, span)
	}
	if cfg.Back, err = impair.Parse(c.Back); err != nil {
		return cfg, fmt.Errorf("--back: %w", err)
	}
	return cfg, nil
}

func (c *impairCommand) Run(env *environment) error {
	cfg, err := c.config()
	if err != nil {
		return usageError{err}
	}
	p, err := impair.NewProxy(cfg)
	if err != nil {
		return usageError{err}
	}
	defer p.Close()
	for i := range p.Ports() {
		fmt.Fprintf(env.err, "scanout: listening at %v\n", p.Addr(i))
	}
	end := make(<-chan time.Time)
	if c.For > 0 {
		end = time.After(c.For)
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var shown impair.Stats
	for {
		select {
		case <-second.C:
			if f, _ := p.Stats(); !c.Quiet && f != shown {
				fmt.Fprintf(env.err, "scanout: %s\n", impairLine(f))
				shown = f
			}
			continue
		case <-end:
		case <-env.ctx.Done():
		}
		f, b := p.Stats()
		printImpaired(env.out, "there", f)
		printImpaired(env.out, "back", b)
		return nil
	}
}

func printImpaired(w io.Writer, name string, s impair.Stats) {
	fmt.Fprintf(w, "%-6s %s\n", name, impairLine(s))
}

// impairLine says what happened to packets, in words and without zeros.
func impairLine(s impair.Stats) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d packets came, %d went on", s.In, s.Out)
	for _, c := range []struct {
		n    int64
		what string
	}{{s.Lost, "lost"}, {s.Cut, "lost in partitions"}, {s.Queued, "did not fit the rate"}, {s.Reordered, "held back"}, {s.Duplicated, "doubled"},
		{s.Corrupted, "damaged"}, {s.Overflow, "did not fit the proxy"}, {s.Failed, "could not be sent"}} {
		if c.n > 0 {
			fmt.Fprintf(&b, ", %d %s", c.n, c.what)
		}
	}
	return b.String()
}
