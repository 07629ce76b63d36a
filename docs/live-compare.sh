#!/usr/bin/env bash
# Receives the same 1080p60 H.264 RTP stream with scanout, GStreamer and ffplay, in turns,
# and prints each one's whole-process CPU time. Nothing is drawn by scanout and GStreamer;
# ffplay draws with SDL's dummy driver.
# Then measures how old pictures are when they can be seen, of these and mpv, each in a
# window of Xvfb: a smaller stream, because the pictures are drawn and read back.
# Needs: ffmpeg, mpv, xvfb, gstreamer1.0-tools, -plugins-good, -plugins-bad, -libav, -x, and
# bin/scanout.
set -eu
cd "$(dirname "$0")/.."
scanout=${SCANOUT:-bin/scanout}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
seconds=${SECONDS_EACH:-8} port=15604
ffmpeg -v error -f lavfi -i "testsrc2=size=1920x1080:rate=60" -t "$seconds" -c:v libx264 -preset veryfast -tune zerolatency \
	-b:v 8M -g 60 -x264-params repeat-headers=1 -pix_fmt yuv420p "$tmp/a.mkv"
cat >"$tmp/a.sdp" <<SDP
v=0
o=- 0 0 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=video $port RTP/AVP 96
a=rtpmap:96 H264/90000
SDP
measure() { # name, command…: CPU time while the stream is sent
	local name=$1 pid ticks
	shift
	"$@" >"$tmp/$name.out" 2>&1 &
	pid=$!
	sleep 1
	ffmpeg -v error -re -i "$tmp/a.mkv" -map 0:v -c copy -f rtp -payload_type 96 "rtp://127.0.0.1:$port?pkt_size=1200" >/dev/null
	ticks=$(awk '{print $14 + $15}' "/proc/$pid/stat")
	kill -INT "$pid"
	wait "$pid" || true
	awk -v n="$name" -v t="$ticks" -v s="$seconds" -v hz="$(getconf CLK_TCK)" 'BEGIN{printf "%-10s %5.1f %% of a core\n", n, t / hz / s * 100}'
}
for round in 1 2 3; do
	measure scanout "$scanout" play "$tmp/a.sdp" -q --audio none --decoder ffmpeg -o null --report "$tmp/report.json"
	measure gstreamer gst-launch-1.0 -q udpsrc port=$port caps="application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload=96" \
		! rtpjitterbuffer ! rtph264depay ! h264parse ! avdec_h264 max-threads=1 ! fakesink sync=true
	SDL_VIDEODRIVER=dummy measure ffplay ffplay -v error -an -protocol_whitelist file,rtp,udp -fflags nobuffer -flags low_delay "$tmp/a.sdp"
done
grep -E '"(presented|dropped|units|lost|percent_of_core)"' "$tmp/report.json" | tr -d '\n'
echo
"$scanout" bench glass --duration "${GLASS:-2s}"
