package file

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/scanout-av/scanout/internal/avtest"
	"github.com/scanout-av/scanout/media"
)

// tcpServer runs handle for each connection, and counts those that are open.
type tcpServer struct {
	l    net.Listener
	open atomic.Int32
	seen atomic.Int32
	wg   sync.WaitGroup
}

func listen(t *testing.T, handle func(net.Conn)) *tcpServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &tcpServer{l: l}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.open.Add(1)
			s.seen.Add(1)
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				handle(c)
				io.Copy(io.Discard, c) // until the player lets go
				c.Close()
				s.open.Add(-1)
			}()
		}
	}()
	t.Cleanup(func() { l.Close() })
	return s
}

func (s *tcpServer) address() string { return s.l.Addr().String() }

// idle waits until every connection has been closed by the player.
func (s *tcpServer) idle(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); s.open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections were left open", s.open.Load())
		}
	}
}

// request reads an RTSP request.
func request(r *bufio.Reader) (method, cseq string, err error) {
	for first := true; ; first = false {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		line = strings.TrimSpace(line)
		switch {
		case first:
			method, _, _ = strings.Cut(line, " ")
		case line == "":
			return method, cseq, nil
		case strings.HasPrefix(strings.ToLower(line), "cseq:"):
			cseq = strings.TrimSpace(line[5:])
		}
	}
}

const sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n"

// rtsp answers requests well until one of the method until, to which it writes answer; ""
// is nothing at all.
func rtsp(until, answer string) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			method, cseq, err := request(r)
			if err != nil {
				return
			}
			ok := "RTSP/1.0 200 OK\r\nCSeq: " + cseq + "\r\n"
			if method == until {
				if answer != "" {
					io.WriteString(c, strings.ReplaceAll(answer, "CSEQ", cseq))
				}
				if strings.HasPrefix(answer, "RTSP/1.0 401") {
					continue // it asks again
				}
				return
			}
			switch method {
			case "OPTIONS":
				io.WriteString(c, ok+"Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n\r\n")
			case "DESCRIBE":
				fmt.Fprintf(c, "%sContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", ok, len(sdp), sdp)
			case "SETUP":
				io.WriteString(c, ok+"Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")
			default:
				io.WriteString(c, ok+"Session: 1\r\n\r\n")
			}
		}
	}
}

func status(code, more string) string {
	return "RTSP/1.0 " + code + "\r\nCSeq: CSEQ\r\n" + more + "\r\n"
}

// flood writes b until the player has had enough.
func flood(c io.Writer, b string) {
	for b = strings.Repeat(b, 1+(1<<16)/len(b)); ; {
		if _, err := io.WriteString(c, b); err != nil {
			return
		}
	}
}

// quick is the configuration of tests that wait for a time limit, and for too much memory.
func quick(url string) Config {
	return Config{URL: url, Network: NetworkConfig{Timeout: 800 * time.Millisecond, Reconnect: -1, maxGrowth: 48 << 20}}
}

// TestHostileServers opens what servers do that are broken or mean: each ends within the
// time limit, with one line that says what to do, and with the connection closed.
func TestHostileServers(t *testing.T) {
	needFFmpeg(t)
	listen(t, func(net.Conn) {}).l.Close() // Go's poller has descriptors of its own
	before := descriptors(t)
	var redirect atomic.Pointer[string]
	for _, tt := range []struct {
		name, scheme string
		handle       func(net.Conn)
		says         string
	}{
		{"silent", "rtsp", func(net.Conn) {}, "no answer"},
		{"closes at once", "rtsp", func(c net.Conn) { c.Close() }, "right address"},
		{"silent after OPTIONS", "rtsp", rtsp("DESCRIBE", ""), "no answer"},
		{"silent after DESCRIBE", "rtsp", rtsp("SETUP", ""), "no answer"},
		{"silent after SETUP", "rtsp", rtsp("PLAY", ""), "no answer"},
		{"sends nothing", "rtsp", rtsp("PLAY", status("200 OK", "Session: 1\r\n")), "no answer"},
		{"garbage", "rtsp", func(c net.Conn) { flood(c, "\x80\x01gar\x00bage\n") }, "on and on"},
		{"garbage instead of media", "rtsp", func(c net.Conn) {
			rtsp("PLAY", status("200 OK", "Session: 1\r\n"))(c)
			flood(c, "$\x00\x00\x10\x80\x60\x00\x01garbagebytes$\x07\xff\xff")
		}, ""},
		{"endless headers", "rtsp", func(c net.Conn) { io.WriteString(c, "RTSP/1.0 200 OK\r\n"); flood(c, "X-More: and more\r\n") }, "on and on"},
		{"endless line", "rtsp", func(c net.Conn) { flood(c, "RTSP/1.0 200 OK") }, "on and on"},
		{"endless description", "rtsp", func(c net.Conn) {
			rtsp("DESCRIBE", status("200 OK", "Content-Type: application/sdp\r\nContent-Length: 2000000000\r\n"))(c)
			flood(c, "a=x-more:and more\r\n")
		}, ""},
		{"a thousand streams", "rtsp", rtsp("DESCRIBE", status("200 OK", fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n",
			len(sdp)+20000*len(section)))+sdp+strings.Repeat(section, 20000)), ""},
		{"a description of 10 MB", "rtsp", rtsp("DESCRIBE", status("200 OK", fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n",
			len(sdp)+500000*len(filler)))+strings.Repeat(filler, 500000)+sdp), ""},
		{"closes after each answer", "rtsp", func(c net.Conn) {
			r := bufio.NewReader(c)
			if _, cseq, err := request(r); err == nil {
				io.WriteString(c, "RTSP/1.0 200 OK\r\nCSeq: "+cseq+"\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n")
			}
			c.Close()
		}, "makes no sense"},
		{"redirects in circles", "rtsp", func(c net.Conn) { rtsp("DESCRIBE", status("302 Found", "Location: "+*redirect.Load()+"\r\n"))(c) }, "in a circle"},
		{"wants a password", "rtsp", rtsp("DESCRIBE", status("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n")), "user name and a password"},
		{"forbids", "rtsp", rtsp("DESCRIBE", status("403 Forbidden", "")), "does not let"},
		{"has nothing", "rtsp", rtsp("DESCRIBE", status("404 Not Found", "")), "path right"},
		{"is not well", "rtsp", rtsp("DESCRIBE", status("500 Internal Server Error", "")), "not well"},
		{"silent", "http", func(net.Conn) {}, "no answer"},
		{"slowloris", "http", func(c net.Conn) { drip(c, "HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\nX: ") }, "no answer"},
		{"dripping media", "http", func(c net.Conn) { drip(c, "HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n") }, "no answer"},
		{"endless headers", "http", func(c net.Conn) { io.WriteString(c, "HTTP/1.0 200 OK\r\n"); flood(c, "X-More: and more\r\n") }, "on and on"},
		{"endless noise", "http", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
			flood(c, "noise that is no media\x00\xff")
		}, ""},
		{"redirects in circles", "http", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation: "+*redirect.Load()+"\r\n\r\n")
			c.Close()
		}, ""},
		{"garbage", "http", func(c net.Conn) { flood(c, "\x80\x01gar\x00bage\n") }, "on and on"},
		{"a chunk without an end of its length", "http", chunked("0"), "on and on"},
		{"chunks of a byte", "http", chunked("1\r\nG\r\n"), "on and on"},
		{"asks for all memory", "http", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isomiso2\xff\xff\xff\xffmoov")
			flood(c, "\x00\x00\x00\x08trak")
		}, "damaged, or hostile"},
		{"silent", "rtmp", func(net.Conn) {}, "no answer"},
		{"garbage", "rtmp", func(c net.Conn) { flood(c, "\x03garbage") }, ""},
	} {
		t.Run(tt.scheme+" "+tt.name, func(t *testing.T) {
			s := listen(t, tt.handle)
			url := tt.scheme + "://" + s.address() + "/x"
			redirect.Store(&url)
			cfg := quick(url)
			if tt.says != "" && tt.says != "no answer" { // what ends it is not the time
				cfg.Network.Timeout = time.Minute
			}
			src, err := Open(context.Background(), cfg)
			if err == nil {
				src.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q, want %q", err, tt.says)
			}
			t.Log(err)
			s.idle(t)
			s.l.Close()
			s.wg.Wait()
		})
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d open files, %d before", after, before)
	}
}

const section = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"

const filler = "a=x-more: and more\r\n"

// chunked writes b for ever as what follows the headers of a chunked answer.
func chunked(b string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		flood(c, b)
	}
}

// TestEndlessChunkWhilePlaying: what a server sends on and on behind its media ends reading, by
// count and not by time.
func TestEndlessChunkWhilePlaying(t *testing.T) {
	b := read(t, generate(t, "chunk.ts", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-t", "2", "-c:v", "libx264", "-g", "10", "-bf", "0"))
	srv := listen(t, func(c net.Conn) {
		chunked(fmt.Sprintf("%x\r\n%s\r\n", len(b), b))(&once{Conn: c})
		flood(c, "0")
	})
	defer func() {
		srv.l.Close()
		srv.wg.Wait()
	}()
	cfg := quick("http://" + srv.address() + "/x.ts")
	cfg.Network.Timeout = time.Minute
	src, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for n := 0; ; n++ {
		var au media.AccessUnit
		if err := src.Read(&au); err != nil {
			if n == 0 || !strings.Contains(err.Error(), "on and on") {
				t.Errorf("after %d units: %v", n, err)
			}
			return
		}
		au.Release()
	}
}

// once takes what chunked writes once.
type once struct {
	net.Conn
	writes int
}

func (o *once) Write(b []byte) (int, error) {
	if o.writes++; o.writes > 2 {
		return 0, io.ErrClosedPipe
	}
	return o.Conn.Write(b)
}

// TestExplanations: what is said depends on what was tried, and on whether it had played.
func TestExplanations(t *testing.T) {
	for _, tt := range []struct {
		err  error
		url  string
		want string
	}{
		{syscall.EPROTONOSUPPORT, "rtsp://h/x", "does not send by that transport"},
		{syscall.EIO, "rtsps://h/x", "then use rtsp://"},
		{syscall.EIO, "rtmps://h/x", "then use rtmp://"},
		{syscall.EIO, "srt://h:1", "another passphrase"},
		{syscall.EIO, "https://h/x", "then use http://"},
		{syscall.EIO, "rtsp://h/x", "the name of the machine is not known"},
		{errLate, "udp://h:1", "RTP is played by rtp://"},
		{errLate, "rtsp://h/x", "no answer that could be played within 3s"},
		{io.EOF, "rtsp://h/x", "before anything could be played"},
	} {
		if got := explainNetwork(tt.err, classify(tt.url), 3*time.Second).Error(); !strings.Contains(got, tt.want) || strings.Contains(got, "\n") {
			t.Errorf("%v of %s: %q, want %q in it", tt.err, tt.url, got, tt.want)
		}
	}
	for err, want := range map[error]string{errLate: "nothing came for 3s", io.EOF: "the server closed the connection, or has no more to send",
		syscall.EIO: "the connection broke off"} {
		if got := explainBreak(err, 3*time.Second); got == nil || got.Error() != want {
			t.Errorf("%v while playing: %v", err, got)
		}
	}
	if err := explainBreak(syscall.ECONNRESET, 0); err != nil {
		t.Error(err)
	}
}

// TestOpeningSaysThatItWaits: whoever waits hears for what, and only then.
func TestOpeningSaysThatItWaits(t *testing.T) {
	needFFmpeg(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	said := make(chan string, 4)
	log := slog.New(slog.NewTextHandler(writer(func(b []byte) { said <- string(b); cancel() }), nil))
	url := fmt.Sprintf("udp://127.0.0.1:%d", avtest.Ports(t, 1))
	if src, err := Open(ctx, Config{URL: url, Network: NetworkConfig{Log: log}}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", src, err)
	}
	if got := <-said; !strings.Contains(got, "waiting for packets that can be played, for 10s at most") {
		t.Error(got)
	}
	for _, url := range []string{"udp://127.0.0.1", "udp://[::1]", "udp://@239.1.1.1", "udp://127.0.0.1?pkt_size=1316", "UDP://h/"} {
		if _, err := Open(t.Context(), Config{URL: url}); err == nil || !strings.Contains(err.Error(), "it has no port") {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"udp://127.0.0.1:1", "udp://[::1]:1", "udp://@239.1.1.1:1", "udp://:1", "rtsp://h/x"} {
		if err := portless(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// writer is a function that takes what is written.
type writer func(b []byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

// TestManyStreams: of a description with a thousand streams no more are set up than anybody
// has, because each takes memory before anything can be ended.
func TestManyStreams(t *testing.T) {
	needFFmpeg(t)
	text := sdp + strings.Repeat(section, 1000)
	var setups atomic.Int32
	s := listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			method, cseq, err := request(r)
			if err != nil {
				return
			}
			ok := "RTSP/1.0 200 OK\r\nCSeq: " + cseq + "\r\nSession: 1\r\n"
			switch method {
			case "DESCRIBE":
				fmt.Fprintf(c, "%sContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", ok, len(text), text)
			case "SETUP":
				n := 2 * (setups.Add(1) - 1)
				fmt.Fprintf(c, "%sTransport: RTP/AVP/TCP;unicast;interleaved=%d-%d\r\n\r\n", ok, n, n+1)
			case "PLAY":
				return // nothing comes, and the connection stays
			default:
				io.WriteString(c, ok+"\r\n")
			}
		}
	})
	// Enough time to get to the end even on a machine that stands still now and then.
	cfg := quick("rtsp://" + s.address() + "/x")
	cfg.Network.Timeout = 3 * time.Second
	if src, err := Open(context.Background(), cfg); err == nil {
		src.Close()
		t.Error("opened")
	}
	if n := setups.Load(); n == 0 || n > 64 {
		t.Errorf("%d streams were set up", n)
	}
	s.idle(t)
}

// drip writes head and then a byte now and then.
func drip(c net.Conn, head string) {
	io.WriteString(c, head)
	for {
		if _, err := c.Write([]byte("G")); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(d)
}

// TestHostilePlaylists opens HLS playlists that lead nowhere, and everywhere.
func TestHostilePlaylists(t *testing.T) {
	needFFmpeg(t)
	const inf = "#EXT-X-STREAM-INF:BANDWIDTH=1\n"
	for _, tt := range []struct{ name, text, says string }{
		{"empty", "#EXTM3U\n", ""},
		{"master of itself", "#EXTM3U\n" + inf + "a.m3u8\n", "ever more playlists"},
		{"master of itself and of nothing", "#EXTM3U\n" + inf + "no.ts\n" + inf + "a.m3u8\n", "ever more playlists"},
		{"ever another master", "#EXTM3U\n" + inf + "NEXT.m3u8\n", "ever more playlists"},
		{"master of twins", "#EXTM3U\n" + inf + "NEXT.m3u8\n" + inf + "a.m3u8\n", "ever more playlists"},
		{"segments that are the playlist", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.m3u8\n#EXTINF:1,\na.m3u8\n#EXT-X-ENDLIST\n", ""},
		{"segments that are not there", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nno.ts\n#EXTINF:1,\nno.ts\n#EXT-X-ENDLIST\n", ""},
		{"live without an end or a segment", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:1\n", ""},
		{"live with segments that are not there", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.1,\nno.ts\n", ""},
		{"files of this machine", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", ""},
		{"endless", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var requests atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n := requests.Add(1)
				switch {
				case strings.HasSuffix(r.URL.Path, ".ts"):
					http.NotFound(w, r)
				case tt.text == "":
					io.WriteString(w, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n")
					flood(w, "#EXTINF:1,\nsegment-of-a-name-that-is-not-short-at-all.ts\n")
				default:
					w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
					io.WriteString(w, strings.ReplaceAll(tt.text, "NEXT", fmt.Sprint(n)))
				}
			}))
			defer srv.Close()
			cfg := quick(srv.URL + "/a.m3u8")
			if tt.says != "" { // what ends it is a number, not the time
				cfg.Network.Timeout, cfg.Network.maxGrowth = time.Minute, 0
			}
			s, err := Open(context.Background(), cfg)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q, want %q", err, tt.says)
			}
			if n := requests.Load(); n > 1300 {
				t.Errorf("%d requests", n)
			}
			t.Log(err, requests.Load())
		})
	}
}

// TestOrdinaryPlaylists opens masters of a few variants, and of as many as anybody has: what
// ends circles is not in their way, and playlists are asked for over one connection.
func TestOrdinaryPlaylists(t *testing.T) {
	clip := read(t, generate(t, "a.ts", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-t", "1", "-c:v", "libx264", "-g", "10", "-bf", "0"))
	for _, variants := range []int{8, 60} {
		var requests, playlists, connections atomic.Int32
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			switch {
			case strings.HasSuffix(r.URL.Path, ".ts"):
				w.Write(clip)
				return
			case r.URL.Path != "/a.m3u8":
				playlists.Add(1)
				io.WriteString(w, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXTINF:1,\nb.ts\n#EXT-X-ENDLIST\n")
				return
			}
			io.WriteString(w, "#EXTM3U\n")
			for i := range variants {
				fmt.Fprintf(w, "#EXT-X-STREAM-INF:BANDWIDTH=%d\n%d.m3u8\n", i+1, i)
			}
		}))
		srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}
		srv.Start()
		s := open(t, srv.URL+"/a.m3u8")
		if n := len(s.Info().Streams); n != variants || s.interrupt.Circle() || int(playlists.Load()) != variants {
			t.Errorf("%d streams of %d variants, %d playlists, circle: %v", n, variants, playlists.Load(), s.interrupt.Circle())
		}
		// Beside the playlists each segment and the master have a connection.
		if n := requests.Load() - connections.Load(); n < int32(variants-1) {
			t.Errorf("%d requests over %d connections", requests.Load(), connections.Load())
		}
		t.Log(requests.Load(), connections.Load())
		s.Close()
		srv.Close()
	}
}

// newBroadcast serves a live stream over HTTP; connections count from 1.
func newBroadcast(t *testing.T, serve func(connection int, w http.ResponseWriter)) *httptest.Server {
	t.Helper()
	var seen atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve(int(seen.Add(1)), w)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// pace sends b in time with its pictures: of a clip of d.
func pace(w http.ResponseWriter, b []byte, d time.Duration) {
	const step = 20 * time.Millisecond
	n := max(188, len(b)*int(step)/int(d)/188*188)
	for len(b) > 0 {
		k := min(n, len(b))
		if _, err := w.Write(b[:k]); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		b = b[k:]
		time.Sleep(step)
	}
}

// cut breaks a connection off as a crash does.
func cut(t *testing.T, w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestReconnect breaks a live source off: it goes on with the next connection, and says so
// when that sends something else.
func TestReconnect(t *testing.T) {
	small := read(t, generate(t, "a.ts", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-t", "2", "-c:v", "libx264", "-g", "10", "-bf", "0"))
	large := read(t, generate(t, "b.ts", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-t", "2", "-c:v", "libx264", "-g", "10", "-bf", "0"))
	srv := newBroadcast(t, func(n int, w http.ResponseWriter) {
		switch n {
		case 1, 2:
			pace(w, small, 2*time.Second)
			cut(t, w)
		case 3:
			cut(t, w)
		case 4:
			pace(w, large, 2*time.Second)
		default:
			cut(t, w)
		}
	})
	s, err := Open(context.Background(), Config{URL: srv.URL, Network: NetworkConfig{Timeout: 5 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	first := s.Info()
	if !first.Live || !first.LocalTime {
		t.Fatalf("%+v", first)
	}
	var au media.AccessUnit
	var last media.Timestamp = -1 << 62
	changes, marks, units := 0, 0, 0
	for {
		err := s.Read(&au)
		if errors.Is(err, media.ErrStreamChanged) {
			changes++
			continue
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if au.Discontinuity {
			marks++
			if !au.Key {
				t.Error("begins anew without a key frame")
			}
		}
		if au.PTS < last || au.Timebase != media.Nanoseconds {
			t.Errorf("unit at %v after one at %v", au.PTS, last)
		}
		last = au.PTS
		units++
		au.Release()
	}
	now := s.Info()
	// Where the machine stands still the source passes over what is too late, and marks that too.
	if st := s.Stats(); changes != 1 || marks < 2 || marks > 2+int(st.Jumps) || st.Reconnects != 2 || units < 60 {
		t.Errorf("%d changes, %d marks, %d units, %+v", changes, marks, units, st)
	}
	if first.Streams[0].Width != 160 || now.Streams[0].Width != 320 || now == first {
		t.Errorf("from %d to %d columns", first.Streams[0].Width, now.Streams[0].Width)
	}
}

// TestReconnectGivesUp ends with what broke off when there is no way back, and at once
// after Interrupt.
func TestReconnectGivesUp(t *testing.T) {
	clip := read(t, clip(t, "a.ts"))
	serve := func(n int, w http.ResponseWriter) {
		if n == 1 {
			pace(w, clip[:len(clip)/4/188*188], time.Second)
		}
		cut(t, w)
	}
	drain := func(s *Source) error {
		var au media.AccessUnit
		for {
			if err := s.Read(&au); err != nil {
				return err
			}
			au.Release()
		}
	}
	s, err := Open(context.Background(), Config{URL: newBroadcast(t, serve).URL, Network: NetworkConfig{Reconnect: 300 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := drain(s); err == nil || !strings.Contains(err.Error(), "broke off") || !strings.Contains(err.Error(), "300ms") {
		t.Errorf("%v", err)
	}
	if err := drain(s); err != os.ErrClosed {
		t.Errorf("reading on: %v", err)
	}
	s, err = Open(context.Background(), Config{URL: newBroadcast(t, serve).URL, Network: NetworkConfig{Reconnect: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := drain(s); err == nil || err == os.ErrClosed || !strings.Contains(err.Error(), "broke") {
		t.Errorf("%v", err)
	}
	broken := make(chan bool, 1)
	s, err = Open(context.Background(), Config{URL: newBroadcast(t, func(n int, w http.ResponseWriter) {
		if n == 3 {
			broken <- true
		}
		serve(n, w)
	}).URL, Network: NetworkConfig{Reconnect: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go func() { <-broken; s.Interrupt() }()
	if err := drain(s); err != os.ErrClosed {
		t.Errorf("interrupted: %v", err)
	}
}

// TestRecordingOverHTTP is sent as fast as it is read, without a length: its own
// timestamps count.
func TestRecordingOverHTTP(t *testing.T) {
	long := read(t, generate(t, "a.ts", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-t", "40", "-c:v", "libx264", "-preset", "ultrafast"))
	for _, n := range []int{len(long), len(long) / 20 / 188 * 188} {
		srv := newBroadcast(t, func(_ int, w http.ResponseWriter) { w.Write(long[:n]); w.(http.Flusher).Flush() })
		s := open(t, srv.URL)
		if in := s.Info(); !in.Live || in.LocalTime || in.Streams[0].Timebase == media.Nanoseconds {
			t.Errorf("%d bytes: %+v", n, in)
		}
		units := 0
		var au media.AccessUnit
		for s.Read(&au) == nil {
			units++
			au.Release()
		}
		if units < n/(len(long)/1000)*9/10 {
			t.Errorf("%d bytes: %d units", n, units)
		}
	}
}

// TestUDPSilence opens an address that nobody sends to.
func TestUDPSilence(t *testing.T) {
	needFFmpeg(t)
	url := fmt.Sprintf("udp://127.0.0.1:%d", avtest.Ports(t, 1))
	_, err := Open(context.Background(), quick(url))
	if err == nil || !strings.Contains(err.Error(), "is the sender running") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, Config{URL: url}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestUDPSenderGone plays until the sender falls silent, and says so.
func TestUDPSenderGone(t *testing.T) {
	path := generate(t, "a.ts", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-t", "2", "-c:v", "libx264", "-g", "10")
	address := fmt.Sprintf("127.0.0.1:%d", avtest.Ports(t, 1))
	c, err := net.ListenPacket("udp4", address)
	if err != nil {
		t.Fatal(err)
	}
	url := "udp://" + address
	sender := avtest.StartFFmpeg(t, "-re", "-stream_loop", "-1", "-i", path, "-c", "copy", "-f", "mpegts", url+"?pkt_size=1316")
	c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, _, err := c.ReadFrom(make([]byte, 1500)); err != nil { // it takes its time to begin
		t.Fatal(err)
	}
	c.Close()
	s, err := Open(context.Background(), Config{URL: url, Network: NetworkConfig{Timeout: 3 * time.Second, Reconnect: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	units := 0
	var au media.AccessUnit
	for err = s.Read(&au); err == nil; err = s.Read(&au) {
		if units++; units == 10 {
			sender.Kill()
		}
		au.Release()
	}
	if units < 10 || !strings.Contains(err.Error(), "is the sender running") || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("%d units, %v", units, err)
	}
}

// TestTruncatedStream plays a transport stream with holes, and one that is cut in a packet.
func TestTruncatedStream(t *testing.T) {
	b := read(t, clip(t, "a.ts"))
	damaged := append([]byte{}, b[:len(b)/3]...)
	damaged = append(damaged, b[len(b)/3+1000:len(b)-77]...)
	srv := newBroadcast(t, func(_ int, w http.ResponseWriter) { pace(w, damaged, time.Second) })
	s, err := Open(context.Background(), Config{URL: srv.URL, Network: NetworkConfig{Complete: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	units := 0
	var au media.AccessUnit
	for err = s.Read(&au); err == nil; err = s.Read(&au) {
		units++
		au.Release()
	}
	if err != io.EOF || units < 200 {
		t.Errorf("%d units, %v", units, err)
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"film.mp4":                           "film.mp4",
		"rtsp://host/x":                      "rtsp://host/x",
		"rtsp://me@host/x":                   "rtsp://me@host/x",
		"rtsp://me:secret@host:554/x?a=b":    "rtsp://me:…@host:554/x?a=b",
		"rtsp://me:sec@ret@host/x@y":         "rtsp://me:…@host/x@y",
		"srt://host:1?passphrase=abc&mode=x": "srt://host:1?passphrase=…&mode=x",
		"udp://@239.0.0.1:1234?ttl=1":        "udp://@239.0.0.1:1234?ttl=1",
		"http://h?TOKEN=1":                   "http://h?TOKEN=…",
	} {
		if got := Redact(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	for _, tt := range []struct{ url, name, password, want string }{
		{"rtsp://host/x", "", "", "rtsp://host/x"},
		{"rtsp://host/x", "me", "", "rtsp://me@host/x"},
		{"rtsp://old:one@host/x", "me", "a b@c:d/e", "rtsp://me:a%20b%40c%3Ad%2Fe@host/x"},
	} {
		if got, err := withUser(tt.url, tt.name, tt.password); got != tt.want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, tt.want)
		}
	}
	if _, err := withUser("film.mp4", "me", "x"); err == nil {
		t.Error("a user for a file")
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("rtsp://host/x", "me", "secret")
	f.Add("srt://host:1?passphrase=abc", "a:b", "@/?#%")
	f.Add("udp://@239.0.0.1:1234", "", "")
	f.Fuzz(func(t *testing.T, url, name, password string) {
		classify(url)
		if len(password) < 4 || name == "" || !strings.HasPrefix(url, "rtsp://") {
			Redact(url)
			return
		}
		u, err := withUser(url, name, password)
		if err != nil {
			return
		}
		if shown := Redact(u); strings.Contains(shown, ":"+escape(password)+"@") {
			t.Errorf("%q is shown as %q", u, shown)
		}
		a, ok := parseAddress(u)
		if !ok || a.user != escape(name)+":"+escape(password) {
			t.Errorf("%q has the user %q", u, a.user)
		}
	})
}

// TestNothingStays counts goroutines after sources have come and gone.
func TestNothingStays(t *testing.T) {
	needFFmpeg(t)
	srv := listen(t, func(net.Conn) {})
	before := runtime.NumGoroutine()
	for range 5 {
		ctx, cancel := context.WithCancel(context.Background())
		n := srv.seen.Load()
		go func() {
			for ; srv.seen.Load() == n; time.Sleep(time.Millisecond) {
				if ctx.Err() != nil {
					return
				}
			}
			cancel()
		}()
		if _, err := Open(ctx, Config{URL: "rtsp://" + srv.address()}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		cancel()
	}
	srv.idle(t)
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// TestWatchdog ends a call that takes too long, and one that takes too much memory.
func TestWatchdog(t *testing.T) {
	wait := func(w *watchdog) int32 {
		for end := time.Now().Add(20 * time.Second); w.stop.Load() == stopNot; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the call was not ended")
			}
		}
		return w.stop.Load()
	}
	w := newWatchdog(new(atomic.Int32))
	defer w.close()
	w.begin(10 * time.Millisecond)
	if got := wait(w); got != stopLate {
		t.Errorf("stopped by %d", got)
	}
	if err := w.end(); err != errLate || w.stop.Load() != stopNot {
		t.Errorf("%v, %d", err, w.stop.Load())
	}
	w.begin(time.Hour)
	w.stop.Store(stopUser)
	if err := w.end(); err != nil || w.stop.Load() != stopUser {
		t.Errorf("interrupted: %v, %d", err, w.stop.Load())
	}
	w.stop.Store(stopNot)
	if anonymousMemory() == 0 {
		t.Skip("needs /proc/self/statm")
	}
	w.growth = anonymousMemory() / 2
	w.beginFrom(time.Hour, 1)
	if got := wait(w); got != stopBloat {
		t.Errorf("grown before the first look: stopped by %d", got)
	}
	if err := w.end(); err != errBloat {
		t.Errorf("%v", err)
	}
	w.growth = 8 << 20
	w.begin(time.Hour)
	stop, done := make(chan bool), make(chan [][]byte)
	go func() {
		var hold [][]byte
		for {
			select {
			case <-stop:
				done <- hold
				return
			case <-time.After(20 * time.Millisecond):
				b := make([]byte, 2<<20)
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				hold = append(hold, b)
			}
		}
	}()
	if got := wait(w); got != stopBloat {
		t.Errorf("stopped by %d", got)
	}
	close(stop)
	if hold := <-done; len(hold) == 0 {
		t.Error("nothing was held")
	}
	if err := w.end(); err != errBloat {
		t.Errorf("%v", err)
	}
}
