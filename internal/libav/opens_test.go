package libav

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scanout-av/scanout/internal/dl"
)

// TestOpensAreCounted opens a playlist with more variants than are asked for over one
// connection, and one without end: afterwards the context is as it was made.
func TestOpensAreCounted(t *testing.T) {
	l := lib(t)
	clip, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25", "-t", "0.2", "-c:v", "mpeg2video", "-f", "mpegts", "-").Output()
	if err != nil {
		t.Skip("needs ffmpeg: apt-get install ffmpeg")
	}
	var playlists atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ordinary.m3u8":
			io.WriteString(w, "#EXTM3U\n")
			for i := range persistentLooks / 6 {
				fmt.Fprintf(w, "#EXT-X-STREAM-INF:BANDWIDTH=%d\na.m3u8\n", i+1)
			}
		case "/circle.m3u8":
			playlists.Add(1)
			io.WriteString(w, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ncircle.m3u8\n")
		case "/a.m3u8":
			playlists.Add(1)
			io.WriteString(w, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.2,\na.ts\n#EXT-X-ENDLIST\n")
		default:
			w.Write(clip)
		}
	}))
	defer srv.Close()
	c := l.NewCalls()
	in := new(Interrupt)
	for _, name := range []string{"ordinary", "circle", "ordinary"} {
		playlists.Store(0)
		ctx := c.NewFormatContext(in)
		at := l.ioOpenAt(ctx)
		if at == 0 {
			t.Fatalf("libavcodec %d: io_open was not found", l.Major)
		}
		before := dl.Load[uintptr](uintptr(ctx), at)
		options := NewDictionary()
		err := c.OpenInput(ctx, in, srv.URL+"/"+name+".m3u8", options)
		l.FreeDictionary(options)
		if err != nil && name == "ordinary" {
			t.Fatal(err)
		}
		if n := playlists.Load(); in.Circle() != (name == "circle") || n > mostOpened+persistentLooks/5 || n < persistentLooks/6 {
			t.Errorf("%s: circle %v after %d playlists", name, in.Circle(), n)
		}
		if in.target != 0 || len(opening.m) != 0 {
			t.Errorf("%s: something is still counted", name)
		}
		if err != nil {
			continue
		}
		priv := dl.Load[uintptr](uintptr(ctx), l.o.formatContextPrivData)
		o := l.option(priv, "http_persistent")
		if dl.Load[uintptr](uintptr(ctx), at) != before || o < 0 || dl.Load[int32](priv+uintptr(max(o, 0)), 0) != 1 {
			t.Errorf("%s: the context is not as it was", name)
		}
		if name == "ordinary" && in.looks > 0 {
			t.Errorf("%d looks were left: too few variants to try this", in.looks)
		}
		c.CloseInput(ctx)
	}
	// What is no playlist, and what is not there.
	for _, url := range []string{srv.URL + "/a.ts", "/nonexistent/" + strings.Repeat("x", 100)} {
		ctx := c.NewFormatContext(in)
		options := NewDictionary()
		if err := c.OpenInput(ctx, in, url, options); err == nil {
			c.CloseInput(ctx)
		}
		l.FreeDictionary(options)
		if in.Circle() || in.opened > 2 {
			t.Errorf("%s: %d files opened", url, in.opened)
		}
	}
}

// TestTalkIsCounted: a server of RTSP that redirects to itself is asked a number of times, and
// what was counted for it does not end what is opened afterwards.
func TestTalkIsCounted(t *testing.T) {
	l := lib(t)
	srv, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	var redirects atomic.Int32
	go func() {
		for {
			conn, err := srv.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for r := textproto.NewReader(bufio.NewReader(conn)); ; {
					request, err := r.ReadLine()
					if err != nil {
						return
					}
					h, err := r.ReadMIMEHeader()
					if err != nil {
						return
					}
					status, more := "200 OK", ""
					if strings.HasPrefix(request, "DESCRIBE") {
						redirects.Add(1)
						status, more = "302 Found", "Location: rtsp://"+srv.Addr().String()+"/x\r\n"
					}
					fmt.Fprintf(conn, "RTSP/1.0 %s\r\nCSeq: %s\r\n%s\r\n", status, h.Get("CSeq"), more)
				}
			}()
		}
	}()
	c, in := l.NewCalls(), new(Interrupt)
	url := "rtsp://" + srv.Addr().String() + "/x"
	for range 2 {
		redirects.Store(0)
		options := NewDictionary()
		err := c.OpenInput(c.NewFormatContext(in), in, url, options)
		l.FreeDictionary(options)
		if n := redirects.Load(); err == nil || !in.Endless() || in.Circle() || n < 100 || n > talkLooks/100 {
			t.Errorf("%v, endless %v, circle %v after %d redirects", err, in.Endless(), in.Circle(), n)
		}
		if in.target != 0 || in.over != 0 {
			t.Error("something is still counted")
		}
	}
	options := NewDictionary()
	err = c.OpenInput(c.NewFormatContext(in), in, "/nonexistent/x.ts", options)
	l.FreeDictionary(options)
	if !errors.Is(err, fs.ErrNotExist) || in.Endless() {
		t.Errorf("a file that is not there: %v, endless %v", err, in.Endless())
	}
}
