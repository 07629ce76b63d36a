package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/scanout-av/scanout/player"
)

// sourceFlags say how to open what is on a server.
type sourceFlags struct {
	Transport    string            `enum:"auto,tcp,udp,multicast,http" default:"auto" help:"What carries RTSP: ${enum}. auto is TCP, and UDP where the server refuses that."`
	User         string            `placeholder:"NAME[:PASSWORD]" help:"For servers that ask. The password may also stand in the variable SCANOUT_PASSWORD."`
	Interface    string            `placeholder:"NAME" help:"Where multicast groups of RTP are joined, e.g. eth0; default: the system's choice."`
	Timeout      span              `placeholder:"TIME" help:"How long a server may take to answer, and how long it may send nothing. Default: 10s for live sources, 60s for files."`
	SourceOption map[string]string `placeholder:"KEY=VALUE" mapsep:"none" help:"An option of FFmpeg's for the format or protocol; several times for several."`
}

// apply writes the flags to a player's configuration.
func (f *sourceFlags) apply(cfg *player.Config) error {
	if f.Timeout < 0 {
		return usageError{fmt.Errorf("--timeout %v: a time is not negative", time.Duration(f.Timeout))}
	}
	name, password, given := strings.Cut(f.User, ":")
	if !given {
		password = os.Getenv("SCANOUT_PASSWORD")
	}
	cfg.Network = player.Network{Transport: strings.TrimPrefix(f.Transport, "auto"), Interface: f.Interface, User: name, Password: password, Timeout: time.Duration(f.Timeout)}
	cfg.SourceOptions = f.SourceOption
	return nil
}

// parseReconnect reads for how long to try: a time, "forever" or "off".
func parseReconnect(s string) (time.Duration, error) {
	switch s {
	case "off", "0":
		return -1, nil
	case "forever":
		return 1<<63 - 1, nil
	}
	d, err := parseSpan(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a time: write it like 1m30s, 1:30 or 90, forever or off", s)
	}
	if d == 0 {
		d = -1
	}
	return d, nil
}
