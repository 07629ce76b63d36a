#!/usr/bin/env bash
# Plays the same 8-second 1080p clips with scanout, mpv and ffplay under Xvfb, in turns,
# and prints each one's whole-process CPU time (user + system, median of 3).
# Needs: xvfb mpv ffmpeg, and bin/scanout (make build).
set -eu
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
Xvfb -displayfd 3 -screen 0 1920x1080x24 3>"$tmp/display" >/dev/null 2>&1 &
xvfb=$!
trap 'kill $xvfb; rm -rf "$tmp"' EXIT
for fps in 30 60; do
	ffmpeg -v error -f lavfi -i "testsrc2=size=1920x1080:rate=$fps,noise=alls=12:allf=t" -t 8 -c:v libx264 -preset medium -b:v 8M -pix_fmt yuv420p "$tmp/$fps.mp4"
done
while ! [ -s "$tmp/display" ]; do sleep 0.1; done
DISPLAY=:$(cat "$tmp/display")
export DISPLAY
unset WAYLAND_DISPLAY

cpu() { # prints user+system seconds of a command
	local TIMEFORMAT='%U %S'
	{ time "$@" >/dev/null 2>"$tmp/err"; } 2>&1 | awk '{printf "%.2f\n", $1 + $2}'
}
for fps in 30 60; do
	for round in 1 2 3; do
		cpu bin/scanout play "$tmp/$fps.mp4" --audio none --report "$tmp/report-$fps" >>"$tmp/scanout-$fps"
		cpu mpv --no-config --really-quiet --no-audio --vo=x11 --hwdec=no "$tmp/$fps.mp4" >>"$tmp/mpv-x11-$fps"
		cpu ffplay -v error -an -autoexit "$tmp/$fps.mp4" >>"$tmp/ffplay-$fps"
		cpu mpv --no-config --really-quiet --no-audio --vo=null --hwdec=no "$tmp/$fps.mp4" >>"$tmp/mpv-null-$fps"
		cpu bin/scanout play "$tmp/$fps.mp4" --audio none -o null >>"$tmp/scanout-null-$fps"
	done
done
printf '%-14s %10s %10s\n' '% of a core' 30fps 60fps
for who in scanout mpv-x11 ffplay scanout-null mpv-null; do
	printf '%-14s' "$who"
	for fps in 30 60; do sort -n "$tmp/$who-$fps" | awk 'NR==2{printf " %10.0f", $1 / 8 * 100}'; done
	echo
done
for fps in 30 60; do echo "scanout at $fps: $(grep -E '"(presented|dropped|renderer)"' "$tmp/report-$fps" | tr -d '\n')"; done
