package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/scanout-av/scanout/internal/libav"
	"github.com/scanout-av/scanout/media"
)

// Transport says how RTSP carries its packets.
type Transport string

// Transports.
const (
	TransportAuto      Transport = "" // TCP, and UDP where the server refuses that
	TransportTCP       Transport = "tcp"
	TransportUDP       Transport = "udp" // TCP where the server refuses that
	TransportMulticast Transport = "multicast"
	TransportHTTP      Transport = "http" // through proxies
)

// NetworkConfig says how to deal with servers. The zero value is the documented default.
type NetworkConfig struct {
	// Transport is for RTSP.
	Transport Transport
	// User and Password are put into the URL.
	User, Password string
	// Timeout is how long a server may take to answer and to describe what it sends, and
	// how long it may send nothing; 0 is 10 s for live sources and 60 s for files.
	Timeout time.Duration
	// Reconnect is for how long a live source that broke off is tried again; 0 is one
	// minute, negative is not at all.
	Reconnect time.Duration
	// MaxLatency is what the player promises; it bounds what is waited for on the way. 0 is
	// no promise.
	MaxLatency time.Duration
	// Complete passes on everything that comes, however late: for outputs to files.
	Complete bool
	// maxGrowth bounds the memory that one call may take; 0 is maxGrowth. For tests.
	maxGrowth int64
	// Log is told when a source breaks off and when it is back; nil drops it.
	Log *slog.Logger
}

const (
	liveTimeout  = 10 * time.Second
	fileTimeout  = 60 * time.Second
	reconnectFor = time.Minute
)

// network says what a URL is, as far as its scheme tells.
type network struct {
	scheme string
	remote bool // on a server, not on this machine
	// live says that what is missed is gone. HTTP may be either, which shows later.
	live bool
	// restarts says that an end is one of the connection's, not of what is sent.
	restarts bool
	// counted says that its calls are bounded by count, too: see libav.Interrupt.
	counted bool
}

func classify(u string) network {
	a, ok := parseAddress(u)
	if !ok {
		if s, _, found := strings.Cut(u, ":"); found && scheme(u) {
			a.scheme = strings.ToLower(s)
		}
	}
	n := network{scheme: a.scheme}
	base, _, _ := strings.Cut(a.scheme, "+")
	switch base {
	case "rtsp", "rtsps", "rtspt", "rtspu", "rtmp", "rtmps", "rtmpt", "rtmpts", "rtmpe", "rtmpte", "srt", "rist", "udp", "udplite", "rtp", "srtp", "sctp", "mmsh", "mmst":
		n.remote, n.live, n.restarts = true, true, true
	case "tcp", "tls":
		n.remote, n.live = true, true
	case "http", "https", "hls":
		n.remote, n.counted = true, true
	case "ftp", "sftp", "async", "cache", "icecast", "gopher", "gophers", "ipfs", "ipns", "httpproxy":
		n.remote = true
	}
	return n
}

// timeout is how long a call may take.
func (c *NetworkConfig) timeout(n network) time.Duration {
	switch {
	case !n.remote:
		return 0
	case c.Timeout > 0:
		return c.Timeout
	case n.live:
		return liveTimeout
	}
	return fileTimeout
}

// options are the options of FFmpeg's that this kind of source is best opened with. What
// the caller sets overrides them, and one that this FFmpeg does not know is passed over.
//
// Not among them is fflags=nobuffer, which low-latency advice begins with: it throws away
// what was read to find the streams, the first key frame with it, so that the first
// picture comes one key frame interval later. What was read is decoded instead, and
// what is out of date by then is not shown.
func (c *NetworkConfig) options(n network) map[string]string {
	o := map[string]string{}
	if !n.remote {
		return o
	}
	limit := c.timeout(n)
	micros := strconv.FormatInt(limit.Microseconds(), 10)
	if n.live {
		// Frame rates are not measured over 20 pictures before the first one shows. The rest
		// ends as soon as every stream is known, and these are its bounds: some key frame
		// intervals, and the memory of 50 Mbit/s meanwhile.
		o["fpsprobesize"] = "0"
		o["analyzeduration"] = "5000000"
		o["probesize"] = "33554432"
	}
	switch base, _, _ := strings.Cut(n.scheme, "+"); base {
	case "rtsp", "rtsps", "rtspt", "rtspu":
		o["timeout"] = micros
		o["max_streams"] = "64"                  // of 0.8 MB each, before anything can end reading a description
		o["allowed_media_types"] = "video+audio" // ONVIF's metadata would be waited for
		o["buffer_size"] = "2097152"
		o["max_delay"] = strconv.FormatInt(c.reorder().Microseconds(), 10)
		switch c.Transport {
		case TransportAuto:
			o["rtsp_flags"] = "prefer_tcp"
		case TransportUDP:
			o["rtsp_transport"] = "udp+tcp"
		case TransportMulticast:
			o["rtsp_transport"] = "udp_multicast"
		default:
			o["rtsp_transport"] = string(c.Transport)
		}
	case "udp", "udplite":
		o["overrun_nonfatal"] = "1" // a pause must not end playback
		o["buffer_size"] = "2097152"
		o["max_delay"] = strconv.FormatInt(c.reorder().Microseconds(), 10)
	case "rtp", "srtp":
		o["buffer_size"] = "2097152"
		o["max_delay"] = strconv.FormatInt(c.reorder().Microseconds(), 10)
	case "rtmp", "rtmps", "rtmpt", "rtmpts", "rtmpe", "rtmpte":
		o["rtmp_buffer"] = "100" // ms
		o["rw_timeout"] = micros
	case "srt":
		if c.MaxLatency > 0 {
			// Its own time for retransmission, 120 ms by default.
			o["latency"] = strconv.FormatInt(min(120*time.Millisecond, c.MaxLatency).Microseconds(), 10)
		}
		o["connect_timeout"] = strconv.FormatInt(limit.Milliseconds(), 10)
		o["linger"] = "0"
	case "http", "https", "hls":
		o["rw_timeout"] = micros
		o["max_reload"] = "20" // playlists that do not change any more
		o["seg_max_retry"] = "2"
		o["reconnect"] = "1" // where a file broke off
		o["reconnect_delay_max"] = "4"
	case "tcp", "tls":
		o["rw_timeout"] = micros
	}
	return o
}

// reorder is how long packets behind a missing one are held back.
func (c *NetworkConfig) reorder() time.Duration {
	const usual = 50 * time.Millisecond
	if c.MaxLatency > 0 {
		return min(usual, max(c.MaxLatency/2, 5*time.Millisecond))
	}
	return usual
}

// firstNotice is how long opening says nothing.
const firstNotice = time.Second

// notice says after a while that a server, or a sender, is waited for; what it returns ends
// that.
func (s *Source) notice() (stop func()) {
	log := s.cfg.Network.Log
	if !s.net.remote || log == nil {
		return func() {}
	}
	what := "a picture or sound"
	if s.net.scheme == "udp" || s.net.scheme == "udplite" {
		what = "packets that can be played"
	}
	t := time.AfterFunc(firstNotice, func() {
		log.Warn(fmt.Sprintf("%s: waiting for %s, for %v at most", s.name, what, s.cfg.Network.timeout(s.net)))
	})
	return func() { t.Stop() }
}

// portless refuses UDP without a port, where nothing can come.
func portless(u string) error {
	a, ok := parseAddress(u)
	if !ok || a.scheme != "udp" && a.scheme != "udplite" {
		return nil
	}
	if _, port, _ := strings.Cut(a.host[strings.LastIndexByte(a.host, ']')+1:], ":"); port == "" {
		return errors.New("it has no port: write it like udp://HOST:PORT")
	}
	return nil
}

func (c *NetworkConfig) validate() error {
	switch c.Transport {
	case TransportAuto, TransportTCP, TransportUDP, TransportMulticast, TransportHTTP:
	default:
		return fmt.Errorf("transport %q is not known: use tcp, udp, multicast or http", c.Transport)
	}
	if c.Timeout < 0 || c.MaxLatency < 0 {
		return errors.New("a negative time")
	}
	return nil
}

// explainBreak says what ended a source while it played.
func explainBreak(err error, limit time.Duration) error {
	switch {
	case err == errLate:
		return fmt.Errorf("nothing came for %v", limit)
	case err == io.EOF:
		return errors.New("the server closed the connection, or has no more to send")
	case errors.Is(err, syscall.EIO):
		return errors.New("the connection broke off")
	}
	return nil
}

// explainNetwork says what an error of a server's means for the user.
func explainNetwork(err error, n network, limit time.Duration) error {
	var hint string
	switch {
	case err == errLate && (n.scheme == "udp" || n.scheme == "udplite" || n.scheme == "rtp"):
		return fmt.Errorf("nothing playable came within %v: is the sender running, does it send MPEG-TS (RTP is played by rtp:// or its .sdp) to this port, and does a firewall let it through?", limit)
	case err == errLate:
		return fmt.Errorf("no answer that could be played within %v: is this the right address, and is the server well?", limit)
	case err == errBloat, err == errCircle, err == errTalk, err == errFlood:
		return err
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = "nothing listens there: is the server running, and is the port right?"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		hint = "the server broke the connection off"
	case errors.Is(err, syscall.ETIMEDOUT):
		hint = "no answer came in time: is the address right, is the server well, and does a firewall let this through?"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		hint = "there is no way to that machine: is the address right, and this one on the network?"
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another program on this machine has that port: end it, or use another one"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "this machine has no such address"
	case errors.Is(err, libav.ErrUnauthorized):
		hint = "the server wants a user name and a password, or other ones: " + n.scheme + "://user:password@host/…"
	case errors.Is(err, libav.ErrForbidden):
		hint = "the server does not let this user have it"
	case errors.Is(err, libav.ErrNotFound), errors.Is(err, libav.ErrStreamNotFound):
		hint = "the server has nothing of that name: is the path right?"
	case errors.Is(err, libav.ErrServer):
		hint = "the server is not well"
	case errors.Is(err, libav.ErrProtocol):
		return fmt.Errorf("%w: this FFmpeg was built without %s:// (see scanout doctor)", err, n.scheme)
	case errors.Is(err, libav.ErrInvalidData):
		hint = "what the server sends makes no sense as " + n.scheme + " or as media: is this the right address?"
	case errors.Is(err, syscall.EPROTONOSUPPORT) && strings.HasPrefix(n.scheme, "rtsp"):
		hint = "the server does not send by that transport: use another one (--transport), or leave that to the server"
	case errors.Is(err, syscall.EIO) && (n.scheme == "rtsps" || n.scheme == "rtmps" || n.scheme == "tls"):
		hint = "the name of the machine is not known, the connection broke off, or the server does not speak TLS: then use " + strings.TrimSuffix(strings.Replace(n.scheme, "tls", "tcps", 1), "s") + "://"
	case errors.Is(err, syscall.EIO) && n.scheme == "srt":
		hint = "nobody listens there, wants another passphrase or stream (?passphrase=…&streamid=…), or the connection broke off"
	case errors.Is(err, syscall.EIO) && n.scheme == "https":
		hint = "the connection broke off, or the server does not speak TLS: then use http://"
	case errors.Is(err, syscall.EIO):
		hint = "the name of the machine is not known, or the connection broke off"
	case err == io.EOF:
		return errors.New("the server closed the connection before anything could be played")
	case errors.Is(err, fs.ErrPermission):
		hint = "the server does not let this user have it"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, hint)
}

// ended reports whether err may be one of the connection's, after which another one can
// be tried.
func (n network) ended(err error) bool {
	switch {
	case errors.Is(err, os.ErrClosed), errors.Is(err, media.ErrNotSupported):
		return false
	case err == io.EOF:
		return n.restarts
	}
	return true
}
