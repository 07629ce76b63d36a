package avtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// rtspServer is GStreamer's RTSP server. Arguments: port, a launch line, and user, password
// and "basic" or "digest" for one that asks.
const rtspServer = `
import sys, gi
gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import Gst, GstRtspServer, GLib
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address('127.0.0.1')
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(sys.argv[2])
if len(sys.argv) > 3:
    user, password, kind = sys.argv[3:6]
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string('media.factory.role', 'user')
    if kind == 'digest':
        auth.set_supported_methods(2)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    may = GstRtspServer.RTSPPermissions()
    may.add_permission_for_role('user', 'media.factory.access', True)
    may.add_permission_for_role('user', 'media.factory.construct', True)
    factory.set_permissions(may)
server.get_mount_points().add_factory('/v', factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
`

// RTSPConfig describes a server.
type RTSPConfig struct {
	// Launch is what GStreamer sends, with elements called pay0, pay1… See [RTSPFile].
	Launch string
	// User and Password are asked for when they are set, by the digest method when Digest.
	User, Password string
	Digest         bool
	Port           int // 0: any
}

// RTSPFile is the Launch that sends the H.264 of an MPEG transport stream as if it were
// live, without an end that is known beforehand.
func RTSPFile(path string) string {
	return "( filesrc location=" + path + " ! queue ! tsdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
}

// RTSP starts GStreamer's RTSP server and returns its process and its port; what it sends
// is at the path /v.
func RTSP(t testing.TB, cfg RTSPConfig) (*Process, int) {
	t.Helper()
	const python = "/usr/bin/python3" // the one that Debian's modules are for
	probe := `import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer, Gst; Gst.init(None); ` +
		`raise SystemExit(not all(Gst.ElementFactory.find(e) for e in ('tsdemux', 'h264parse', 'rtph264pay')))`
	if err := exec.Command(python, "-c", probe).Run(); err != nil {
		t.Skip("needs GStreamer's RTSP server (Debian: apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad)")
	}
	script := filepath.Join(tempDir(t), "server.py")
	if err := os.WriteFile(script, []byte(rtspServer), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{script, fmt.Sprint(cfg.Port), cfg.Launch}
	if cfg.User != "" {
		kind := "basic"
		if cfg.Digest {
			kind = "digest"
		}
		args = append(args, cfg.User, cfg.Password, kind)
	}
	cmd := exec.Command(python, args...)
	says, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	line, err := bufio.NewReader(says).ReadString('\n')
	port := 0
	if _, scan := fmt.Sscan(line, &port); err != nil || scan != nil || port == 0 {
		t.Fatalf("the RTSP server said %q: %v", strings.TrimSpace(line), err)
	}
	return p, port
}

// StartFFmpeg starts the ffmpeg command with args; it is ended when the test ends.
func StartFFmpeg(t testing.TB, args ...string) *Process {
	t.Helper()
	return start(t, exec.Command(need(t, "ffmpeg", "ffmpeg"), append([]string{"-nostdin", "-v", "error", "-y"}, args...)...))
}
